#pragma once

// The integer reference under a patch schedule, inside the memory that memory_models plans for it:
// one arena, every tensor at its offset, the steps of arch/execution_plan.h.
//
//   const ArenaExecutor executor(network, schedule, InputMode::kStreamed);
//   std::vector<std::int8_t> arena(executor.plan().arena_bytes);
//   std::vector<std::int8_t> logits = executor.run(image_source(image, network.network.input),
//   arena);

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "arch/quantized_network.h"
#include "deploy/reference/tensor_window.h"
#include "memory_models/arena_plan.h"

namespace patchnas {

/// Fills `destination`, [rect.rows, rect.cols, C], with that rectangle of the image.
using ImageSource = std::function<void(const Rect& rect, std::span<std::int8_t> destination)>;

/// Serves rectangles of a whole image [H, W, C], which must outlive the source.
ImageSource image_source(std::span<const std::int8_t> image, const TensorShape& shape);

/// What happens to bytes of the arena that hold nothing live: kPoison overwrites them before every
/// layer, so that a plan that frees or shares too early shows.
enum class DeadBytes { kKeep, kPoison };

class ArenaExecutor {
 public:
  /// `network` must outlive the executor. @throws InputError if the schedule does not fit the
  /// network.
  ArenaExecutor(const QuantizedNetwork& network, const PatchSchedule& schedule, InputMode input);

  [[nodiscard]] const ArenaPlan& plan() const { return arena_plan_; }

  /// The network's outputs, one after the other. A resident image is asked for once, whole; a
  /// streamed one as each tile needs it. `arena` has plan().arena_bytes bytes and may hold
  /// anything. Safe to call from several threads, each with its own arena.
  /// @param further_inputs of a network that has more than the image, one after the other
  /// @throws InputError if the arena is too small, or further inputs have another size.
  std::vector<std::int8_t> run(const ImageSource& image, std::span<std::int8_t> arena,
                               DeadBytes dead = DeadBytes::kKeep,
                               std::span<const std::int8_t> further_inputs = {}) const;

 private:
  class Run;

  const QuantizedNetwork* network_;
  ExecutionPlan plan_;
  ArenaPlan arena_plan_;
};

}  // namespace patchnas
