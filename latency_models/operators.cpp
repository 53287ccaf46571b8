#include "latency_models/operators.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "arch/base/error.h"

namespace patchnas {
namespace {

constexpr std::string_view kPrefix = "patchnas_";
constexpr std::string_view kOverInput = "_over_input";

OperatorFamily family_of(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const TensorShape& input = network.shape(l.inputs[0]);
  OperatorFamily family{.kernel = kernel_function(l),
                        .input_channels = input.channels,
                        .output_channels = l.computed_channels()};
  if (family.kernel == KernelFunction::kFullyConnected) {
    family.input_channels = static_cast<int>(input.elements());
  } else if (family.kernel == KernelFunction::kCopy) {
    family.input_channels = family.output_channels;
  } else if (kernel_facts(family.kernel).slides()) {
    family.input_channels /= l.groups;
    family.kernel_h = l.kernel.height;
    family.kernel_w = l.kernel.width;
    // Of a transposed convolution the input's pixels count: as if it had stride 1.
    const bool is_transposed = family.kernel == KernelFunction::kConvolveTransposed;
    family.stride_h = is_transposed ? 1 : l.kernel.stride_h;
    family.stride_w = is_transposed ? 1 : l.kernel.stride_w;
  }
  return family;
}

void add_use(std::vector<AxisUse>& uses, const AxisUse& use) {
  const auto same = std::find_if(uses.begin(), uses.end(), [&](const AxisUse& known) {
    return known.axis == use.axis && known.is_whole_row == use.is_whole_row;
  });
  if (same == uses.end()) {
    uses.push_back(use);
  } else {
    same->count += use.count;
  }
}

// What costs the same wherever its windows lie has them in the middle of what it reads.
bool lies_anywhere(KernelFunction kernel) {
  return kernel == KernelFunction::kConvolveGroups || kernel == KernelFunction::kResize ||
         kernel == KernelFunction::kConvolveTransposed || kernel == KernelFunction::kCopy ||
         kernel == KernelFunction::kPad;
}

OperatorAxis axis_of(const OperatorFamily& family, Axis axis, const AxisTaps& window,
                     const Interval& computed, const Interval& read) {
  if (lies_anywhere(family.kernel)) {
    const int kernel = axis == Axis::kRows ? family.kernel_h : family.kernel_w;
    const int stride = axis == Axis::kRows ? family.stride_h : family.stride_w;
    // Of a transposed convolution inputs count, as many as have all the taps that hit.
    const auto inputs = static_cast<int>((window.work(computed) + kernel - 1) / kernel);
    const int outputs = window.scatters ? std::max(1, inputs) : computed.size();
    return {.output = outputs, .input = std::max(0, (outputs - 1) * stride + kernel), .pad = 0};
  }
  return {.output = computed.size(),
          .input = read.size(),
          .pad = read.begin - (computed.begin * window.stride - window.pad)};
}

// ----- text

std::string_view next_word(std::string_view& text) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  const std::size_t end = std::min(text.find(' ', begin), text.size());
  const std::string_view word = text.substr(begin, end - begin);
  text.remove_prefix(end);
  return word;
}

// "3x3x16" into three numbers.
template <std::size_t N>
bool parse_numbers(std::string_view word, const std::array<int*, N>& numbers) {
  const char* at = word.data();
  const char* const end = at + word.size();
  for (std::size_t i = 0; i < N; ++i) {
    if (i > 0 && (at == end || *at++ != 'x')) {
      return false;
    }
    const auto [next, error] = std::from_chars(at, end, *numbers[i]);
    if (error != std::errc() || *at == '-') {
      return false;
    }
    at = next;
  }
  return at == end;
}

// The first rule that the key breaks.
std::optional<std::string> contradiction(const OperatorKey& key) {
  const OperatorFamily& f = key.family;
  const auto within = [](int value, int least, int most) {
    return value >= least && value <= most;
  };
  if (!within(f.input_channels, 1, static_cast<int>(kMostElements)) ||
      !within(f.output_channels, 1, kLargestChannels)) {
    return "channels out of range";
  }
  if (operator_facts(f.kernel).keeps_channels && f.input_channels != f.output_channels) {
    return "this kernel has as many output channels as input channels";
  }
  const auto axis_is_wrong = [&](const OperatorAxis& axis, int kernel, int stride) {
    return !within(axis.output, 1, kLargestExtent * kLargestExtent) ||
           !within(axis.input, 1, kLargestExtent * kLargestExtent) ||
           !within(kernel, 1, kLargestExtent) || !within(stride, 1, kLargestExtent) ||
           !within(axis.pad, 0, kernel - 1) ||
           !within(axis.pad_after(kernel, stride), 0, kernel - 1);
  };
  if (axis_is_wrong(key.rows, f.kernel_h, f.stride_h) ||
      axis_is_wrong(key.cols, f.kernel_w, f.stride_w)) {
    return "these windows do not read this input to compute this output";
  }
  if (!kernel_facts(f.kernel).slides() &&
      (f.kernel_h != 1 || f.kernel_w != 1 || f.stride_h != 1 || f.stride_w != 1)) {
    return "this kernel has no window";
  }
  return std::nullopt;
}

}  // namespace

std::int64_t OperatorKey::macs() const {
  const std::int64_t taps = std::int64_t{family.kernel_h} * family.kernel_w;
  const std::int64_t outputs = std::int64_t{rows.output} * cols.output * family.output_channels;
  if (family.kernel == KernelFunction::kConnectedOfSums) {
    return 0;  // its parts have them
  }
  switch (operator_facts(family.kernel).weights) {
    case WeightLayout::kConvolution:
    case WeightLayout::kDense:
      return outputs * taps * family.input_channels;
    case WeightLayout::kDepthwise:
      return outputs * taps;
    case WeightLayout::kNone:
      break;
  }
  return 0;
}

std::int64_t OperatorKey::bytes_moved() const {
  const std::int64_t input = std::int64_t{rows.input} * cols.input * family.input_channels;
  const std::int64_t output = std::int64_t{rows.output} * cols.output * family.output_channels;
  return operator_facts(family.kernel).inputs * input + output;
}

std::string name_of(const OperatorFamily& family) {
  std::string name(to_string(family.kernel).substr(kPrefix.size()));
  return family.over_input ? name.append(kOverInput) : name;
}

std::string to_string(const OperatorKey& key) {
  const OperatorFamily& f = key.family;
  const auto pair = [](int a, int b) { return std::to_string(a) + "x" + std::to_string(b); };
  std::string text = name_of(f);
  text.append(" ").append(pair(f.kernel_h, f.kernel_w));
  text.append(" ").append(pair(f.stride_h, f.stride_w));
  text.append(" ").append(pair(key.rows.pad, key.cols.pad));
  text.append(" ").append(pair(key.rows.input, key.cols.input));
  text.append("x").append(std::to_string(f.input_channels));
  text.append(" ").append(pair(key.rows.output, key.cols.output));
  text.append("x").append(std::to_string(f.output_channels));
  return text;
}

OperatorKey parse_operator_key(std::string_view text, const std::string& source) {
  const std::string whole(text);
  std::string_view name = next_word(text);
  const bool over_input = name == "depthwise_over_input";
  name.remove_suffix(over_input ? kOverInput.size() : 0);
  const auto* const kernel = std::find_if(
      kKernels.begin(), kKernels.end(),
      [&](const KernelFacts& facts) { return facts.name.substr(kPrefix.size()) == name; });
  if (kernel == kKernels.end()) {
    throw InputError(source + ": '" + std::string(name) + "' is no kernel");
  }
  OperatorKey key;
  OperatorFamily& f = key.family;
  f.kernel = kernel->function;
  f.over_input = over_input;
  const bool parsed =
      parse_numbers<2>(next_word(text), {&f.kernel_h, &f.kernel_w}) &&
      parse_numbers<2>(next_word(text), {&f.stride_h, &f.stride_w}) &&
      parse_numbers<2>(next_word(text), {&key.rows.pad, &key.cols.pad}) &&
      parse_numbers<3>(next_word(text), {&key.rows.input, &key.cols.input, &f.input_channels}) &&
      parse_numbers<3>(next_word(text), {&key.rows.output, &key.cols.output, &f.output_channels}) &&
      next_word(text).empty();
  if (!parsed) {
    throw InputError(source + ": '" + whole +
                     "' is no operator; one is KERNEL KHxKW SHxSW TOPxLEFT HxWxC HxWxC");
  }
  if (const auto reason = contradiction(key)) {
    throw InputError(source + ": '" + whole + "': " + *reason);
  }
  return key;
}

OperatorKey LayerOperators::key(const AxisUse& row, const AxisUse& col) const {
  OperatorKey key{.family = family, .rows = row.axis, .cols = col.axis};
  if (family.kernel == KernelFunction::kFullyConnected) {
    key.rows = key.cols = {};
  } else if (kernel_facts(family.kernel).joins_rows && col.is_whole_row) {
    key.cols.output *= key.rows.output;
    key.cols.input = key.cols.output;
    key.rows = {};
  }
  return key;
}

OperatorKey plain_key(KernelFunction kernel, int rows, int cols, int channels) {
  return {.family = {.kernel = kernel, .input_channels = channels, .output_channels = channels},
          .rows = {.output = rows, .input = rows},
          .cols = {.output = cols, .input = cols}};
}

OperatorKey part_of_sum(const Network& network, int layer, int rows, int cols) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  OperatorKey key = plain_key(part_kernel(l), rows, cols, network.shape(l.inputs[0]).channels);
  key.family.output_channels = l.output.channels;
  return key;
}

OperatorKey end_of_sum(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  return plain_key(sum_kernel(l), 1, 1, l.output.channels);
}

std::vector<OperatorKey> typical_operators(KernelFunction kernel) {
  using Pairs = std::vector<std::pair<int, int>>;
  static const Pairs kExtents{{1, 1}, {1, 8}, {2, 5}, {3, 16}, {5, 3}, {8, 8}, {12, 2}, {16, 16}};
  static const Pairs kEqual{{2, 2}, {3, 3}, {4, 4}, {8, 8}, {16, 16}, {24, 24}, {48, 48}};
  static const Pairs kOthers{{3, 8}, {8, 3}, {8, 16}, {16, 4}, {16, 16}, {16, 48}, {48, 16}};
  const KernelFacts& facts = kernel_facts(kernel);
  const OperatorFacts& operators = operator_facts(kernel);
  const bool has_pixels =
      operators.weights != WeightLayout::kDense || kernel == KernelFunction::kSumProducts;
  const bool keeps_channels = operators.keeps_channels || kernel == KernelFunction::kCopy;
  const std::vector<int> sizes = facts.slides() ? std::vector{1, 3} : std::vector{1};
  std::vector<OperatorKey> keys;
  for (const auto& [rows, cols] : has_pixels ? kExtents : Pairs{{1, 1}}) {
    for (const auto& [in, out] : keeps_channels ? kEqual : kOthers) {
      for (const int size : sizes) {
        OperatorKey key{.family = {.kernel = kernel,
                                   .kernel_h = size,
                                   .kernel_w = size,
                                   .input_channels = in,
                                   .output_channels = out},
                        .rows = {.output = rows, .input = rows - 1 + size},
                        .cols = {.output = cols, .input = cols - 1 + size}};
        if (facts.joins_rows) {
          key.cols = {.output = rows * cols, .input = rows * cols};
          key.rows = {};
        }
        keys.push_back(key);
      }
    }
  }
  return keys;
}

void OperatorLister::assign(const Network& network) {
  network_ = &network;
  taps_.assign(network);
  families_.clear();
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    families_.push_back(family_of(network, layer));
  }
}

void OperatorLister::start(int layer, const SegmentGeometry* geometry,
                           LayerOperators& operators) const {
  operators.family = family(layer);
  operators.family.over_input = lies_over_input(layer, geometry);
  operators.rows.clear();
  operators.cols.clear();
}

void OperatorLister::list(int layer, LayerOperators& operators) const {
  const auto use_of = [&](Axis axis) {
    const AxisTaps& window = taps_.taps(axis, layer);
    const Interval computed{0, window.output};
    return AxisUse{.axis = axis_of(family(layer), axis, window, computed, window.read(computed)),
                   .count = 1};
  };
  start(layer, nullptr, operators);
  operators.rows.push_back(use_of(Axis::kRows));
  operators.cols.push_back(use_of(Axis::kCols));
}

AxisUse OperatorLister::tile_use(int layer, const SegmentGeometry& geometry, Axis axis, int index,
                                 bool is_summed, bool reads_whole) const {
  const LayerSpan& span = geometry.span(axis, layer, index);
  const AxisTaps& window = taps_.taps(axis, layer);
  AxisUse use{.axis = axis_of(family(layer), axis, window, span.computed, span.inputs[0]),
              .count = 1};
  if (axis == Axis::kCols && kernel_facts(family(layer).kernel).joins_rows) {
    const TensorId input = taps_.inputs(layer)[0];
    const int row_read = input > geometry.segment().first_layer && !reads_whole
                             ? geometry.span(axis, input - 1, index).window.size()
                             : window.input;
    use.is_whole_row =
        (is_summed || span.computed == span.window) && span.inputs[0].size() == row_read;
  }
  return use;
}

void OperatorLister::list(int layer, const SegmentGeometry& geometry,
                          LayerOperators& operators) const {
  start(layer, &geometry, operators);
  operators.rows = uses(layer, geometry, Axis::kRows);
  operators.cols = uses(layer, geometry, Axis::kCols);
}

std::vector<AxisUse> OperatorLister::uses(int layer, const SegmentGeometry& geometry, Axis axis,
                                          bool is_summed, bool reads_whole) const {
  std::vector<AxisUse> uses;
  const int tiles = axis == Axis::kRows ? geometry.grid().rows : geometry.grid().cols;
  for (int i = 0; i < tiles; ++i) {
    if (!geometry.span(axis, layer, i).computed.empty()) {
      add_use(uses, tile_use(layer, geometry, axis, i, is_summed, reads_whole));
    }
  }
  return uses;
}

void OperatorLister::number_tiles(int layer, const SegmentGeometry& geometry, Axis axis,
                                  std::vector<TileNumber>& numbers, bool is_summed,
                                  bool reads_whole) const {
  static_assert(kLargestExtent < 1 << 16);
  const TileGrid grid = geometry.grid();
  const auto tiles = static_cast<std::size_t>(axis == Axis::kRows ? grid.rows : grid.cols);
  numbers.resize(numbers.size() + tiles);
  TileNumber* const appended = numbers.data() + numbers.size() - tiles;
  for (std::size_t i = 0; i < tiles; ++i) {
    const AxisUse use =
        tile_use(layer, geometry, axis, static_cast<int>(i), is_summed, reads_whole);
    appended[i] = static_cast<TileNumber>(use.axis.output) << 48 |
                  static_cast<TileNumber>(use.axis.input) << 32 |
                  static_cast<TileNumber>(use.axis.pad) << 1 |
                  static_cast<TileNumber>(use.is_whole_row);
  }
}

namespace {

using Counts = std::map<std::pair<int, OperatorKey>, std::int64_t>;

void count_sums(const Network& network, const ExecutionPlan& plan, int index, const Loop& loop,
                Counts& counts) {
  const Step& step = plan.step(index);
  for (const Tile& tile : tiles(loop)) {
    if (const Rect read = plan.read(index, 0, tile); read.pixels() > 0) {
      ++counts[{step.first_layer,
                part_of_sum(network, step.first_layer, read.rows.size(), read.cols.size())}];
    }
  }
  ++counts[{step.first_layer, end_of_sum(network, step.first_layer)}];
}

void count_moves(const ExecutionPlan& plan, const Loop& loop, Counts& counts) {
  for (const TensorId tensor : loop.slides) {
    const int layer = tensor == kImage ? plan.step(loop.first_step).first_layer : tensor - 1;
    for (const Tile& tile : tiles(loop)) {
      const Rect kept = plan.kept(tensor, tile);
      if (kept.pixels() > 0 && kept.rows.begin > plan.held(tensor, tile).rows.begin) {
        ++counts[{layer, plain_key(KernelFunction::kMove, 1, static_cast<int>(kept.pixels()),
                                   plan.tensor(tensor).shape.channels)}];
      }
    }
  }
}

}  // namespace

std::vector<OperatorUse> operator_uses(const Network& network, const ExecutionPlan& plan) {
  Counts counts;
  const OperatorLister lister(network);
  LayerOperators operators;
  for (const Loop& loop : plan.loops()) {
    for (int i = loop.first_step; i < loop.end_step; ++i) {
      const Step& step = plan.step(i);
      if (!step.runs) {
        continue;
      }
      if (step.adds_up) {
        count_sums(network, plan, i, loop, counts);
        continue;
      }
      if (loop.geometry) {
        lister.list(step.first_layer, *loop.geometry, operators);
      } else {
        lister.list(step.first_layer, operators);
      }
      for (const AxisUse& row : operators.rows) {
        for (const AxisUse& col : operators.cols) {
          counts[{step.first_layer, operators.key(row, col)}] +=
              std::int64_t{row.count} * col.count;
        }
      }
    }
    count_moves(plan, loop, counts);
  }
  std::vector<OperatorUse> uses;
  for (const auto& [key, count] : counts) {
    uses.push_back({.layer = key.first, .key = key.second, .count = count});
  }
  return uses;
}

}  // namespace patchnas
