#include "tests/runtime/kernel_cases.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

#include "arch/fixed_point.h"
#include "arch/operator_table.h"
#include "arch/tile_geometry.h"
#include "deploy/package/kernel_weights.h"
#include "deploy/quantise/requantisation.h"
#include "deploy/reference/reference_kernels.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas::testing {
namespace {

// run_kernel_cases.c numbers them alike. Those behind have tests of their own.
using Call = KernelFunction;
constexpr int kCalls = static_cast<int>(Call::kMean) + 1;

constexpr std::int8_t kUntouched = 0x5e;  // what run_kernel_cases.c fills the output with

LayerKind kind_of(Call call) {
  switch (call) {
    case Call::kConvolve:
    case Call::kPointwise:
      return LayerKind::kConv2d;
    case Call::kDepthwise:
      return LayerKind::kDepthwiseConv2d;
    case Call::kAdd:
      return LayerKind::kAdd;
    case Call::kAveragePool:
      return LayerKind::kAveragePool;
    case Call::kMaxPool:
      return LayerKind::kMaxPool;
    case Call::kFullyConnected:
      return LayerKind::kFullyConnected;
    case Call::kSoftmax:
      return LayerKind::kSoftmax;
    default:
      break;
  }
  return LayerKind::kMean;
}

class CaseMaker {
 public:
  CaseMaker(Call call, Arithmetic arithmetic, RandomStream& stream)
      : call_(call), arithmetic_(arithmetic), stream_(stream) {
    choose_shapes();
    choose_rectangles();
    choose_placement();
    choose_parameters();
    choose_inputs();
  }

  void append_to(std::vector<std::int32_t>& words) const;

 private:
  int between(int low, int high) {  // inclusive
    return low + static_cast<int>(stream_.below(static_cast<std::uint64_t>(high - low) + 1));
  }
  [[nodiscard]] bool slides() const {
    return call_ != Call::kPointwise && call_ != Call::kAdd && call_ != Call::kFullyConnected &&
           call_ != Call::kSoftmax && call_ != Call::kMean;
  }
  [[nodiscard]] bool pools() const {
    return call_ == Call::kAveragePool || call_ == Call::kMaxPool;
  }
  [[nodiscard]] bool whole() const {
    return call_ == Call::kFullyConnected || call_ == Call::kSoftmax;
  }

  void choose_axis(int& input, int& output, int& kernel, int& stride, int& pad);
  void choose_mean_axis(int& input, int& output, int& kernel, int& stride);
  void choose_shapes();
  void choose_rectangles();
  void choose_placement();
  void choose_parameters();
  void choose_add();
  void choose_inputs();
  void choose_extremes();
  void choose_tie(std::size_t channel);
  Interval widened(const Interval& interval, int extent);
  Interval needed(const Interval& output, int kernel, int stride, int pad, int extent) const;
  [[nodiscard]] std::vector<std::int8_t> expected() const;

  Call call_;
  Arithmetic arithmetic_;
  RandomStream& stream_;
  Layer layer_;
  TensorShape input_;
  Rect computed_;
  Rect read_;
  Rect held_;  // by the output's buffer
  int placement_ = 0;
  QuantizedLayer quantised_;
  TensorQuantisation in_quantisation_;
  TensorQuantisation second_quantisation_;
  TensorQuantisation out_quantisation_;
  std::vector<std::int8_t> values_[2];
};

void CaseMaker::choose_axis(int& input, int& output, int& kernel, int& stride, int& pad) {
  input = stream_.chance(0.1) ? 1 : between(1, 14);
  output = input;
  if (!slides()) {
    return;
  }
  stride = between(1, 2);
  kernel = between(1, 7);
  pad = between(0, kernel - 1);
  const int padded = std::max(kernel, input + pad + between(0, kernel - 1));
  pad = std::max(pad, kernel - input - (kernel - 1));
  output = (padded - kernel) / stride + 1;
  // The last window begins inside the image, so that poolings have something to pool.
  output = std::min(output, (input - 1 + pad) / stride + 1);
}

// All of an axis, more of both than 16-bit sums can hold, or nothing of it.
void CaseMaker::choose_mean_axis(int& input, int& output, int& kernel, int& stride) {
  input = between(1, stream_.chance(0.2) ? 19 : 9);
  kernel = stride = stream_.chance(0.7) ? input : 1;
  output = input / kernel;
}

void CaseMaker::choose_shapes() {
  layer_.kind = kind_of(call_);
  layer_.inputs = {kImage, operator_facts(layer_.kind).inputs == 2 ? kImage : kNoTensor};
  Kernel& k = layer_.kernel;
  choose_axis(input_.height, layer_.output.height, k.height, k.stride_h, k.pad_top);
  if (call_ == Call::kMean) {
    choose_mean_axis(input_.height, layer_.output.height, k.height, k.stride_h);
    choose_mean_axis(input_.width, layer_.output.width, k.width, k.stride_w);
  } else if (pools() &&
             stream_.chance(0.15)) {  // of the whole image, more than 16-bit sums can hold
    input_.height = between(12, 19);
    input_.width = between(12, 19);
    k = {.height = input_.height, .width = input_.width};
    layer_.output.height = layer_.output.width = 1;
  } else if (slides() && stream_.chance(0.7)) {  // square kernels are what most networks have
    // Wide: rows of more outputs than kernels sum at a time.
    const bool wide = layer_.kind == LayerKind::kDepthwiseConv2d && stream_.chance(0.25);
    input_.width = wide ? between(20, 110) : between(1, 14);
    k.width = k.height;
    k.stride_w = k.stride_h;
    k.pad_left = k.pad_top;
    layer_.output.width =
        std::max(1, (input_.width + k.pad_left + k.width / 2 - k.width) / k.stride_w + 1);
    layer_.output.width =
        std::min(layer_.output.width, (input_.width - 1 + k.pad_left) / k.stride_w + 1);
  } else {
    choose_axis(input_.width, layer_.output.width, k.width, k.stride_w, k.pad_left);
  }
  const bool many = stream_.chance(0.3);
  input_.channels = between(1, many ? 40 : 9);
  const bool mixes = call_ == Call::kConvolve || call_ == Call::kPointwise;
  if (call_ == Call::kPointwise && stream_.chance(0.2)) {
    input_.channels = between(60, 140);
    input_.height = layer_.output.height = between(1, 5);
  }
  layer_.output.channels = mixes ? between(1, many ? 17 : 9) : input_.channels;
  if (call_ == Call::kFullyConnected) {
    layer_.output = {1, 1, between(1, 12)};
  }
}

Interval CaseMaker::widened(const Interval& interval, int extent) {
  return stream_.chance(0.5) ? interval
                             : Interval{interval.begin - between(0, interval.begin),
                                        interval.end + between(0, extent - interval.end)};
}

Interval CaseMaker::needed(const Interval& output, int kernel, int stride, int pad,
                           int extent) const {
  return {std::max(0, output.begin * stride - pad),
          std::min(extent, (output.end - 1) * stride - pad + kernel)};
}

void CaseMaker::choose_rectangles() {
  // A few rows or columns at a time are what schedules with cached rows and strips compute.
  const auto part = [&](int extent) {
    if (whole() || stream_.chance(0.4)) {
      return Interval{0, extent};
    }
    const int begin = between(0, extent - 1);
    return Interval{begin, stream_.chance(0.5) ? between(begin + 1, extent)
                                               : std::min(extent, begin + between(1, 4))};
  };
  computed_ = {part(layer_.output.height), part(layer_.output.width)};
  const Kernel& k = layer_.kernel;
  read_ = {
      widened(needed(computed_.rows, k.height, k.stride_h, k.pad_top, input_.height),
              input_.height),
      widened(needed(computed_.cols, k.width, k.stride_w, k.pad_left, input_.width), input_.width)};
  if (whole()) {
    read_ = full_rect(input_);
  }
  held_ = {widened(computed_.rows, layer_.output.height),
           widened(computed_.cols, layer_.output.width)};
  if (call_ == Call::kAdd) {
    held_ = read_;
  }
  if (slides() && stream_.chance(0.2)) {  // room for rows above the image, which nobody reads
    read_.rows.begin -= between(1, 3);
  }
}

// Where a depthwise layer's output lies: behind the input, before it, or over it, some pixels in
// front.
void CaseMaker::choose_placement() {
  if (call_ != Call::kDepthwise) {
    return;
  }
  placement_ = stream_.chance(0.5) ? between(-2, -1) : stream_.chance(0.5) ? 0 : between(0, 60);
  if (placement_ >= 0) {
    held_ = computed_;  // the rest of the buffer is input
  }
}

void CaseMaker::choose_extremes() {
  for (std::size_t o = 0; o < quantised_.biases.size(); ++o) {
    Requantisation& r = quantised_.requantisation[o];
    const int choice = between(0, 7);
    if (choice == 0) {  // accumulators to the end of int32, where the scaled sum is still in range
      r.shift = between(-31, -1);
      quantised_.biases[o] = stream_.chance(0.5) ? std::numeric_limits<std::int32_t>::max() - 1000
                                                 : std::numeric_limits<std::int32_t>::min() + 1000;
    } else if (choice == 1) {
      r.shift = between(0, 4);
      if (arithmetic_ == Arithmetic::kTfliteMicroSingleRounding && stream_.chance(0.5)) {
        r.shift = between(0, 30);  // beyond int32 as well
        quantised_.biases[o] = static_cast<std::int32_t>(stream_.next());
      }
    } else if (choice == 2) {
      r = {.multiplier = stream_.chance(0.5) ? 1 << 30 : std::numeric_limits<std::int32_t>::max(),
           .shift = between(-12, -1)};
    } else if (choice == 3) {
      r = {.multiplier = 0, .shift = between(-31, 0)};
    } else if (choice == 4) {
      r.shift = between(-31, -15);
      quantised_.biases[o] = static_cast<std::int32_t>(stream_.next());
    } else if (choice >= 6) {
      choose_tie(o);
    }
  }
}

// All accumulators of the channel are its bias: where an output is half way between two, or one
// beside.
void CaseMaker::choose_tie(std::size_t channel) {
  const std::size_t channels = quantised_.biases.size();
  const std::size_t count = quantised_.weights.size() / channels;
  for (std::size_t i = 0; i < count; ++i) {
    quantised_.weights[layer_.kind == LayerKind::kDepthwiseConv2d ? i * channels + channel
                                                                  : channel * count + i] = 0;
  }
  Requantisation& r = quantised_.requantisation[channel];
  r = {.multiplier = stream_.chance(0.5)
                         ? 1 << 30
                         : between(1 << 30, std::numeric_limits<std::int32_t>::max()),
       .shift = between(-31, -1)};
  const double half_way = (between(-130, 129) + 0.5) * std::ldexp(1.0, 31 - r.shift) / r.multiplier;
  quantised_.biases[channel] =
      static_cast<std::int32_t>(std::clamp(std::round(half_way), -0x1p30, 0x1p30)) + between(-1, 1);
}

void CaseMaker::choose_parameters() {
  in_quantisation_.zero_point = between(-128, 127);
  out_quantisation_.zero_point = stream_.chance(0.3) ? -128 : between(-128, 127);
  ActivationClamp& clamp = quantised_.clamp;
  if (stream_.chance(0.4)) {
    clamp.min = between(-128, 100);
    clamp.max = between(clamp.min, 127);
  }
  if (call_ == Call::kAdd) {
    return choose_add();
  }
  if (call_ == Call::kSoftmax) {
    out_quantisation_ = kSoftmaxOutput;
    clamp = {};
    const int shift = between(16, 26);
    const double largest = 31 * 0x1p26 / std::ldexp(1.0, shift);
    quantised_.softmax = {
        .difference = {.multiplier = between(1 << 30, std::numeric_limits<std::int32_t>::max()),
                       .shift = shift},
        .smallest_difference = -static_cast<std::int32_t>(std::floor(largest))};
    return;
  }
  if (call_ == Call::kMean) {
    clamp = {};
    quantised_.mean = quantise_mean(
        std::ldexp(0.5 + stream_.uniform(), between(-4, stream_.chance(0.1) ? 12 : 4)),
        std::int64_t{layer_.kernel.height} * layer_.kernel.width);
    return;
  }
  if (pools()) {
    return;
  }
  const Kernel& k = layer_.kernel;
  const auto channels = static_cast<std::size_t>(layer_.output.channels);
  const auto taps = static_cast<std::size_t>(k.height) * static_cast<std::size_t>(k.width);
  const std::size_t terms = layer_.kind == LayerKind::kDepthwiseConv2d ? taps
                            : call_ == Call::kFullyConnected
                                ? static_cast<std::size_t>(input_.elements())
                                : taps * static_cast<std::size_t>(input_.channels);
  quantised_.weights = random_bytes(static_cast<std::int64_t>(terms * channels), stream_);
  const double typical = 74.0 * 74.0 * std::sqrt(static_cast<double>(terms));
  for (std::size_t o = 0; o < channels; ++o) {
    quantised_.biases.push_back(static_cast<std::int32_t>(typical * (2 * stream_.uniform() - 1)));
    quantised_.requantisation.push_back(
        quantise_multiplier(40.0 / typical * (0.5 + stream_.uniform())));
  }
  if (stream_.chance(0.15)) {
    choose_extremes();
  } else if (stream_.chance(0.1)) {  // as negative weight scales give
    std::replace(quantised_.weights.begin(), quantised_.weights.end(), std::int8_t{-128},
                 std::int8_t{-127});
    for (Requantisation& r : quantised_.requantisation) {
      r.multiplier *= stream_.chance(0.5) ? -1 : 1;
    }
  }
}

void CaseMaker::choose_add() {
  const auto scale = [&] {
    return stream_.chance(0.3) ? 0.5F : static_cast<float>(0.01 + stream_.uniform());
  };
  second_quantisation_.zero_point = between(-128, 127);
  in_quantisation_.scale = scale();
  second_quantisation_.scale = scale();
  const double common = 2.0 * std::max(in_quantisation_.scale, second_quantisation_.scale);
  out_quantisation_.scale = static_cast<float>(common * (0.2 + stream_.uniform()));
  quantised_.add.inputs = {quantise_multiplier(in_quantisation_.scale / common),
                           quantise_multiplier(second_quantisation_.scale / common)};
  quantised_.add.output =
      quantise_multiplier(common / ((1 << kAddLeftShift) * double{out_quantisation_.scale}));
}

void CaseMaker::choose_inputs() {
  for (std::vector<std::int8_t>& values : values_) {
    values = random_bytes(read_.pixels() * input_.channels, stream_);
    if (stream_.chance(pools() || call_ == Call::kMean ? 0.4 : 0.03)) {
      std::fill(values.begin(), values.end(), std::int8_t{-128});
    }
  }
}

std::vector<std::int8_t> CaseMaker::expected() const {
  std::vector<std::int8_t> output(static_cast<std::size_t>(held_.pixels() * layer_.output.channels),
                                  kUntouched);
  const LayerContext context{.layer = layer_,
                             .quantised = quantised_,
                             .inputs = {in_quantisation_, second_quantisation_},
                             .output = out_quantisation_,
                             .arithmetic = arithmetic_};
  const InputWindow first{.bytes = values_[0], .rect = read_, .shape = input_};
  const InputWindow second{.bytes = values_[1], .rect = read_, .shape = input_};
  run_layer(context, {first, second}, {.bytes = output, .rect = held_, .shape = layer_.output},
            computed_);
  return output;
}

template <typename T>
void append_array(std::vector<std::int32_t>& words, const std::vector<T>& items) {
  const std::size_t bytes = items.size() * sizeof(T);
  const std::size_t begin = words.size();
  words.resize(begin + (bytes + 3) / 4);
  if (bytes > 0) {
    std::memcpy(&words[begin], items.data(), bytes);
  }
}

void CaseMaker::append_to(std::vector<std::int32_t>& words) const {
  const auto append = [&](std::initializer_list<std::int32_t> more) {
    words.insert(words.end(), more);
  };
  const KernelWeights constants = kernel_weights(layer_, quantised_, in_quantisation_.zero_point);
  const std::vector<std::int8_t> shifts(constants.shifts.begin(), constants.shifts.end());
  const std::vector<std::int8_t> answer = expected();
  const Kernel& k = layer_.kernel;
  append({static_cast<std::int32_t>(call_)});
  append({k.height, k.width, k.stride_h, k.stride_w, k.pad_top, k.pad_left, input_.height,
          input_.width});
  append({read_.rows.begin, read_.cols.begin, read_.cols.size(), input_.channels});
  append({held_.rows.begin, held_.cols.begin, held_.cols.size(), layer_.output.channels});
  append({computed_.rows.begin, computed_.rows.end, computed_.cols.begin, computed_.cols.end});
  append({placement_});
  if (call_ == Call::kSoftmax) {
    append({0, 0, quantised_.softmax.difference.multiplier, quantised_.softmax.smallest_difference,
            quantised_.softmax.difference.shift, 0, 0, 0, 0, 0, 0});
  } else {
    const AddArithmetic& add = quantised_.add;
    const Requantisation& first = call_ == Call::kMean ? quantised_.mean : quantised_.add.inputs[0];
    append({in_quantisation_.zero_point, second_quantisation_.zero_point, first.multiplier,
            add.inputs[1].multiplier, first.shift, add.inputs[1].shift,
            out_quantisation_.zero_point, add.output.multiplier, add.output.shift,
            quantised_.clamp.min, quantised_.clamp.max});
  }
  append({static_cast<std::int32_t>(values_[0].size()), static_cast<std::int32_t>(answer.size()),
          static_cast<std::int32_t>(constants.weights.size()),
          static_cast<std::int32_t>(constants.biases.size())});
  append_array(words, values_[0]);
  append_array(words, values_[1]);
  append_array(words, constants.weights);
  append_array(words, constants.biases);
  append_array(words, constants.multipliers);
  append_array(words, shifts);
  append_array(words, answer);
}

}  // namespace

std::vector<std::int32_t> kernel_cases(int count, RandomStream& stream, Arithmetic arithmetic) {
  std::vector<std::int32_t> words{count};
  for (int i = 0; i < count; ++i) {
    CaseMaker(static_cast<Call>(i % kCalls), arithmetic, stream).append_to(words);
  }
  return words;
}

}  // namespace patchnas::testing
