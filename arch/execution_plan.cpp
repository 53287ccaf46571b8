#include "arch/execution_plan.h"

#include <algorithm>

#include "runtime/scratch.h"

namespace patchnas {
namespace {

// Of the largest window over all tiles where the layer runs in a segment, else of the whole.
std::int64_t held_pixels(const Network& network, TensorId tensor, const SegmentGeometry* geometry) {
  return geometry != nullptr ? geometry->largest_window_pixels(tensor)
                             : network.shape(tensor).pixels();
}

bool windows_agree(const SegmentGeometry& geometry, TensorId a, TensorId b) {
  const auto agree = [&](Axis axis, int count) {
    for (int i = 0; i < count; ++i) {
      if (geometry.span(axis, a - 1, i).window != geometry.span(axis, b - 1, i).window) {
        return false;
      }
    }
    return true;
  };
  return agree(Axis::kRows, geometry.grid().rows) && agree(Axis::kCols, geometry.grid().cols);
}

// The input that the layer's kernel could write over: a depthwise layer's only input, or an addend
// with the same window; in each case only if nothing reads it later, never the image, which is the
// caller's, and never a tile's window for the whole tensor or the other way round.
int dying_input(const Layer& layer, const NetworkTaps& taps, int index,
                const SegmentGeometry* geometry) {
  const InPlace rule = operator_facts(layer.kind).in_place;
  if (rule == InPlace::kNever) {
    return -1;
  }
  const TensorId output = index + 1;
  if (geometry != nullptr && geometry->materialised(output)) {
    return -1;
  }
  for (int j = 0; j < layer.input_count(); ++j) {
    const TensorId input = layer.inputs[static_cast<std::size_t>(j)];
    if (input == kImage || taps.last_reader(input) != index) {
      continue;
    }
    if (geometry == nullptr ||
        (input > geometry->segment().first_layer &&
         (rule != InPlace::kEqualWindow || windows_agree(*geometry, input, output)))) {
      return j;
    }
  }
  return -1;
}

// What writing over an input costs and saves: in place if the scratch is less than the pixels times
// the channels.
struct InPlaceTerms {
  int input = 0;
  std::int64_t scratch_bytes = 0;
  std::int64_t saved_pixels = 0;

  [[nodiscard]] bool pays(int channels) const { return scratch_bytes < saved_pixels * channels; }
};

std::optional<InPlaceTerms> in_place_terms(const Network& network, const NetworkTaps& taps,
                                           int layer, const SegmentGeometry* geometry) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const int dying = dying_input(l, taps, layer, geometry);
  if (dying < 0) {
    return std::nullopt;
  }
  // Of the largest tile, whose window is what it computes.
  const int rows =
      geometry != nullptr ? geometry->largest_computed(Axis::kRows, layer) : l.output.height;
  const int cols =
      geometry != nullptr ? geometry->largest_computed(Axis::kCols, layer) : l.output.width;
  const TensorId under = l.inputs[static_cast<std::size_t>(dying)];
  InPlaceTerms terms{.input = dying};
  terms.saved_pixels = std::min(held_pixels(network, under, geometry), std::int64_t{rows} * cols);
  if (operator_facts(l.kind).in_place == InPlace::kWithScratch) {
    terms.scratch_bytes = patchnas_depthwise_scratch_bytes(
        rows, cols, l.kernel.height, l.kernel.width, l.kernel.stride_h, l.kernel.stride_w);
  }
  return terms;
}

}  // namespace

std::string_view to_string(InputMode input) {
  return input == InputMode::kResident ? "resident" : "streamed";
}

std::vector<Tile> tiles(const Loop& loop) {
  std::vector<Tile> result;
  for (int row = 0; row < loop.grid().rows; ++row) {
    for (int col = 0; col < loop.grid().cols; ++col) {
      result.push_back({.loop = &loop, .row = row, .col = col});
    }
  }
  return result;
}

std::optional<int> least_channels_in_place(const Network& network, const NetworkTaps& taps,
                                           int layer, const SegmentGeometry* geometry) {
  const std::optional<InPlaceTerms> terms = in_place_terms(network, taps, layer, geometry);
  if (!terms || terms->saved_pixels == 0) {
    return std::nullopt;
  }
  return static_cast<int>(terms->scratch_bytes / terms->saved_pixels) + 1;
}

bool is_in_place(const Network& network, const NetworkTaps& taps, int layer,
                 const SegmentGeometry* geometry) {
  const std::optional<InPlaceTerms> terms = in_place_terms(network, taps, layer, geometry);
  return terms && terms->pays(network.layers[static_cast<std::size_t>(layer)].output.channels);
}

Step step_of(const Network& network, const NetworkTaps& taps, int layer,
             const SegmentGeometry* geometry) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  Step step{.first_layer = layer,
            .end_layer = layer + 1,
            .kernel = kernel_function(l, false),
            .inputs = l.inputs,
            .output = layer + 1,
            .runs = geometry == nullptr || geometry->computed_pixels(layer) > 0};
  if (const std::optional<InPlaceTerms> terms = in_place_terms(network, taps, layer, geometry)) {
    step.dying_input = terms->input;
    if (terms->pays(l.output.channels)) {
      step.kernel = kernel_function(l, true);
      step.overlap.input = terms->input;
      step.scratch_bytes = terms->scratch_bytes;
    }
  }
  return step;
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
  if (const std::optional<int> loop = this->tensor(kImage).loop) {
    loops_[static_cast<std::size_t>(*loop)].fetches_image = true;
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
  const int last_reader = taps.last_reader(tensor);
  held.first_step = tensor == kImage ? 0 : step_of_layer(tensor - 1);
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
  } else {
    if (loop.geometry && tensor != kImage) {
      held.first_step = loop.first_step;
    }
    if (const Loop& reader = loop_of(held.last_step); reader.geometry) {
      held.last_step = reader.end_step - 1;
    }
  }
  held.bytes = pixels * held.shape.channels;
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
      return geometry.external_read(tensor, tile.row, tile.col);
    }
  }
  return full_rect(held.shape);
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
