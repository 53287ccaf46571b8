#pragma once

// Where tensors live and how many threads compute.

#include <string_view>

#include <c10/core/Device.h>

namespace patchnas {

/// "cpu", "cuda", or "auto": CUDA where there is a usable device.
/// @throws InputError for another name, or for "cuda" without a usable device.
c10::Device resolve_device(std::string_view name);

/// Sets the number of computing threads of this process: results depend on it. 0 means all cores.
/// The fused kernels use them. LibTorch's own operators get one: on the CPU they do little here,
/// and OpenMP's threads would spin on the cores while they wait for more.
/// @return the number set
/// @throws InputError if it is negative.
int set_threads(int threads);

}  // namespace patchnas
