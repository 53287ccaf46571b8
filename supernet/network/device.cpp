#include "supernet/network/device.h"

#include <algorithm>
#include <string>
#include <thread>

#include <opencv2/core.hpp>
#include <sched.h>
#include <torch/torch.h>

#include "arch/base/error.h"
#include "arch/base/parallel.h"

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

namespace {

/// A launcher may have given each process cores of its own.
int own_cores(int processes) {
  const int all = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) < all) {
    return CPU_COUNT(&allowed);
  }
  return std::max(1, all / processes);
}

}  // namespace

int set_threads(int threads, int processes) {
  if (threads < 0) {
    throw InputError("threads: " + std::to_string(threads) + " is not 0 (all cores) or more");
  }
  const int count = threads == 0 ? own_cores(processes) : threads;
  set_thread_count(count);
  at::set_num_threads(1);
  cv::setNumThreads(1);
  return count;
}

}  // namespace patchnas
