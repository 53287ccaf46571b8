#include "tests/support/random_networks.h"

#include <algorithm>
#include <initializer_list>
#include <numeric>

#include "arch/operator_table.h"

namespace patchnas::testing {
namespace {

int between(RandomStream& stream, int low, int high) {
  return low + static_cast<int>(stream.below(static_cast<std::uint64_t>(high - low + 1)));
}

// A non-empty, sorted subset.
template <typename Item>
std::vector<Item> subset(RandomStream& stream, std::initializer_list<Item> items) {
  std::vector<Item> chosen;
  while (chosen.empty()) {
    for (const Item& item : items) {
      if (stream.chance(0.5)) {
        chosen.push_back(item);
      }
    }
  }
  return chosen;
}

struct WindowAxis {
  int kernel = 1;
  int stride = 1;
  int pad = 0;
  int output = 1;
};

WindowAxis random_axis(RandomStream& stream, int input, int max_kernel, int stride) {
  WindowAxis axis;
  axis.kernel = std::min(input, between(stream, 1, max_kernel));
  axis.stride = stride;
  axis.pad = between(stream, 0, axis.kernel - 1);
  const int pad_after = between(stream, 0, axis.kernel - 1);
  axis.output = kernel_output_extent(input, axis.kernel, stride, axis.pad, pad_after);
  return axis;
}

void append_window(Network& network, RandomStream& stream, LayerKind kind, int channels,
                   int max_kernel, int stride) {
  const TensorShape in = network.output();
  const WindowAxis rows = random_axis(stream, in.height, max_kernel, stride);
  const WindowAxis cols = random_axis(stream, in.width, max_kernel, stride);
  Layer layer;
  layer.kind = kind;
  layer.inputs = {network.layer_count(), kNoTensor};
  layer.output = {rows.output, cols.output, channels};
  layer.kernel = {rows.kernel, cols.kernel, rows.stride, cols.stride, rows.pad, cols.pad};
  if (kind == LayerKind::kConv2d || kind == LayerKind::kDepthwiseConv2d) {
    layer.activation = static_cast<Activation>(stream.below(3));
    layer.pad_operator = required_pad_operator(in, layer);
  }
  network.layers.push_back(layer);
}

// Shape-preserving depthwise (odd kernel, full padding) and an add over its input: a residual.
void append_residual(Network& network, RandomStream& stream) {
  const TensorId block_input = network.layer_count();
  const TensorShape shape = network.output();
  for (int i = between(stream, 1, 2); i > 0; --i) {
    const int kernel = 1 + 2 * between(stream, 0, 2);
    Layer layer;
    layer.kind = stream.chance(0.5) ? LayerKind::kDepthwiseConv2d : LayerKind::kConv2d;
    layer.inputs = {network.layer_count(), kNoTensor};
    layer.output = shape;
    layer.kernel = {kernel, kernel, 1, 1, kernel / 2, kernel / 2};
    layer.activation = static_cast<Activation>(stream.below(3));
    network.layers.push_back(layer);
  }
  Layer add;
  add.kind = LayerKind::kAdd;
  add.inputs = {network.layer_count(), block_input};
  if (stream.chance(0.5)) {
    std::swap(add.inputs[0], add.inputs[1]);
  }
  add.output = shape;
  add.activation = static_cast<Activation>(stream.below(3));
  network.layers.push_back(add);
}

// Over rows, columns or both.
void append_mean(Network& network, RandomStream& stream) {
  const TensorShape in = network.output();
  const std::uint64_t kept = stream.below(3);
  Layer mean;
  mean.kind = LayerKind::kMean;
  mean.inputs = {network.layer_count(), kNoTensor};
  mean.kernel.height = mean.kernel.stride_h = kept == 0 ? 1 : in.height;
  mean.kernel.width = mean.kernel.stride_w = kept == 1 ? 1 : in.width;
  mean.output = {in.height / mean.kernel.height, in.width / mean.kernel.width, in.channels};
  network.layers.push_back(mean);
}

Layer& append(Network& network, LayerKind kind, const TensorShape& output) {
  Layer layer;
  layer.kind = kind;
  layer.inputs = {network.layer_count(), kNoTensor};
  layer.output = output;
  network.layers.push_back(layer);
  return network.layers.back();
}

void append_function(Network& network, RandomStream& stream) {
  append(network, LayerKind::kLookup, network.output()).function =
      static_cast<ValueFunction>(stream.below(10));
}

LayerKind random_combination(RandomStream& stream) {
  return stream.pick(std::vector{LayerKind::kAdd, LayerKind::kSubtract, LayerKind::kMultiply,
                                 LayerKind::kPrelu, LayerKind::kMaximum, LayerKind::kMinimum,
                                 LayerKind::kSquaredDifference});
}

// Of kinds that have them.
Activation random_fused(LayerKind kind, RandomStream& stream) {
  const bool may_have =
      kind == LayerKind::kAdd || kind == LayerKind::kSubtract || kind == LayerKind::kMultiply;
  return may_have ? static_cast<Activation>(stream.below(3)) : Activation::kNone;
}

void append_with_constant(Network& network, RandomStream& stream) {
  Layer& layer = append(network, random_combination(stream), network.output());
  layer.activation = random_fused(layer.kind, stream);
  layer.has_constant_map = stream.chance(0.3);
}

void append_with(Network& network, RandomStream& stream, TensorId other) {
  Layer& layer = append(network, random_combination(stream), network.output());
  layer.inputs[1] = other;
  if (stream.chance(0.5)) {
    std::swap(layer.inputs[0], layer.inputs[1]);
  }
}

// A pixel made from the whole tensor that all of its pixels are combined with.
void append_pixel_for_all(Network& network, RandomStream& stream) {
  const TensorId from = network.layer_count();
  const TensorShape shape = network.output();
  const TensorShape pixel{1, 1, shape.channels};
  append(network, LayerKind::kAveragePool, pixel).kernel = {.height = shape.height,
                                                            .width = shape.width,
                                                            .stride_h = shape.height,
                                                            .stride_w = shape.width};
  append(network, LayerKind::kConv2d, pixel);
  append_function(network, stream);
  Layer& layer = append(network, random_combination(stream), shape);
  layer.kind = layer.kind == LayerKind::kAdd ? LayerKind::kMultiply : layer.kind;
  layer.inputs = {from, network.layer_count() - 1};
  layer.repeats_second = shape.pixels() > 1;
}

// A branch that is combined with what it comes from.
void append_branch(Network& network, RandomStream& stream) {
  const TensorId from = network.layer_count();
  append_function(network, stream);
  if (stream.chance(0.5)) {
    append(network, LayerKind::kConv2d, network.output());
  }
  append_with(network, stream, from);
}

// Two convolutions of the same tensor, side by side, at times with a pooling of it; in the order of
// a file, or each copied at once.
void append_concatenation(Network& network, RandomStream& stream) {
  const TensorId from = network.layer_count();
  const TensorShape shape = network.output();
  const int first = between(stream, 1, 5);
  const int second = between(stream, 1, 5);
  const bool has_pool = stream.chance(0.3);
  const int third = has_pool ? shape.channels : 0;
  const TensorShape all{shape.height, shape.width, first + second + third};
  const auto convolve = [&](int channels, int kernel) {
    Layer& layer = append(network, LayerKind::kConv2d, {shape.height, shape.width, channels});
    layer.inputs[0] = from;
    layer.kernel = {kernel, kernel, 1, 1, kernel / 2, kernel / 2};
    layer.pad_operator = required_pad_operator(shape, layer);
    return network.layer_count();
  };
  const auto copy = [&](TensorId part, TensorId rest, int to, int channels) {
    Layer& layer = append(network, LayerKind::kCopyChannels, all);
    layer.inputs = {part, rest};
    layer.channels = {.from = 0, .to = to, .count = channels};
    return network.layer_count();
  };
  const bool at_once = stream.chance(0.5);
  const TensorId a = convolve(first, 1);
  const bool has_map = stream.chance(0.3);
  const auto copy_first = [&] {
    copy(a, kNoTensor, 0, first);
    network.layers.back().has_constant_map = has_map;
    return network.layer_count();
  };
  TensorId rest = at_once ? copy_first() : kNoTensor;
  TensorId pooled = kNoTensor;
  if (has_pool) {
    Layer& layer = append(network, LayerKind::kMaxPool, shape);
    layer.inputs[0] = from;
    layer.kernel = {3, 3, 1, 1, 1, 1};
    pooled = network.layer_count();
  }
  const TensorId b = convolve(second, 3);
  rest = at_once ? rest : copy_first();
  rest = has_pool ? copy(pooled, rest, first + second, third) : rest;
  copy(b, rest, first, second);
}

void append_channels(Network& network, RandomStream& stream) {
  const TensorShape shape = network.output();
  const int count = between(stream, 1, shape.channels);
  append(network, LayerKind::kCopyChannels, {shape.height, shape.width, count}).channels = {
      .from = between(stream, 0, shape.channels - count), .to = 0, .count = count};
}

void append_resize(Network& network, RandomStream& stream) {
  const TensorShape shape = network.output();
  Layer& layer = append(network, LayerKind::kResize,
                        {between(stream, 1, std::min(24, 2 * shape.height)),
                         between(stream, 1, std::min(24, 2 * shape.width)), shape.channels});
  layer.resizing = {.is_bilinear = stream.chance(0.5), .align_corners = stream.chance(0.3)};
  layer.resizing.half_pixel_centers = !layer.resizing.align_corners && stream.chance(0.5);
}

// Of H rows to the rows from `to` on of a tensor of twice as many.
StridedCopy to_rows(const TensorShape& shape, int to) {
  const int row = shape.width * shape.channels;
  return {.counts = {1, shape.height, row},
          .from_strides = {0, row, 1},
          .to_strides = {0, row, 1},
          .from = 0,
          .to = to * row};
}

void append_copy(Network& network, RandomStream& stream) {
  const TensorShape shape = network.output();
  const TensorId from = network.layer_count();
  const int row = shape.width * shape.channels;
  switch (stream.below(4)) {
    case 0:  // the same elements in another shape
      append(network, LayerKind::kCopy, {1, shape.height * shape.width, shape.channels}).copy = {
          .counts = {shape.height, shape.width, shape.channels},
          .from_strides = {row, shape.channels, 1},
          .to_strides = {row, shape.channels, 1}};
      break;
    case 1:  // rows become columns
      append(network, LayerKind::kCopy, {shape.width, shape.height, shape.channels}).copy = {
          .counts = {shape.width, shape.height, shape.channels},
          .from_strides = {shape.channels, row, 1},
          .to_strides = {shape.height * shape.channels, shape.channels, 1}};
      break;
    case 2:  // margins
      append(network, LayerKind::kCopy, {shape.height + 2, shape.width, shape.channels}).copy =
          to_rows(shape, 1);
      network.layers.back().has_constant_map = stream.chance(0.5);
      break;
    default: {  // below itself
      const TensorShape twice{2 * shape.height, shape.width, shape.channels};
      append(network, LayerKind::kCopy, twice).copy = to_rows(shape, 0);
      const TensorId rest = network.layer_count();
      Layer& layer = append(network, LayerKind::kCopy, twice);
      layer.inputs = {from, rest};
      layer.copy = to_rows(shape, shape.height);
    }
  }
}

// On each side a few rows or columns more, or fewer.
void append_pad(Network& network, RandomStream& stream) {
  const TensorShape shape = network.output();
  Layer& layer = append(network, LayerKind::kPad, shape);
  const auto choose = [&](int input, int& pad, int& output) {
    pad = between(stream, -std::min(2, input - 1), 3);
    output = std::max({1, pad + 1, input + pad + between(stream, -2, 3)});
  };
  choose(shape.height, layer.kernel.pad_top, layer.output.height);
  choose(shape.width, layer.kernel.pad_left, layer.output.width);
}

void append_groups(Network& network, RandomStream& stream) {
  const TensorShape shape = network.output();
  const int groups = stream.chance(0.5) ? shape.channels : 1;
  const int dilation = stream.chance(0.5) || groups == 1 ? 2 : 1;
  const int kernel = between(stream, 1, 3);
  Layer& layer = append(network, LayerKind::kConv2d,
                        {shape.height, shape.width, groups * between(stream, 1, 2)});
  layer.groups = groups;
  layer.kernel = {kernel, kernel, 1, 1, 0, 0, dilation, dilation};
  layer.kernel.pad_top = layer.kernel.pad_left = (layer.kernel.span_h() - 1) / 2;
  layer.pad_operator = required_pad_operator(shape, layer);
}

// To an output that is as many times larger as the stride says, or a little more.
void append_transpose_conv(Network& network, RandomStream& stream, int most_stride) {
  const TensorShape in = network.output();
  Layer& layer = append(network, LayerKind::kTransposeConv, {});
  const auto axis = [&](int extent) {
    WindowAxis result{.kernel = between(stream, 1, 4), .stride = between(stream, 1, most_stride)};
    const int most = (extent - 1) * result.stride + std::min(result.kernel, result.stride);
    result.pad = between(stream, 0, std::min(result.kernel, most) - 1);
    result.output = most - result.pad + between(stream, 0, result.kernel - 1);
    return result;
  };
  const WindowAxis rows = axis(in.height);
  const WindowAxis cols = axis(in.width);
  layer.output = {rows.output, cols.output, between(stream, 1, 4)};
  layer.kernel = {rows.kernel, cols.kernel, rows.stride, cols.stride, rows.pad, cols.pad};
  layer.activation = static_cast<Activation>(stream.below(3));
}

// Of one row's pixels, whose channels are columns.
void append_mean_over_channels(Network& network, RandomStream& stream) {
  const TensorShape in = network.output();
  const int elements = static_cast<int>(in.elements());
  append(network, LayerKind::kCopy, {in.height, in.width * in.channels, 1}).copy = {
      .counts = {1, 1, elements}, .from_strides = {0, 0, 1}, .to_strides = {0, 0, 1}};
  const LayerKind kind = stream.chance(0.5) ? LayerKind::kMean : LayerKind::kMaxPool;
  const int rows = stream.chance(0.3) ? in.height : 1;
  append(network, kind, {in.height / rows, in.width, 1}).kernel = {rows,        in.channels, rows,
                                                                   in.channels, 0,           0};
}

void append_any(Network& network, RandomStream& stream) {
  const TensorShape shape = network.output();
  const bool is_small = shape.elements() < 3000;
  switch (stream.below(14)) {
    case 0:
      return append_function(network, stream);
    case 1:
      return append_with_constant(network, stream);
    case 2:
      return append_branch(network, stream);
    case 3:
      return append_concatenation(network, stream);
    case 4:
      return append_channels(network, stream);
    case 5:
      return is_small ? append_resize(network, stream) : append_channels(network, stream);
    case 6:
      return is_small ? append_copy(network, stream) : append_channels(network, stream);
    case 7:
      return append_groups(network, stream);
    case 8:
      return append_window(network, stream, LayerKind::kDepthwiseConv2d, shape.channels, 5,
                           between(stream, 1, 2));
    case 9:
      return append_transpose_conv(network, stream, is_small ? 2 : 1);
    case 10:
      return append_mean_over_channels(network, stream);
    case 11:
      return append_pixel_for_all(network, stream);
    case 12:
      return append_pad(network, stream);
    default:
      return append_residual(network, stream);
  }
}

// What an earlier layer computed joins again, resized where it must be.
void append_skip(Network& network, RandomStream& stream, TensorId from) {
  const TensorShape shape = network.shape(from);
  const TensorShape before = network.output();
  if (before.height != shape.height || before.width != shape.width) {
    append(network, LayerKind::kResize, {shape.height, shape.width, before.channels})
        .resizing.is_bilinear = stream.chance(0.5);
  }
  append(network, LayerKind::kConv2d, shape);
  append_with(network, stream, from);
}

// The first layer from `first` on that is in no segment.
int next_whole_layer(const Network& network, int first) {
  const auto begin = network.layers.begin();
  return static_cast<int>(std::find_if_not(begin + first, network.layers.end(), fits_segments) -
                          begin);
}

}  // namespace

SearchSpace random_space(RandomStream& stream) {
  SearchSpace space;
  space.input_channels = between(stream, 1, 3);
  space.classes = between(stream, 2, 5);
  space.resolutions = subset(stream, {9, 12, 15, 16, 21});
  space.padding = stream.chance(0.5) ? Padding::kSame : Padding::kSymmetric;
  space.stem_width = between(stream, 1, 8);
  space.stem_kernel_size = stream.pick(std::vector<int>{1, 3, 5});
  space.stem_stride = between(stream, 1, 2);
  for (int stages = between(stream, 1, 3); stages > 0; --stages) {
    StageSpace stage;
    stage.stride = between(stream, 1, 2);
    stage.depths = subset(stream, {1, 2, 3});
    stage.kernel_sizes = subset(stream, {3, 5, 7});
    stage.expand_ratios = subset(stream, {1, 2, 3});
    stage.widths = subset(stream, {3, 4, 8});
    if (stream.chance(0.5)) {
      stage.activations = subset(stream, {BlockActivation::kRelu6, BlockActivation::kHardSwish});
    }
    if (stream.chance(0.5)) {
      stage.squeeze_excitations =
          subset(stream, {SqueezeExcitation::kAbsent, SqueezeExcitation::kPresent});
    }
    space.stages.push_back(stage);
  }
  space.head_width = stream.chance(0.3) ? between(stream, 4, 12) : 0;
  space.schedules.patch_grids = square_grids({1, 2, 3, 4});
  return space;
}

Network random_lowered_network(RandomStream& stream) {
  const SearchSpace space = random_space(stream);
  return lower(space, sample(space, stream));
}

Network random_general_network(RandomStream& stream) {
  Network network;
  network.input = {between(stream, 5, 20), between(stream, 5, 20), between(stream, 1, 4)};
  for (int remaining = between(stream, 2, 8); remaining > 0; --remaining) {
    const int stride = stream.chance(0.25) ? 2 : 1;
    switch (stream.below(6)) {
      case 0:
        append_window(network, stream, LayerKind::kConv2d, between(stream, 1, 9), 5, stride);
        break;
      case 1:
        append_window(network, stream, LayerKind::kConv2d, between(stream, 1, 9), 1, 1);
        break;
      case 2:
        append_window(network, stream, LayerKind::kDepthwiseConv2d, network.output().channels, 7,
                      stride);
        break;
      case 3:
        append_window(network, stream, LayerKind::kMaxPool, network.output().channels, 3, stride);
        break;
      case 4:
        append_window(network, stream, LayerKind::kAveragePool, network.output().channels, 3,
                      stride);
        break;
      default:
        append_residual(network, stream);
        break;
    }
  }
  if (stream.chance(0.4)) {
    append_mean(network, stream);
  }
  if (stream.chance(0.5)) {
    Layer classifier;
    classifier.kind = LayerKind::kFullyConnected;
    classifier.inputs = {network.layer_count(), kNoTensor};
    classifier.output = {1, 1, between(stream, 2, 6)};
    network.layers.push_back(classifier);
  }
  validate(network);
  return network;
}

Network random_graph(RandomStream& stream, int most_further_inputs) {
  Network network;
  network.input = {between(stream, 5, 16), between(stream, 5, 16), between(stream, 1, 4)};
  const int further = stream.chance(0.25) ? between(stream, 0, most_further_inputs) : 0;
  for (int i = 0; i < further; ++i) {
    append(network, LayerKind::kInput, network.input).inputs[0] = kImage;
  }
  for (int i = further; i-- > 0;) {
    append_with(network, stream, i);
  }
  append_window(network, stream, LayerKind::kConv2d, between(stream, 2, 8), 3, 1);
  const TensorId early = network.layer_count();
  for (int remaining = between(stream, 1, 6); remaining > 0; --remaining) {
    append_any(network, stream);
  }
  if (stream.chance(0.3)) {
    append_skip(network, stream, early);
  }
  if (stream.chance(0.3)) {
    append_mean(network, stream);
  }
  if (stream.chance(0.3) && network.layer_count() > network.input_count()) {
    network.outputs = {between(stream, network.input_count(), network.layer_count() - 1),
                       network.layer_count()};
    if (stream.chance(0.5)) {
      std::swap(network.outputs[0], network.outputs[1]);
    }
  }
  validate(network);
  return network;
}

Network random_network(RandomStream& stream, int most_further_inputs) {
  switch (stream.below(3)) {
    case 0:
      return random_lowered_network(stream);
    case 1:
      return random_general_network(stream);
    default:
      return random_graph(stream, most_further_inputs);
  }
}

Network with_random_groups(Network network, RandomStream& stream) {
  for (Layer& layer : network.layers) {
    const int channels = std::gcd(network.shape(layer.inputs[0]).channels, layer.output.channels);
    const int groups = between(stream, 1, channels);
    if (layer.kind == LayerKind::kConv2d && channels % groups == 0) {
      layer.groups = groups;
    }
  }
  return network;
}

namespace {

// Layers that write parts of a tensor are not in patches, and no segment begins between them.
bool keeps_parts_together(const Network& network, int first, int end, bool caches_rows) {
  return std::none_of(
      network.layers.begin() + first, network.layers.begin() + end, [&](const Layer& layer) {
        const bool goes_on = layer.inputs[1] != kNoTensor && layer.inputs[1] <= first;
        return layer.writes_part() && (goes_on || !caches_rows);
      });
}

}  // namespace

std::vector<PatchSchedule> all_schedules(const Network& network, RandomStream& stream) {
  std::vector<PatchSchedule> schedules =
      enumerate_schedules(network, square_grids({1, 2, 3, 4}), SplitPoints::kLayers);
  for (int attempt = 0; attempt < 4; ++attempt) {
    const int first = between(stream, 0, network.layer_count() - 1);
    const int most = next_whole_layer(network, first);
    if (most == first) {
      continue;
    }
    const int end = between(stream, first + 1, most);
    const TensorShape& out = network.shape(end);
    Segment segment;
    segment.first_layer = first;
    segment.end_layer = end;
    segment.grid = {between(stream, 1, std::min(6, out.height)),
                    between(stream, 1, std::min(6, out.width))};
    if (keeps_parts_together(network, first, end, false)) {
      schedules.push_back({{segment}});
    }
  }
  for (int attempt = 0; attempt < 6; ++attempt) {
    schedules.push_back(random_schedule(network, stream));
  }
  return schedules;
}

PatchSchedule random_schedule(const Network& network, RandomStream& stream) {
  if (stream.chance(0.3)) {
    return stream.pick(
        enumerate_schedules(network, square_grids({1, 2, 3, 4}), SplitPoints::kLayers));
  }
  PatchSchedule schedule;
  int first = 0;
  while (first < network.layer_count()) {
    const int most = next_whole_layer(network, first);
    if (most == first) {
      ++first;
      continue;
    }
    const int end = between(stream, first + 1, most);
    Segment rows = Segment::rows(first, end, 1, 1);
    rows.step_rows = between(stream, 1, std::min(4, network.shape(first + 1).height));
    const TensorShape& paced = network.shape(paced_layer(network, rows) + 1);
    rows.grid.cols = stream.chance(0.5) ? 1 : between(stream, 1, std::min(5, paced.width));
    const TensorShape& out = network.shape(end);
    const TileGrid grid{between(stream, 1, std::min(3, out.height)),
                        between(stream, 1, std::min(3, out.width))};
    const bool caches_rows = stream.chance(0.7);
    if ((caches_rows || stream.chance(0.5)) &&
        keeps_parts_together(network, first, end, caches_rows)) {
      schedule.segments.push_back(caches_rows ? rows : Segment::patches(first, end, grid));
    }
    first = end;
  }
  return schedule;
}

}  // namespace patchnas::testing
