#include "deploy/reference/arena_executor.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "arch/base/error.h"
#include "deploy/reference/reference_kernels.h"

namespace patchnas {
ImageSource image_source(std::span<const std::int8_t> image, const TensorShape& shape) {
  return [source = InputWindow{image, full_rect(shape), shape}](
             const Rect& rect, std::span<std::int8_t> destination) {
    const auto row_bytes = static_cast<std::size_t>(rect.cols.size()) * source.shape.channels;
    for (int row = rect.rows.begin; row < rect.rows.end; ++row) {
      std::copy_n(
          source.pixel(row, rect.cols.begin), row_bytes,
          destination.begin() + static_cast<std::ptrdiff_t>(row_bytes) * (row - rect.rows.begin));
    }
  };
}

class ArenaExecutor::Run {
 public:
  Run(const ArenaExecutor& executor, const ImageSource& image, std::span<std::int8_t> arena,
      DeadBytes dead)
      : executor_(executor),
        network_(executor.network_->network),
        image_(image),
        arena_(arena),
        dead_(dead) {}

  std::vector<std::int8_t> run() {
    const ExecutionPlan& plan = executor_.plan_;
    if (!plan.tensor(kImage).loop) {
      fetch_image({});
    }
    for (const Loop& loop : plan.loops()) {
      for (const Tile& tile : tiles(loop)) {
        if (loop.fetches_image) {
          fetch_image(tile);
        }
        for (int step = loop.first_step; step < loop.end_step; ++step) {
          run_step(tile, step);
        }
      }
    }
    const OutputWindow output = window({}, network_.layer_count());
    return {output.bytes.begin(), output.bytes.end()};
  }

 private:
  void fetch_image(const Tile& tile) {
    const OutputWindow destination = window(tile, kImage);
    image_(destination.rect, destination.bytes);
  }

  [[nodiscard]] std::span<std::int8_t> bytes_of(const ArenaBuffer& place) const {
    return arena_.subspan(static_cast<std::size_t>(place.offset_bytes),
                          static_cast<std::size_t>(place.size_bytes));
  }

  [[nodiscard]] OutputWindow window(const Tile& tile, TensorId tensor) const {
    const Rect held = executor_.plan_.held(tensor, tile);
    const TensorShape& shape = network_.shape(tensor);
    const auto bytes = static_cast<std::size_t>(held.pixels() * shape.channels);
    const std::span<std::int8_t> place = bytes_of(executor_.arena_plan_.tensor(tensor));
    if (bytes > place.size()) {
      throw std::logic_error("the arena plan gives tensor " + std::to_string(tensor) + " " +
                             std::to_string(place.size()) + " bytes, its window needs " +
                             std::to_string(bytes));
    }
    return {place.first(bytes), held, shape};
  }

  void run_step(const Tile& tile, int index) {
    if (dead_ == DeadBytes::kPoison) {
      poison_dead_bytes(index);
    }
    const Step& step = executor_.plan_.step(index);
    const LayerContext context = layer_context(*executor_.network_, step.first_layer);
    const OutputWindow output = window(tile, step.output);
    const Rect computed = executor_.plan_.computed(index, tile);
    const auto readable = [&](TensorId tensor) {
      const OutputWindow w = window(tile, tensor);
      return InputWindow{w.bytes, w.rect, w.shape};
    };
    const InputWindow input = readable(step.inputs[0]);
    const ArenaPlan& arena_plan = executor_.arena_plan_;
    if (const int scratch = arena_plan.scratch_buffer[static_cast<std::size_t>(index)];
        scratch != kNoBuffer) {
      // Both windows begin at the same byte.
      const std::span<std::int8_t> shared =
          arena_.subspan(static_cast<std::size_t>(arena_plan.tensor(step.inputs[0]).offset_bytes),
                         std::max(input.bytes.size(), output.bytes.size()));
      convolve_depthwise_in_place(context, shared, input.rect, input.shape,
                                  executor_.plan_.read(index, 0, tile), output.rect, computed,
                                  bytes_of(arena_plan.buffers[static_cast<std::size_t>(scratch)]));
    } else {
      run_layer(context,
                {input, step.input_count() == 1 ? InputWindow{} : readable(step.inputs[1])}, output,
                computed);
    }
  }

  void poison_dead_bytes(int step) {
    std::vector<char> live(arena_.size(), 0);
    for (const ArenaBuffer& b : executor_.arena_plan_.buffers) {
      if (b.live_at(step)) {
        std::fill_n(live.begin() + b.offset_bytes, b.size_bytes, char{1});
      }
    }
    for (std::size_t i = 0; i < arena_.size(); ++i) {
      if (live[i] == 0) {
        arena_[i] = static_cast<std::int8_t>(0x5A ^ (i + static_cast<std::size_t>(step)));
      }
    }
  }

  const ArenaExecutor& executor_;
  const Network& network_;
  const ImageSource& image_;
  std::span<std::int8_t> arena_;
  DeadBytes dead_;
};

namespace {

ExecutionPlan valid_plan(const Network& network, const PatchSchedule& schedule, InputMode input) {
  validate(network, schedule);
  return {network, schedule, input};
}

}  // namespace

ArenaExecutor::ArenaExecutor(const QuantizedNetwork& network, const PatchSchedule& schedule,
                             InputMode input)
    : network_(&network),
      plan_(valid_plan(network.network, schedule, input)),
      arena_plan_(plan_arena(plan_)) {}

std::vector<std::int8_t> ArenaExecutor::run(const ImageSource& image, std::span<std::int8_t> arena,
                                            DeadBytes dead) const {
  const auto needed = static_cast<std::size_t>(arena_plan_.arena_bytes);
  if (arena.size() < needed) {
    throw InputError("the arena has " + std::to_string(arena.size()) + " bytes, the plan needs " +
                     std::to_string(needed));
  }
  return Run(*this, image, arena.first(needed), dead).run();
}

}  // namespace patchnas
