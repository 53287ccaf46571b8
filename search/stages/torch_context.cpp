#include "search/stages/torch_context.h"

#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "supernet/network/device.h"
#include "supernet/network/threads.h"

namespace patchnas {

TorchContext prepare_to_compute(RunDirectory& run, ProcessGroup& group) {
  const Config& config = run.config();
  const c10::Device device = resolve_device(to_string(config.device), group.place().local_rank);
  if (config.training.precision == Precision::kMixed && !device.is_cuda()) {
    throw InputError(
        "training.precision: mixed needs a CUDA device, and there is none; allowed on the CPU: "
        "float32");
  }
  const int threads = set_threads(config.threads, group.place().local_count);
  spdlog::info("computing on {}, ranks: {}, threads of each: {}", device.str(), group.size(),
               threads);
  return {run, group, device};
}

CheckpointStore checkpoints(const TorchContext& context, StageId stage) {
  return {context.run.supernet(), std::string(to_string(stage))};
}

std::string read_shared(const TorchContext& context, const std::filesystem::path& file) {
  return context.group.broadcast(context.group.rank() == 0 ? read_file(file) : "");
}

}  // namespace patchnas
