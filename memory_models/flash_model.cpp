#include "memory_models/flash_model.h"

namespace patchnas {

FlashReport flash_report(const Network& network) {
  constexpr std::int64_t kBiasBytes = 4;
  constexpr std::int64_t kMultiplierAndShiftBytes = 4 + 1;
  FlashReport report;
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    report.weights_bytes += weight_count(network, layer);
    report.biases_bytes += kBiasBytes * bias_count(network, layer);
    report.requantisation_bytes += kMultiplierAndShiftBytes * bias_count(network, layer);
  }
  return report;
}

}  // namespace patchnas
