#include "deploy/reference/arena_executor.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "arch/base/error.h"
#include "deploy/reference/reference_kernels.h"
#include "memory_models/liveness.h"

namespace patchnas {
namespace {

// One tile of a segment; none outside segments.
struct Tile {
  const SegmentGeometry* segment = nullptr;
  int row = 0;
  int col = 0;
};

}  // namespace

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
    if (!executor_.image_is_streamed_) {
      fetch_image({});
    }
    auto segment = executor_.segments_.begin();
    for (int layer = 0; layer < network_.layer_count();) {
      if (segment != executor_.segments_.end() && segment->segment().first_layer == layer) {
        run_segment(*segment);
        layer = segment->segment().end_layer;
        ++segment;
      } else {
        run_layer_in({}, layer++);
      }
    }
    const OutputWindow output = window({}, network_.layer_count());
    return {output.bytes.begin(), output.bytes.end()};
  }

 private:
  void run_segment(const SegmentGeometry& segment) {
    for (int row = 0; row < segment.grid().rows; ++row) {
      for (int col = 0; col < segment.grid().cols; ++col) {
        const Tile tile{&segment, row, col};
        if (executor_.image_is_streamed_ && &segment == &executor_.segments_.front()) {
          fetch_image(tile);
        }
        for (int layer = segment.segment().first_layer; layer < segment.segment().end_layer;
             ++layer) {
          run_layer_in(tile, layer);
        }
      }
    }
  }

  void fetch_image(const Tile& tile) {
    const OutputWindow destination = window(tile, kImage);
    image_(destination.rect, destination.bytes);
  }

  // The rectangle of `tensor` that is in memory during `tile`.
  [[nodiscard]] Rect rect(const Tile& tile, TensorId tensor) const {
    if (tile.segment != nullptr) {
      const Segment& segment = tile.segment->segment();
      if (tensor > segment.first_layer && tensor <= segment.end_layer) {
        return tile.segment->tile(tensor - 1, tile.row, tile.col).window;
      }
      if (tensor == kImage && executor_.image_is_streamed_) {
        return tile.segment->external_read(kImage, tile.row, tile.col);
      }
    }
    return full_rect(network_.shape(tensor));
  }

  [[nodiscard]] std::span<std::int8_t> bytes_of(const ArenaBuffer& place) const {
    return arena_.subspan(static_cast<std::size_t>(place.offset_bytes),
                          static_cast<std::size_t>(place.size_bytes));
  }

  [[nodiscard]] OutputWindow window(const Tile& tile, TensorId tensor) const {
    const Rect held = rect(tile, tensor);
    const TensorShape& shape = network_.shape(tensor);
    const auto bytes = static_cast<std::size_t>(held.pixels() * shape.channels);
    const std::span<std::int8_t> place = bytes_of(executor_.plan_.tensor(tensor));
    if (bytes > place.size()) {
      throw std::logic_error("the arena plan gives tensor " + std::to_string(tensor) + " " +
                             std::to_string(place.size()) + " bytes, its window needs " +
                             std::to_string(bytes));
    }
    return {place.first(bytes), held, shape};
  }

  void run_layer_in(const Tile& tile, int layer) {
    if (dead_ == DeadBytes::kPoison) {
      poison_dead_bytes(layer);
    }
    const LayerContext context = layer_context(*executor_.network_, layer);
    const auto [first, second] = context.layer.inputs;
    const OutputWindow output = window(tile, layer + 1);
    const LayerTile step = tile.segment != nullptr
                               ? tile.segment->tile(layer, tile.row, tile.col)
                               : LayerTile{.computed = output.rect,
                                           .window = output.rect,
                                           .inputs = {full_rect(network_.shape(first)), Rect{}}};
    const auto readable = [](const OutputWindow& w) {
      return InputWindow{w.bytes, w.rect, w.shape};
    };
    const InputWindow input = readable(window(tile, first));
    const ArenaPlan& plan = executor_.plan_;
    if (const int scratch = plan.scratch_buffer[static_cast<std::size_t>(layer)];
        scratch != kNoBuffer) {
      // Both windows begin at the same byte.
      const std::span<std::int8_t> shared =
          arena_.subspan(static_cast<std::size_t>(plan.tensor(first).offset_bytes),
                         std::max(input.bytes.size(), output.bytes.size()));
      convolve_depthwise_in_place(context, shared, input.rect, input.shape, step.inputs[0],
                                  output.rect, step.computed,
                                  bytes_of(plan.buffers[static_cast<std::size_t>(scratch)]));
    } else {
      run_layer(context,
                {input, second == kNoTensor ? InputWindow{} : readable(window(tile, second))},
                output, step.computed);
    }
  }

  void poison_dead_bytes(int layer) {
    std::vector<char> live(arena_.size(), 0);
    for (const ArenaBuffer& b : executor_.plan_.buffers) {
      if (b.live_at(layer)) {
        std::fill_n(live.begin() + b.offset_bytes, b.size_bytes, char{1});
      }
    }
    for (std::size_t i = 0; i < arena_.size(); ++i) {
      if (live[i] == 0) {
        arena_[i] = static_cast<std::int8_t>(0x5A ^ (i + static_cast<std::size_t>(layer)));
      }
    }
  }

  const ArenaExecutor& executor_;
  const Network& network_;
  const ImageSource& image_;
  std::span<std::int8_t> arena_;
  DeadBytes dead_;
};

ArenaExecutor::ArenaExecutor(const QuantizedNetwork& network, const PatchSchedule& schedule,
                             InputMode input)
    : network_(&network) {
  validate(network.network, schedule);
  segments_ = segment_geometries(network.network, schedule);
  plan_ = plan_arena(network.network, schedule, input);
  image_is_streamed_ = Liveness(network.network, schedule, input).windowed_in(kImage) != nullptr;
}

std::vector<std::int8_t> ArenaExecutor::run(const ImageSource& image, std::span<std::int8_t> arena,
                                            DeadBytes dead) const {
  const auto needed = static_cast<std::size_t>(plan_.arena_bytes);
  if (arena.size() < needed) {
    throw InputError("the arena has " + std::to_string(arena.size()) + " bytes, the plan needs " +
                     std::to_string(needed));
  }
  return Run(*this, image, arena.first(needed), dead).run();
}

}  // namespace patchnas
