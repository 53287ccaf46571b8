#pragma once

// Where tensors live.

#include <string_view>

#include <c10/core/Device.h>

namespace patchnas {

/// "cpu", "cuda", or "auto": CUDA where there is a usable device.
/// @param local_rank which of the machine's ranks asks: each has a CUDA device of its own, the only
/// one that it sees or the one of its number
/// @throws InputError for another name, for "cuda" without a usable device, or for more ranks than
/// devices.
c10::Device resolve_device(std::string_view name, int local_rank = 0);

}  // namespace patchnas
