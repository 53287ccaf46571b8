#include "arch/execution_plan.h"

#include <algorithm>

#include "arch/shareable_bytes.h"
#include "runtime/scratch.h"

namespace patchnas {
namespace {

bool windows_agree(const SegmentGeometry& geometry, TensorId a, TensorId b) {
  const auto agree = [&](Axis axis, int count) {
    for (int i = 0; i < count; ++i) {
      if (!same_positions(geometry.span(axis, a - 1, i).window,
                          geometry.span(axis, b - 1, i).window)) {
        return false;
      }
    }
    return true;
  };
  return agree(Axis::kRows, geometry.grid().rows) && agree(Axis::kCols, geometry.grid().cols);
}

// Whether, of cached rows, the output finds room in every tile over those rows of its input's
// window that no later tile reads.
bool fits_over_dying_rows(const SegmentGeometry& geometry, TensorId input, TensorId output) {
  if (geometry.keeps_rows(output)) {
    return false;
  }
  for (int row = 0; row < geometry.grid().rows; ++row) {
    const Interval rows = geometry.span(Axis::kRows, input - 1, row).window;
    const Interval kept = geometry.kept_rows(input, row);
    const int dying = (kept.empty() ? rows.end : kept.begin) - rows.begin;
    const int computed = geometry.span(Axis::kRows, output - 1, row).window.size();
    for (int col = 0; col < geometry.grid().cols; ++col) {
      const int width = geometry.span(Axis::kCols, input - 1, col).window.size();
      const int computed_width = geometry.span(Axis::kCols, output - 1, col).window.size();
      if (std::int64_t{computed} * computed_width > std::int64_t{dying} * width) {
        return false;
      }
    }
  }
  return true;
}

// Whether the kernel may write over a window of its input in every tile.
bool may_write_over(const SegmentGeometry& geometry, InPlace rule, TensorId input,
                    TensorId output) {
  if (input <= geometry.segment().first_layer) {
    return false;
  }
  if (rule == InPlace::kEqualWindow) {
    return windows_agree(geometry, input, output) && !geometry.keeps_rows(input);
  }
  return !geometry.caches_rows() || fits_over_dying_rows(geometry, input, output);
}

// Whether the layer writes into the tensor that it goes on with: not in patches, which hold another
// window of it, and not from inside a segment into what is outside.
bool goes_on(const NetworkTaps& taps, int layer, const SegmentGeometry* geometry) {
  const TensorId tensor = taps.continued_tensor(layer);
  return tensor != kNoTensor && (geometry == nullptr || (geometry->caches_rows() &&
                                                         tensor > geometry->segment().first_layer));
}

// Whether the layer's kernel could write over the input `j`, if nothing reads that later: a
// depthwise layer over its only input, or what computes position by position over an input with the
// same window; in each case only if rows of the output are no longer, never an input of the
// network, which is the caller's, and never a tile's window for the whole tensor or the other way
// round.
bool may_take_place(const Layer& layer, const NetworkTaps& taps, int index, int j,
                    const SegmentGeometry* geometry) {
  const OperatorFacts& facts = operator_facts(layer.kind);
  const InPlace rule = facts.in_place;
  const TensorId input = layer.inputs[static_cast<std::size_t>(j)];
  const TensorId output = index + 1;
  const AxisTaps& cols = taps.taps(Axis::kCols, index);
  if (!may_overwrite(layer, j) || input < taps.input_count()) {
    return false;
  }
  if (facts.reads == Reads::kAnywhere) {
    return true;
  }
  return cols.output <= cols.input &&
         (geometry == nullptr ||
          (!geometry->materialised(output) && may_write_over(*geometry, rule, input, output)));
}

// A pointwise layer writes over an input that dies with it, as near in front as its kernel allows,
// where both hold the same pixels and no rows of an earlier tile; never an input of the network.
Overlap over_dying_input(const Network& network, const NetworkTaps& taps, int index,
                         const SegmentGeometry* geometry) {
  const Layer& layer = network.layers[static_cast<std::size_t>(index)];
  const TensorId input = layer.inputs[0];
  const TensorId output = index + 1;
  if (kernel_function(layer) != KernelFunction::kPointwise || input < taps.input_count()) {
    return {};
  }
  std::int64_t pixels = layer.output.pixels();
  if (geometry != nullptr) {
    if (geometry->materialised(output) || geometry->keeps_rows(output) ||
        !may_write_over(*geometry, InPlace::kEqualWindow, input, output)) {
      return {};
    }
    pixels = geometry->largest_window_pixels(output);
  }
  const std::int64_t distance = patchnas_pointwise_distance_bytes(
      pixels, network.shape(input).channels, layer.output.channels);
  if (distance >= pixels * layer.output.channels) {
    return {};
  }
  return {.tensor = input, .distance_bytes = -distance, .may_lie_apart = true};
}

// Of the largest tile.
std::int64_t scratch_bytes(const Layer& layer, int index, const SegmentGeometry* geometry) {
  if (operator_facts(layer.kind).in_place != InPlace::kWithScratch) {
    return 0;
  }
  const int rows =
      geometry != nullptr ? geometry->largest_computed(Axis::kRows, index) : layer.output.height;
  const int cols =
      geometry != nullptr ? geometry->largest_computed(Axis::kCols, index) : layer.output.width;
  const Kernel& k = layer.kernel;
  return patchnas_depthwise_scratch_bytes(rows, cols, k.height, k.width, k.stride_h, k.stride_w);
}

}  // namespace

std::string_view to_string(InputMode input) {
  return input == InputMode::kResident ? "resident" : "streamed";
}

std::vector<Tile> tiles(const Loop& loop) {
  std::vector<Tile> result;
  const TileGrid grid = loop.grid();
  for (int i = 0; i < grid.rows * grid.cols; ++i) {
    result.push_back(loop.caches_rows()
                         ? Tile{.loop = &loop, .row = i % grid.rows, .col = i / grid.rows}
                         : Tile{.loop = &loop, .row = i / grid.cols, .col = i % grid.cols});
  }
  return result;
}

KernelFunction part_kernel(const Layer& layer) {
  return layer.kind == LayerKind::kFullyConnected ? KernelFunction::kSumProducts
                                                  : KernelFunction::kSumPixels;
}

KernelFunction sum_kernel(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kFullyConnected:
      return KernelFunction::kConnectedOfSums;
    case LayerKind::kMean:
      return KernelFunction::kMeanOfSums;
    default:
      return KernelFunction::kAverageOfSums;
  }
}

Step step_of(const Network& network, const NetworkTaps& taps, int layer,
             const SegmentGeometry* geometry) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  Step step{.first_layer = layer,
            .end_layer = layer + 1,
            .kernel = kernel_function(l),
            .inputs = l.inputs,
            .output = layer + 1,
            .scratch_bytes = scratch_bytes(l, layer, geometry),
            .runs = l.kind != LayerKind::kInput &&
                    (geometry == nullptr || geometry->computed_pixels(layer) > 0)};
  if (geometry != nullptr && geometry->adds_up() && layer == geometry->segment().end_layer - 1) {
    step.adds_up = true;
    step.part_kernel = part_kernel(l);
    step.kernel = sum_kernel(l);
    step.scratch_bytes = l.output.channels * std::int64_t{sizeof(std::int32_t)};
  }
  for (int asked = goes_on(taps, layer, geometry) ? 0 : l.input_count(); asked-- > 0;) {
    const int j = by_age(l.inputs, asked);
    const TensorId input = l.inputs[static_cast<std::size_t>(j)];
    if (taps.last_reader(input) == layer && may_take_place(l, taps, layer, j, geometry)) {
      step.dying_input = j;
      step.instead = step.overlap.tensor;
      step.overlap.tensor = input;
    }
  }
  step.may_move = operator_facts(l.kind).computes_by_element() && l.input_count() == 2 &&
                  step.dying_input >= 0 && (geometry == nullptr || !geometry->caches_rows());
  if (!step.may_move) {
    step.instead = kNoTensor;
  }
  if (step.dying_input < 0 && !l.writes_part() && taps.last_reader(l.inputs[0]) == layer) {
    step.overlap = over_dying_input(network, taps, layer, geometry);
  }
  return step;
}

std::int64_t shareable_bytes(const Network& network, const NetworkTaps& taps, int layer,
                             int input) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const std::int64_t before = network.shape(l.inputs[static_cast<std::size_t>(input)]).elements();
  const std::int64_t after = l.output.elements();
  const bool is_continued =
      l.inputs[static_cast<std::size_t>(input)] == taps.continued_tensor(layer);
  if (is_continued || may_take_place(l, taps, layer, input, nullptr)) {
    return std::min(before, after);
  }
  const Overlap overlap =
      l.writes_part() ? Overlap{} : over_dying_input(network, taps, layer, nullptr);
  if (overlap.tensor == kNoTensor) {
    return 0;
  }
  const std::int64_t in_front = -overlap.distance_bytes;
  return before + after - (in_front + std::max(before, after - in_front));
}

ExecutionPlan::ExecutionPlan(const Network& network, const PatchSchedule& schedule, InputMode input)
    : input_(input) {
  const NetworkTaps taps(network);
  steps_.reserve(network.layers.size());
  loops_.reserve(2 * schedule.segments.size() + 1);
  for (const Segment& segment : schedule.segments) {
    add_loop(network, taps, nullptr, segment.first_layer);
    add_loop(network, taps, &segment, segment.end_layer);
  }
  add_loop(network, taps, nullptr, network.layer_count());
  tensors_.reserve(network.layers.size() + 1);
  for (TensorId tensor = 0; tensor < network.tensor_count(); ++tensor) {
    tensors_.push_back({.shape = network.shape(tensor)});
    hold(taps, tensor);
  }
  join_continued();
  if (const std::optional<int> loop = this->tensor(kImage).loop) {
    loops_[static_cast<std::size_t>(*loop)].fetches_image = true;
  }
  for (const Loop& loop : loops_) {
    if (loop.geometry) {
      write_over_consumed(taps, loop);
    }
  }
}

// From the last layer that has a step up to `end_layer`.
void ExecutionPlan::add_loop(const Network& network, const NetworkTaps& taps,
                             const Segment* segment, int end_layer) {
  const int first = static_cast<int>(steps_.size());
  if (first == end_layer) {
    return;
  }
  Loop& loop = loops_.emplace_back(Loop{.first_step = first, .end_step = end_layer});
  if (segment != nullptr) {
    loop.geometry.emplace();
    loop.geometry->assign(taps, *segment);
  }
  for (int layer = first; layer < end_layer; ++layer) {
    steps_.push_back(step_of(network, taps, layer, loop.geometry ? &*loop.geometry : nullptr));
  }
}

void ExecutionPlan::hold(const NetworkTaps& taps, TensorId tensor) {
  const auto loop_index = [&](int step) {
    return static_cast<int>(&loop_of(step) - loops_.data());
  };
  HeldTensor& held = tensors_[static_cast<std::size_t>(tensor)];
  const int layers = steps_.back().end_layer;
  const int next = taps.continuing_layer(tensor);
  held.bytes_of =
      next < layers && goes_on(taps, next, geometry_of(step_of_layer(next))) ? next + 1 : tensor;
  const int last_reader = taps.last_reader(tensor);
  held.first_step = tensor < taps.input_count() ? 0 : step_of_layer(tensor - 1);
  held.last_step =
      last_reader < tensor ? held.first_step : step_of_layer(std::min(last_reader, layers - 1));
  const Loop& loop = loop_of(held.first_step);
  const bool is_windowed =
      loop.geometry &&
      (tensor == kImage ? input_ == InputMode::kStreamed && loop.contains(held.last_step)
                        : !loop.geometry->materialised(tensor));
  std::int64_t pixels = held.shape.pixels();
  if (is_windowed) {
    held.loop = loop_index(held.first_step);
    pixels = loop.geometry->largest_window_pixels(tensor);
    if (loop.geometry->keeps_rows(tensor) && held.bytes_of == tensor) {
      held.first_step = loop.first_step;
      held.last_step = loop.end_step - 1;
      loops_[static_cast<std::size_t>(*held.loop)].slides.push_back(tensor);
    }
  } else {
    if (loop.geometry && tensor != kImage) {
      held.first_step = loop.first_step;
    }
    if (const Loop& reader = loop_of(held.last_step); reader.geometry) {
      held.last_step = reader.end_step - 1;
    }
  }
  held.bytes = held.bytes_of == tensor ? pixels * held.shape.channels : 0;
}

// What several layers write is kept from the first of them on.
void ExecutionPlan::join_continued() {
  for (TensorId tensor = tensor_count(); tensor-- > 0;) {
    HeldTensor& held = tensors_[static_cast<std::size_t>(tensor)];
    held.bytes_of = tensors_[static_cast<std::size_t>(held.bytes_of)].bytes_of;
    HeldTensor& owner = tensors_[static_cast<std::size_t>(held.bytes_of)];
    owner.first_step = std::min(owner.first_step, held.first_step);
  }
}

// A segment's output is written over what its tiles have consumed of the tensor that it reads, as
// close behind the first byte that a later one still reads as all of them allow. Distance 0 saves
// all that can be saved; of several strips the first writes to the end what the last reads from the
// beginning. Over a resident image write segments that cache rows; patches as published leave it.
void ExecutionPlan::write_over_consumed(const NetworkTaps& taps, const Loop& loop) {
  const TensorId input = loop.geometry->segment().first_layer;
  const TensorId output = loop.geometry->segment().end_layer;
  const HeldTensor& from = tensor(input);
  const int last = loop.end_step - 1;
  Step& writer = steps_[static_cast<std::size_t>(last)];
  const bool may_consume =
      input != kImage || (input_ == InputMode::kResident && loop.caches_rows());
  const int layers = steps_.back().end_layer;
  const bool dies = from.last_step == last && taps.last_reader(input) < layers;
  if (!may_consume || !dies || writer.adds_up || (loop.caches_rows() && loop.grid().cols > 1)) {
    return;
  }
  // Of cached rows the whole row counts, from its first column on.
  const auto first_byte = [&loop](const Rect& rect, const TensorShape& shape) {
    const int col = loop.caches_rows() ? 0 : rect.cols.begin;
    return (std::int64_t{rect.rows.begin} * shape.width + col) * shape.channels;
  };
  const auto end_byte = [](const Rect& rect, const TensorShape& shape) {
    return (std::int64_t{rect.rows.end - 1} * shape.width + rect.cols.end) * shape.channels;
  };
  std::int64_t distance = 0;
  std::int64_t needed = from.bytes;  // the first byte of the input that is read from here on
  const auto read_by = [&](int step, const Tile& tile) {
    for (int i = 0; i < this->step(step).input_count(); ++i) {
      const Rect rect = read(step, i, tile);
      if (this->step(step).inputs[static_cast<std::size_t>(i)] == input && rect.pixels() > 0) {
        needed = std::min(needed, first_byte(rect, from.shape));
      }
    }
  };
  const std::vector<Tile> order = tiles(loop);
  const bool reads_before_it_writes = operator_facts(writer.kernel).computes_by_element();
  // Then others of its steps write before the last does.
  const bool is_continued = goes_on(taps, output - 1, &*loop.geometry);
  for (auto tile = order.rbegin(); tile != order.rend(); ++tile) {
    if (!reads_before_it_writes) {
      read_by(last, *tile);
    }
    for (int step = loop.first_step; is_continued && step < last; ++step) {
      read_by(step, *tile);
    }
    if (const Rect rect = computed(last, *tile); rect.pixels() > 0 && needed < from.bytes) {
      distance = std::min(distance, needed - end_byte(rect, tensor(output).shape));
    }
    for (int step = loop.first_step; step <= last; ++step) {
      read_by(step, *tile);
    }
  }
  if (distance + tensor(output).bytes > 0) {
    writer.overlap = {.tensor = input, .distance_bytes = distance, .may_lie_apart = true};
  }
}

const Loop& ExecutionPlan::loop_of(int step) const {
  return *std::find_if(loops_.begin(), loops_.end(),
                       [&](const Loop& loop) { return loop.contains(step); });
}

int ExecutionPlan::step_of_layer(int layer) const {
  const auto after = std::upper_bound(steps_.begin(), steps_.end(), layer,
                                      [](int l, const Step& step) { return l < step.first_layer; });
  return static_cast<int>(after - steps_.begin()) - 1;
}

Rect ExecutionPlan::held(TensorId tensor, const Tile& tile) const {
  const HeldTensor& held = this->tensor(tensor);
  if (tile.loop != nullptr && tile.loop->geometry) {
    const SegmentGeometry& geometry = *tile.loop->geometry;
    if (tensor > geometry.segment().first_layer && tensor <= geometry.segment().end_layer) {
      return geometry.tile(tensor - 1, tile.row, tile.col).window;
    }
    if (held.loop) {
      return geometry.external_window(tensor, tile.row, tile.col);
    }
  }
  return full_rect(held.shape);
}

Rect ExecutionPlan::kept(TensorId tensor, const Tile& tile) const {
  return {tile.loop->geometry->kept_rows(tensor, tile.row), held(tensor, tile).cols};
}

Rect ExecutionPlan::fetched(const Tile& tile) const {
  return tile.loop->geometry->external_new(kImage, tile.row, tile.col);
}

bool ExecutionPlan::runs(int step, const Tile& tile) const {
  const Rect rect = this->step(step).adds_up ? read(step, 0, tile) : computed(step, tile);
  return this->step(step).runs && rect.pixels() > 0;
}

Rect ExecutionPlan::computed(int step, const Tile& tile) const {
  const Step& s = this->step(step);
  return tile.loop != nullptr && tile.loop->geometry
             ? tile.loop->geometry->tile(s.end_layer - 1, tile.row, tile.col).computed
             : full_rect(tensor(s.output).shape);
}

Rect ExecutionPlan::read(int step, int input, const Tile& tile) const {
  const Step& s = this->step(step);
  const auto i = static_cast<std::size_t>(input);
  return tile.loop != nullptr && tile.loop->geometry
             ? tile.loop->geometry->tile(s.first_layer, tile.row, tile.col).inputs[i]
             : full_rect(tensor(s.inputs[i]).shape);
}

}  // namespace patchnas
