#include "supernet/network/device.h"

#include <string>

#include <torch/torch.h>

#include "arch/base/error.h"

namespace patchnas {

c10::Device resolve_device(std::string_view name, int local_rank) {
  if (name == "cpu") {
    return c10::kCPU;
  }
  if (name != "cuda" && name != "auto") {
    throw InputError("device: " + std::string(name) + " is not one of auto, cpu, cuda");
  }
  if (torch::cuda::is_available()) {
    const int devices = static_cast<int>(torch::cuda::device_count());
    const int index = devices == 1 ? 0 : local_rank;
    if (index >= devices) {
      throw InputError("device: rank " + std::to_string(local_rank) + " of this machine needs a " +
                       "CUDA device of its own, and there are " + std::to_string(devices));
    }
    return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)};
  }
  if (name == "cuda") {
    throw InputError(
        "device: cuda asked for, but this LibTorch finds no usable CUDA device; allowed here are "
        "auto and cpu");
  }
  return c10::kCPU;
}

}  // namespace patchnas
