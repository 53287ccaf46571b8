#include "search/package/verify_package.h"

#include <algorithm>
#include <iterator>

#include "arch/base/error.h"
#include "deploy/package/c_package.h"
#include "deploy/reference/reference_executor.h"
#include "search/base/stop_signal.h"

namespace patchnas {
namespace {

std::optional<Difference> first_difference(const std::vector<std::int8_t>& expected,
                                           const std::vector<std::int8_t>& actual,
                                           std::int64_t output_bytes) {
  const auto [e, a] = std::mismatch(expected.begin(), expected.end(), actual.begin());
  if (e == expected.end()) {
    return std::nullopt;
  }
  const std::int64_t index = std::distance(expected.begin(), e);
  return Difference{static_cast<int>(index / output_bytes), static_cast<int>(index % output_bytes),
                    *e, *a};
}

// Of a run of one image.
std::vector<LayerInstructions> per_layer(const PackageFolder& package, const PackageRun& run) {
  std::vector<LayerInstructions> layers;
  for (std::size_t i = 0; i < run.layer_instructions.size(); ++i) {
    layers.push_back(
        {i < package.layers.size() ? package.layers[i] : "(before, between and after the layers)",
         run.layer_instructions[i]});
  }
  return layers;
}

}  // namespace

Verification verify_package(const PackageFolder& package, const QuantizedNetwork& network,
                            RunTarget target, Rounding rounding,
                            std::span<const std::int8_t> images) {
  const Network shapes = package.executed_network(network);
  const PackageRunner runner(package, target, rounding, Profiling::kOff);
  const PackageRun run = runner.run(images);
  const int count = static_cast<int>(images.size() / static_cast<std::size_t>(package.input_bytes));
  Verification result{.figures = runner.figures(run, count),
                      .images = count,
                      .first_difference = first_difference(
                          run_images(network, images, arithmetic_of(rounding), throw_if_stopped),
                          run.outputs, package.output_bytes),
                      .estimated_sram_bytes = memory_report(shapes, package.schedule,
                                                            MemoryModel::kDeployed, package.input)
                                                  .peak_sram_bytes,
                      .allowed_stack_bytes = {},
                      .estimated_flash_bytes = {},
                      .layers = {},
                      .estimated_macs = scheduled_macs(shapes, package.schedule),
                      .macs = {}};
  const auto first = images.first(static_cast<std::size_t>(package.input_bytes));
  if (const std::optional<Core> core = core_of(target)) {
    result.allowed_stack_bytes = kStackAllowanceBytes;
    result.estimated_flash_bytes =
        flash_report(shapes, ExecutionPlan(shapes, package.schedule, package.input), *core)
            .total_bytes();
    const PackageRunner profiled(package, target, rounding, Profiling::kLayers);
    result.layers = per_layer(package, profiled.run(first));
  } else {
    result.macs = PackageRunner(package, target, rounding, Profiling::kMacs).run(first).macs;
  }
  return result;
}

}  // namespace patchnas
