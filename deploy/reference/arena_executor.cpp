#include "deploy/reference/arena_executor.h"

#include <algorithm>
#include <cstring>
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
  Run(const ArenaExecutor& executor, const ImageSource& image,
      std::span<const std::int8_t> further_inputs, std::span<std::int8_t> arena, DeadBytes dead)
      : executor_(executor),
        network_(executor.network_->network),
        image_(image),
        further_inputs_(further_inputs),
        arena_(arena),
        dead_(dead) {}

  std::vector<std::int8_t> run() {
    const ExecutionPlan& plan = executor_.plan_;
    if (!plan.tensor(kImage).loop) {
      fetch_image({}, full_rect(network_.input));
    }
    copy_further_inputs();
    for (const Loop& loop : plan.loops()) {
      for (int step = loop.first_step; step < loop.end_step; ++step) {
        if (plan.step(step).adds_up) {
          const std::span<std::int8_t> sums = scratch(step);
          std::fill(sums.begin(), sums.end(), std::int8_t{0});
        }
      }
      for (const Tile& tile : tiles(loop)) {
        if (loop.fetches_image) {
          fetch_image(tile, plan.fetched(tile));
        }
        for (int step = loop.first_step; step < loop.end_step; ++step) {
          if (plan.runs(step, tile)) {
            run_step(tile, step);
          }
        }
        for (const TensorId tensor : loop.slides) {
          slide(tile, tensor);
        }
      }
    }
    std::vector<std::int8_t> outputs;
    for (const TensorId tensor : network_.output_tensors()) {
      const OutputWindow output = window({}, tensor);
      outputs.insert(outputs.end(), output.bytes.begin(), output.bytes.end());
    }
    return outputs;
  }

 private:
  [[nodiscard]] std::span<std::int8_t> scratch(int step) const {
    const ArenaPlan& plan = executor_.arena_plan_;
    const int buffer = plan.scratch_buffer[static_cast<std::size_t>(step)];
    return bytes_of(plan.buffers[static_cast<std::size_t>(buffer)]);
  }

  void copy_further_inputs() const {
    std::span<const std::int8_t> rest = further_inputs_;
    for (TensorId tensor = 1; tensor < network_.input_count(); ++tensor) {
      const std::span<std::int8_t> bytes = window({}, tensor).bytes;
      std::copy_n(rest.begin(), bytes.size(), bytes.begin());
      rest = rest.subspan(bytes.size());
    }
  }

  // Whole rows of the window.
  void fetch_image(const Tile& tile, const Rect& rect) {
    if (rect.pixels() > 0) {
      const OutputWindow held = window(tile, kImage);
      image_(rect, rows_of(held, rect));
    }
  }

  void slide(const Tile& tile, TensorId tensor) {
    const OutputWindow held = window(tile, tensor);
    const std::span<std::int8_t> kept = rows_of(held, executor_.plan_.kept(tensor, tile));
    std::memmove(held.bytes.data(), kept.data(), kept.size());
  }

  // What lies side by side: the rectangle has the columns that the window has.
  static std::span<std::int8_t> rows_of(const OutputWindow& window, const Rect& rect) {
    const std::size_t row_bytes = static_cast<std::size_t>(rect.cols.size()) *
                                  static_cast<std::size_t>(window.shape.channels);
    return window.bytes.subspan(
        row_bytes * static_cast<std::size_t>(rect.rows.begin - window.rect.rows.begin),
        row_bytes * static_cast<std::size_t>(rect.rows.size()));
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
    if (step.adds_up) {
      add_up(tile, index, input, output);
    } else if (step.scratch_bytes > 0 && step.dying_input >= 0) {
      // Both windows begin at the same byte.
      const std::int64_t begin = executor_.arena_plan_.tensor(step.inputs[0]).offset_bytes;
      const std::span<std::int8_t> shared = arena_.subspan(
          static_cast<std::size_t>(begin), std::max(input.bytes.size(), output.bytes.size()));
      convolve_depthwise_in_place(context, shared, input.rect, input.shape,
                                  executor_.plan_.read(index, 0, tile), output.rect, computed,
                                  scratch(index));
    } else {
      run_layer(context,
                {input, step.input_count() == 1 ? InputWindow{} : readable(step.inputs[1])}, output,
                computed);
    }
  }

  // The sums lie in the arena, which need not be aligned here.
  void add_up(const Tile& tile, int index, const InputWindow& input, const OutputWindow& output) {
    const std::span<std::int8_t> bytes = scratch(index);
    std::vector<std::int32_t> sums(bytes.size() / sizeof(std::int32_t));
    std::memcpy(sums.data(), bytes.data(), bytes.size());
    const LayerContext context =
        layer_context(*executor_.network_, executor_.plan_.step(index).first_layer);
    add_to_sums(context, input, executor_.plan_.read(index, 0, tile), sums);
    std::memcpy(bytes.data(), sums.data(), bytes.size());
    if (executor_.plan_.computed(index, tile).pixels() > 0) {
      finish_sums(context, sums, static_cast<int>(input.shape.pixels()), output);
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
  std::span<const std::int8_t> further_inputs_;
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
                                            DeadBytes dead,
                                            std::span<const std::int8_t> further_inputs) const {
  const Network& shapes = network_->network;
  const auto further = static_cast<std::size_t>(shapes.input_elements() - shapes.input.elements());
  if (further_inputs.size() != further) {
    throw InputError("further inputs have " + std::to_string(further_inputs.size()) +
                     " bytes, the network reads " + std::to_string(further));
  }
  const auto needed = static_cast<std::size_t>(arena_plan_.arena_bytes);
  if (arena.size() < needed) {
    throw InputError("the arena has " + std::to_string(arena.size()) + " bytes, the plan needs " +
                     std::to_string(needed));
  }
  return Run(*this, image, further_inputs, arena.first(needed), dead).run();
}

}  // namespace patchnas
