#include "memory_models/segment_bytes.h"

#include <algorithm>
#include <limits>

#include "arch/operator_table.h"
#include "memory_models/arena_plan.h"
#include "runtime/scratch.h"

namespace patchnas {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

void SegmentBytes::assign() {
  const Network& network = cuts_.network();
  elements_.clear();
  channels_.clear();
  for (TensorId tensor = 0; tensor < network.tensor_count(); ++tensor) {
    elements_.push_back(network.shape(tensor).elements());
    channels_.push_back(network.shape(tensor).channels);
  }
  is_pointwise_.clear();
  has_scratch_.clear();
  lies_apart_.clear();
  for (const Layer& layer : network.layers) {
    is_pointwise_.push_back(
        kernel_function(layer) == KernelFunction::kPointwise && !layer.writes_part() ? 1 : 0);
    const InPlace rule = operator_facts(layer.kind).in_place;
    has_scratch_.push_back(rule == InPlace::kWithScratch ? 1 : 0);
    lies_apart_.push_back(rule == InPlace::kNever && is_pointwise_.back() == 0 ? 1 : 0);
  }
  // What every step of a segment leaves where it is: what was computed before and is read later.
  const NetworkTaps& taps = cuts_.taps();
  live_.assign(at(cuts_.count()), 0);
  for (TensorId tensor = 0; tensor < network.tensor_count(); ++tensor) {
    const int first = tensor < taps.input_count() ? 0 : tensor;
    for (int cut = cuts_.cut(first);
         cut < cuts_.count() && cuts_.layer(cut) <= taps.last_reader(tensor); ++cut) {
      live_[at(cut)] += aligned(elements_[at(tensor)]);
    }
  }
}

std::int64_t SegmentBytes::bytes(const SegmentRows& rows, const SegmentColumns& columns, int first,
                                 int end, int strips, std::int64_t most_bytes) {
  const Network& network = cuts_.network();
  const NetworkTaps& taps = cuts_.taps();
  const int first_layer = first_layer_ = cuts_.layer(first);
  const int end_layer = cuts_.layer(end);
  const int count = end_layer - first_layer;
  const bool is_sum = cuts_.sums(first_layer, end_layer);
  held_.assign(at(count), {});
  change_.assign(at(count) + 1, 0);
  const TensorShape& input = network.shape(first_layer);
  const TensorShape& output = network.shape(end_layer);
  const bool input_dies =
      first_layer <= taps.last_reader(first_layer) && taps.last_reader(first_layer) < end_layer;
  const bool is_streamed = is_window_of_image(first_layer, end_layer);
  std::int64_t throughout = live_[at(first)];
  if (is_streamed) {
    throughout -= aligned(input.elements());
    hold(std::int64_t{rows.image_window} * columns.image_window * input.channels, first_layer,
         rows.keeps_image ? end_layer - 1 : taps.last_reader(kImage));
  }
  hold(throughout, first_layer, end_layer - 1);
  for (int l = first_layer; l + 1 < end_layer; ++l) {
    if (cuts_.is_written_on(l, end_layer)) {
      continue;  // the last one that writes holds it
    }
    const bool is_summed = is_sum && l + 2 == end_layer;
    const TensorShape& shape = network.shape(l + 1);
    const LayerRows& r = rows.at(l);
    const LayerColumns& c = columns.at(l);
    Held& held = held_[at(l - first_layer)];
    hold(scratch(l, rows, columns), l, l);
    if (taps.last_reader(l + 1) >= end_layer) {  // an output of the network, which is whole
      held = {.bytes = shape.elements(), .first_step = first_layer, .last_step = end_layer - 1};
      throughout += held.bytes;
      hold(held.bytes, held.first_step, held.last_step);
      continue;
    }
    held.keeps = r.keeps && !is_summed;
    held.bytes = std::int64_t{is_summed ? r.computed : r.window} * c.window * shape.channels;
    held.first_step = held.keeps ? first_layer : cuts_.first_writer(l);
    held.last_step = held.keeps ? end_layer - 1 : std::max(l, taps.last_reader(l + 1));
    throughout += held.keeps ? held.bytes : 0;
    if (throughout > most_bytes) {
      return std::numeric_limits<std::int64_t>::max();
    }
    hold(held.bytes, held.first_step, held.last_step);
    write_over_input(l, is_summed ? r.summed_over : r.over, c, held);
  }
  hold(output.elements(), first_layer, end_layer - 1);
  hold(scratch(end_layer - 1, rows, columns), end_layer - 1, end_layer - 1);
  if (is_sum) {
    hold(output.channels * std::int64_t{sizeof(std::int32_t)}, first_layer, end_layer - 1);
  } else if (strips == 1 && !is_streamed && input_dies) {
    const std::int64_t shared =
        std::min(input.elements(), rows.at(end_layer - 1).distance + output.elements());
    change_.front() -= aligned(std::max(std::int64_t{0}, shared));
  }
  std::int64_t live = 0;
  std::int64_t most = 0;
  for (int step = 0; step < count; ++step) {
    live += change_[at(step)];
    most = std::max(most, live);
  }
  return most;
}

// A step of several rows holds what each of them would, and at least its share of all rows; between
// two steps rows are kept if they are between that many single ones in a row. What is kept lies
// over nothing that is, and what is never written over anything lies apart.
std::int64_t SegmentBytes::least_bytes(const SegmentRows& one_row, const SegmentColumns& columns,
                                       int first, int end, int step_rows, int strips,
                                       std::int64_t most_bytes) const {
  const int first_layer = cuts_.layer(first);
  const int end_layer = cuts_.layer(end);
  const bool is_sum = cuts_.sums(first_layer, end_layer);
  const std::int64_t input = aligned(elements_[at(first_layer)]);
  const std::int64_t output = is_sum ? 0 : aligned(elements_[at(end_layer)]);
  std::int64_t throughout = live_[at(first)];
  throughout += strips == 1 ? std::max(std::int64_t{0}, output - input) : output;
  throughout -= is_window_of_image(first_layer, end_layer) ? input : 0;
  const int most_steps = 1 + (one_row.at(end_layer - 1).steps + step_rows - 2) / step_rows;
  std::int64_t largest = 0;
  for (int l = first_layer; l + 1 < end_layer && throughout + largest <= most_bytes; ++l) {
    if (cuts_.is_written_on(l, end_layer)) {
      continue;
    }
    const LayerRows& r = one_row.at(l);
    const bool is_summed = is_sum && l + 2 == end_layer;
    const int share = (r.total + most_steps - 1) / most_steps;
    const std::int64_t bytes = std::int64_t{std::max(share, is_summed ? r.computed : r.window)} *
                               columns.at(l).window * channels_[at(l + 1)];
    if (cuts_.taps().last_reader(l + 1) >= end_layer) {
      throughout += elements_[at(l + 1)];
    } else if (step_rows <= r.kept_steps && !is_summed) {
      throughout += bytes;
    } else if (lies_apart_[at(l)] != 0) {
      largest = std::max(largest, bytes);
    }
  }
  return throughout + largest;
}

int SegmentBytes::fewest_alike(const SegmentRows& one_row, int first, int end,
                               int step_rows) const {
  int fewest = 1;
  for (int l = cuts_.layer(first); l < cuts_.layer(end); ++l) {
    const int kept_steps = one_row.at(l).kept_steps;
    fewest = kept_steps < step_rows ? std::max(fewest, kept_steps + 1) : fewest;
  }
  return fewest;
}

void SegmentBytes::hold(std::int64_t bytes, int from, int to) {
  change_[at(from - first_layer_)] += aligned(bytes);
  change_[at(to - first_layer_) + 1] -= aligned(bytes);
}

std::int64_t SegmentBytes::scratch(int layer, const SegmentRows& rows,
                                   const SegmentColumns& columns) const {
  const Layer& l = cuts_.network().layers[at(layer)];
  return has_scratch_[at(layer)] != 0
             ? patchnas_depthwise_scratch_bytes(rows.at(layer).computed, columns.at(layer).computed,
                                                l.kernel.height, l.kernel.width, l.kernel.stride_h,
                                                l.kernel.stride_w)
             : 0;
}

bool SegmentBytes::lies_over_dying(int layer, const SegmentRows& rows,
                                   const SegmentColumns& columns, bool is_summed) const {
  const LayerRows& r = rows.at(layer);
  const bool keeps = r.keeps && !is_summed;
  return has_scratch_[at(layer)] != 0 && may_lie_over(layer, 0, rows.first_layer) && !keeps &&
         (is_summed ? r.summed_over : r.over).dying.fits(columns.at(layer).over_dying);
}

// Whether a kernel could write over the input, if its windows are such.
bool SegmentBytes::may_lie_over(int layer, int input, int first_layer) const {
  const TensorId tensor = cuts_.taps().inputs(layer)[at(input)];
  const AxisTaps& axis = cuts_.taps().taps(Axis::kCols, layer);
  return tensor > first_layer && may_overwrite(cuts_.network().layers[at(layer)], input) &&
         cuts_.taps().last_reader(tensor) == layer && axis.output <= axis.input;
}

// As the execution plan has it.
void SegmentBytes::write_over_input(int layer, const RoomOverInput& over,
                                    const LayerColumns& columns, Held& held) {
  if (is_pointwise_[at(layer)] != 0) {
    write_behind_input(layer, over, columns, held);
    return;
  }
  const Layer& l = cuts_.network().layers[at(layer)];
  const InPlace rule = operator_facts(l.kind).in_place;
  if (rule == InPlace::kNever || cuts_.taps().continued_tensor(layer) > first_layer_) {
    return;
  }
  for (int asked = 0; asked < l.input_count(); ++asked) {
    const int j = by_age(l.inputs, asked);
    const TensorId input = cuts_.taps().inputs(layer)[at(j)];
    if (!may_lie_over(layer, j, first_layer_)) {
      continue;
    }
    const bool fits = rule == InPlace::kEqualWindow
                          ? over.agrees[at(j)] && columns.agrees[at(j)] &&
                                !held_[at(input - 1 - first_layer_)].keeps
                          : !held.keeps && over.dying.fits(columns.over_dying);
    if (fits) {
      held.over = input - 1;
      share(held);
      return;
    }
  }
}

// In each step with the nearest below it that is there.
void SegmentBytes::share(Held& held) {
  for (int step = held.first_step; step <= held.last_step; ++step) {
    for (int below = held.over; below >= 0; below = held_[at(below - first_layer_)].over) {
      const Held& h = held_[at(below - first_layer_)];
      if (h.first_step <= step && step <= h.last_step) {
        const std::int64_t shared = aligned(std::min(h.bytes, held.bytes));
        change_[at(step - first_layer_)] -= shared;
        change_[at(step - first_layer_) + 1] += shared;
        break;
      }
    }
  }
}

void SegmentBytes::write_behind_input(int layer, const RoomOverInput& over,
                                      const LayerColumns& columns, const Held& held) {
  const TensorId input = cuts_.taps().inputs(layer)[0];
  if (input <= first_layer_ || cuts_.taps().last_reader(input) != layer || held.keeps ||
      held_[at(input - 1 - first_layer_)].keeps || !over.agrees[0] || !columns.agrees[0]) {
    return;
  }
  const int input_channels = cuts_.network().shape(input).channels;
  const int channels = cuts_.network().shape(layer + 1).channels;
  const std::int64_t distance =
      aligned(patchnas_pointwise_distance_bytes(held.bytes / channels, input_channels, channels));
  const std::int64_t shared = aligned(std::max(std::int64_t{0}, held.bytes - distance));
  change_[at(layer - first_layer_)] -= shared;
  change_[at(layer - first_layer_) + 1] += shared;
}

}  // namespace patchnas
