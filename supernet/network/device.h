#pragma once

// Where tensors live and how many threads compute.

#include <string_view>

#include <c10/core/Device.h>

namespace patchnas {

/// "cpu", "cuda", or "auto": CUDA where there is a usable device.
/// @param local_rank which of the machine's ranks asks: each has a CUDA device of its own, the only
/// one that it sees or the one of its number
/// @throws InputError for another name, for "cuda" without a usable device, or for more ranks than
/// devices.
c10::Device resolve_device(std::string_view name, int local_rank = 0);

/// Sets the number of computing threads of this process: results depend on it. 0 means the cores
/// that this process may use, divided by the processes that share them.
/// The fused kernels use them. LibTorch's own operators get one: on the CPU they do little here,
/// and OpenMP's threads would spin on the cores while they wait for more.
/// @return the number set
/// @throws InputError if it is negative.
int set_threads(int threads, int processes = 1);

}  // namespace patchnas
