#pragma once

// The last stage without LibTorch: a trained float network becomes int8 files and a report.

#include <filesystem>
#include <vector>

#include "arch/float_network.h"
#include "arch/patch_schedule.h"
#include "arch/quantized_network.h"
#include "memory_models/arena_plan.h"
#include "search/report/report.h"
#include "supernet/data/image_set.h"

namespace patchnas {

/// Answers of the integer reference.
struct Int8Answers {
  std::vector<std::int8_t> logits;  ///< [N, classes]
  double accuracy = 0.0;            ///< 0 to 1
};

/// stored_pixel() of images [begin, end), back to back.
std::vector<std::int8_t> stored_pixels(const ImageSet& images, int begin, int end);

/// Runs the integer reference over all images, in all threads of parallel.h, with a progress bar.
/// @param images of the network's input size
/// @throws InterruptedError after a stop signal.
Int8Answers run_int8(const QuantizedNetwork& network, const ImageSet& images);

/// Runs the first `count` images under `schedule`, inside an arena of exactly the bytes that the
/// memory model reports, and compares the logits with `answers`.
/// @throws Error if a single logit differs: the reported SRAM would not be enough.
ArenaCheck check_schedule(const QuantizedNetwork& network, const PatchSchedule& schedule,
                          InputMode input, const ImageSet& images, const Int8Answers& answers,
                          int count);

/// For checks with other runtimes: inputs.bin (int8, [N, H, W, C]), outputs.bin (int8 logits of the
/// integer reference, [N, classes]) and labels.bin (int32, [N]) of the first `count` images.
void dump_images(const std::filesystem::path& folder, const ImageSet& images,
                 const Int8Answers& answers, int count);

}  // namespace patchnas
