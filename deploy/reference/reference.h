#pragma once

// Front door of deploy/reference/: the integer reference on the host, layer by layer and inside the
// arena of a schedule.
//
//   const std::vector<std::int8_t> logits = run_layer_by_layer(network, image);
//   const ArenaExecutor executor(network, schedule, InputMode::kStreamed);
//   std::vector<std::int8_t> arena(executor.plan().arena_bytes);
//   executor.run(image_source(image, network.network.input), arena) == logits;

#include "deploy/reference/arena_executor.h"      // IWYU pragma: export
#include "deploy/reference/class_scores.h"        // IWYU pragma: export
#include "deploy/reference/end_numbers.h"         // IWYU pragma: export
#include "deploy/reference/input_pixels.h"        // IWYU pragma: export
#include "deploy/reference/litert_arithmetic.h"   // IWYU pragma: export
#include "deploy/reference/reference_executor.h"  // IWYU pragma: export
