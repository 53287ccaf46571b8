#pragma once

// What every stage of one process needs to know: the run, the ranks, the device.

#include <filesystem>
#include <string>
#include <string_view>

#include <c10/core/Device.h>

#include "arch/base/error.h"
#include "search/run/checkpoint.h"
#include "search/run/run_directory.h"
#include "supernet/ranks/process_group.h"

namespace patchnas {

/// Run and group outlive all that is made with it.
struct TorchContext {
  RunDirectory& run;
  ProcessGroup& group;
  c10::Device device;

  [[nodiscard]] const Config& config() const { return run.config(); }
  /// Whether validation images still tell how good the winner is: it is not trained on them.
  [[nodiscard]] bool validates_winner() const { return !config().training.finetune_on_validation; }
};

/// Sets the number of threads of this process too.
/// @throws InputError if the configured device is not there, or cannot compute in the configured
/// precision.
TorchContext prepare_to_compute(RunDirectory& run, ProcessGroup& group);

CheckpointStore checkpoints(const TorchContext& context, StageId stage);

/// Reads weights that were written under a name, of a network of either kind.
/// @throws InputError naming the source if it is damaged or its weights are another network's.
template <typename AnySubnet>
void load_weights(std::string_view container, std::string_view name, const std::string& source,
                  AnySubnet& subnet) {
  const Checkpoint weights = decode_checkpoint(name, container, source);
  try {
    subnet.load(weights.bytes);
  } catch (const InputError& error) {
    throw InputError(source + ": " + error.what());
  }
}

/// A file of the run directory as rank 0 reads it, on all ranks together.
std::string read_shared(const TorchContext& context, const std::filesystem::path& file);

}  // namespace patchnas
