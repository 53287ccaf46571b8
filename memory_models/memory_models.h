#pragma once

// Front door of memory_models/: bytes of SRAM and flash that a network needs under a patch
// schedule.
//
//   MemoryReport report = memory_report(network, schedule, MemoryModel::kDeployed,
//   InputMode::kStreamed); if (report.peak_sram_bytes > limit) reject();

#include <compare>
#include <cstdint>
#include <string_view>
#include <vector>

#include "memory_models/arena_plan.h"   // IWYU pragma: export
#include "memory_models/flash_model.h"  // IWYU pragma: export

namespace patchnas {

/// `deployed`: the arena of the exported program (arena_plan.h).
/// `mcunetv2`: the paper's accounting: each layer's input and output activations, residual inputs
/// while they are live, depthwise in place, a residual added as the projection before it writes (so
/// the two need one buffer), the patch stage's output throughout the patch stage; the image is not
/// counted.
/// `tflm`: what TensorFlow Lite Micro allocates for activations: every tensor with its lifetime,
/// nothing in place, sizes rounded up to 16 bytes, placed largest first; the image and the copies
/// that PAD operators make are counted, scratch is not. TensorFlow Lite Micro has no patches: under
/// a schedule these are the windows that such a planner would be given.
enum class MemoryModel { kDeployed, kMcunetV2, kTflm };
inline constexpr MemoryModel kMemoryModels[] = {MemoryModel::kDeployed, MemoryModel::kMcunetV2,
                                                MemoryModel::kTflm};

std::string_view to_string(MemoryModel model);

struct MemoryReport {
  std::int64_t peak_sram_bytes = 0;
  int peak_layer = 0;                     ///< first layer at which `layer_bytes` is largest
  std::vector<std::int64_t> layer_bytes;  ///< live bytes while each layer runs
  auto operator<=>(const MemoryReport&) const = default;
};

/// `input` matters to kDeployed only; the others state what they do with the image.
MemoryReport memory_report(const Network& network, const PatchSchedule& schedule, MemoryModel model,
                           InputMode input);

}  // namespace patchnas
