#include <algorithm>
#include <cmath>
#include <limits>

#include "arch/fixed_point.h"
#include "deploy/quantise/requantisation.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/runtime/kernel_case.h"

namespace patchnas::testing {
namespace {

using Call = KernelFunction;

LayerKind kind_of(Call call) {
  switch (call) {
    case Call::kConvolve:
    case Call::kPointwise:
    case Call::kConvolveGroups:
      return LayerKind::kConv2d;
    case Call::kConvolveTransposed:
      return LayerKind::kTransposeConv;
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
  CaseMaker(Call call, Arithmetic arithmetic, RandomStream& stream) : stream_(stream) {
    case_.call = call;
    case_.arithmetic = arithmetic;
    choose_shapes();
    choose_rectangles();
    choose_placement();
    choose_parameters();
    choose_inputs();
  }

  [[nodiscard]] const KernelCase& result() const { return case_; }

 private:
  int between(int low, int high) { return testing::between(stream_, low, high); }
  [[nodiscard]] bool slides() const {
    return case_.call != Call::kPointwise && case_.call != Call::kAdd &&
           case_.call != Call::kFullyConnected && case_.call != Call::kSoftmax &&
           case_.call != Call::kMean;
  }
  [[nodiscard]] bool pools() const {
    return case_.call == Call::kAveragePool || case_.call == Call::kMaxPool;
  }
  [[nodiscard]] bool whole() const {
    return case_.call == Call::kFullyConnected || case_.call == Call::kSoftmax;
  }
  [[nodiscard]] bool transposes() const { return case_.call == Call::kConvolveTransposed; }

  void choose_axis(int& input, int& output, int& kernel, int& stride, int& pad, int& dilation);
  void choose_transposed_axis(int& input, int& output, int& kernel, int& stride, int& pad);
  void choose_mean_axis(int& input, int& output, int& kernel, int& stride);
  void choose_shapes();
  void choose_channels();
  void choose_rectangles();
  void choose_placement();
  void choose_parameters();
  void choose_add();
  void choose_inputs();
  void choose_extremes();
  void choose_tie(std::size_t channel);
  Interval needed(const Interval& output, int kernel, int stride, int pad, int extent) const;

  RandomStream& stream_;
  KernelCase case_;
};

void CaseMaker::choose_axis(int& input, int& output, int& kernel, int& stride, int& pad,
                            int& dilation) {
  if (transposes()) {
    return choose_transposed_axis(input, output, kernel, stride, pad);
  }
  input = stream_.chance(0.1) ? 1 : between(1, 14);
  output = input;
  if (!slides()) {
    return;
  }
  stride = between(1, 2);
  kernel = between(1, 7);
  dilation = case_.call == Call::kConvolveGroups ? between(1, 3) : 1;
  const int span = (kernel - 1) * dilation + 1;
  pad = between(0, span - 1);
  const int padded = std::max(span, input + pad + between(0, span - 1));
  pad = std::max(pad, span - input - (span - 1));
  output = (padded - span) / stride + 1;
  // The last window begins inside the image, so that poolings have something to pool.
  output = std::min(output, (input - 1 + pad) / stride + 1);
}

// The windows that a convolution from the output to the input would read.
void CaseMaker::choose_transposed_axis(int& input, int& output, int& kernel, int& stride,
                                       int& pad) {
  input = between(1, 6);
  stride = between(1, 3);
  kernel = between(1, 5);
  pad = between(0, kernel - 1);
  const int pad_after = between(0, kernel - 1) - between(0, stride - 1);
  output = std::max(1, (input - 1) * stride + kernel - pad - pad_after);
}

// All of an axis, more of both than 16-bit sums can hold, or nothing of it.
void CaseMaker::choose_mean_axis(int& input, int& output, int& kernel, int& stride) {
  input = between(1, stream_.chance(0.2) ? 19 : 9);
  kernel = stride = stream_.chance(0.7) ? input : 1;
  output = input / kernel;
}

void CaseMaker::choose_shapes() {
  case_.layer.kind = kind_of(case_.call);
  case_.layer.inputs = {kImage, operator_facts(case_.layer.kind).inputs == 2 ? kImage : kNoTensor};
  Kernel& k = case_.layer.kernel;
  choose_axis(case_.input.height, case_.layer.output.height, k.height, k.stride_h, k.pad_top,
              k.dilation_h);
  if (case_.call == Call::kMean) {
    choose_mean_axis(case_.input.height, case_.layer.output.height, k.height, k.stride_h);
    choose_mean_axis(case_.input.width, case_.layer.output.width, k.width, k.stride_w);
  } else if (pools() &&
             stream_.chance(0.15)) {  // of the whole image, more than 16-bit sums can hold
    case_.input.height = between(12, 19);
    case_.input.width = between(12, 19);
    k = {.height = case_.input.height, .width = case_.input.width};
    case_.layer.output.height = case_.layer.output.width = 1;
  } else if (slides() && case_.call != Call::kConvolveGroups && !transposes() &&
             stream_.chance(0.7)) {  // square kernels are what most networks have
    // Wide: rows of more outputs than kernels sum at a time.
    const bool wide = case_.layer.kind == LayerKind::kDepthwiseConv2d && stream_.chance(0.25);
    case_.input.width = wide ? between(20, 110) : between(1, 14);
    k.width = k.height;
    k.stride_w = k.stride_h;
    k.pad_left = k.pad_top;
    case_.layer.output.width =
        std::max(1, (case_.input.width + k.pad_left + k.width / 2 - k.width) / k.stride_w + 1);
    case_.layer.output.width =
        std::min(case_.layer.output.width, (case_.input.width - 1 + k.pad_left) / k.stride_w + 1);
  } else {
    choose_axis(case_.input.width, case_.layer.output.width, k.width, k.stride_w, k.pad_left,
                k.dilation_w);
  }
  choose_channels();
}

void CaseMaker::choose_channels() {
  Layer& layer = case_.layer;
  const bool many = stream_.chance(0.3);
  if (case_.call == Call::kConvolveGroups) {
    layer.groups = between(1, 4);
    case_.input.channels = layer.groups * (many ? between(1, 40) : between(1, 5));
    layer.output.channels = layer.groups * between(1, many ? 19 : 5);
    return;
  }
  case_.input.channels = between(1, many ? 40 : 9);
  const bool mixes =
      case_.call == Call::kConvolve || case_.call == Call::kPointwise || transposes();
  if (case_.call == Call::kPointwise && stream_.chance(0.2)) {
    case_.input.channels = between(60, 140);
    case_.input.height = layer.output.height = between(1, 5);
  }
  layer.output.channels = mixes ? between(1, many ? 17 : 9) : case_.input.channels;
  if (transposes() && stream_.chance(0.2)) {
    layer.output.channels = between(16, 40);
  }
  if (case_.call == Call::kFullyConnected) {
    layer.output = {1, 1, between(1, 12)};
  }
  const bool may_write_part = case_.call == Call::kConvolve || case_.call == Call::kPointwise;
  if (may_write_part && stream_.chance(0.3)) {
    layer.channels = {.from = 0, .to = between(0, 5), .count = layer.output.channels};
    layer.output.channels += layer.channels.to + between(0, 5);
  }
}

Interval CaseMaker::needed(const Interval& output, int kernel, int stride, int pad,
                           int extent) const {
  if (transposes()) {
    Interval hit{extent, 0};
    for (int i = 0; i < extent; ++i) {
      const int begin = i * stride - pad;
      if (begin < output.end && begin + kernel > output.begin) {
        hit = {std::min(hit.begin, i), i + 1};
      }
    }
    return hit.empty() ? Interval{} : hit;
  }
  return {std::max(0, output.begin * stride - pad),
          std::min(extent, (output.end - 1) * stride - pad + kernel)};
}

void CaseMaker::choose_rectangles() {
  const auto part = [&](int extent) {
    return whole() ? Interval{0, extent} : random_part(extent, stream_);
  };
  case_.computed = {part(case_.layer.output.height), part(case_.layer.output.width)};
  const Kernel& k = case_.layer.kernel;
  const auto read = [&](const Interval& output, int span, int stride, int pad, int extent) {
    return widened(needed(output, span, stride, pad, extent), extent, stream_);
  };
  case_.read = {read(case_.computed.rows, k.span_h(), k.stride_h, k.pad_top, case_.input.height),
                read(case_.computed.cols, k.span_w(), k.stride_w, k.pad_left, case_.input.width)};
  if (whole()) {
    case_.read = full_rect(case_.input);
  }
  case_.held = {widened(case_.computed.rows, case_.layer.output.height, stream_),
                widened(case_.computed.cols, case_.layer.output.width, stream_)};
  if (case_.call == Call::kAdd) {
    case_.held = case_.read;
  }
  case_.second_read = case_.read;
  if (slides() && stream_.chance(0.2)) {  // room for rows above the image, which nobody reads
    case_.read.rows.begin -= between(1, 3);
  }
}

// Where a depthwise layer's output lies: behind the input, before it, or over it, some pixels in
// front.
void CaseMaker::choose_placement() {
  if (case_.call != Call::kDepthwise) {
    return;
  }
  case_.placement = stream_.chance(0.5)   ? between(-2, -1)
                    : stream_.chance(0.5) ? 0
                                          : between(0, 60);
  if (case_.placement >= 0) {
    case_.held = case_.computed;  // the rest of the buffer is input
  }
}

void CaseMaker::choose_extremes() {
  for (std::size_t o = 0; o < case_.quantised.biases.size(); ++o) {
    Requantisation& r = case_.quantised.requantisation[o];
    const int choice = between(0, 7);
    if (choice == 0) {  // accumulators to the end of int32, where the scaled sum is still in range
      r.shift = between(-31, -1);
      case_.quantised.biases[o] = stream_.chance(0.5)
                                      ? std::numeric_limits<std::int32_t>::max() - 1000
                                      : std::numeric_limits<std::int32_t>::min() + 1000;
    } else if (choice == 1) {
      r.shift = between(0, 4);
      if (case_.arithmetic == Arithmetic::kTfliteMicroSingleRounding && stream_.chance(0.5)) {
        r.shift = between(0, 30);  // beyond int32 as well
        case_.quantised.biases[o] = static_cast<std::int32_t>(stream_.next());
      }
    } else if (choice == 2) {
      r = {.multiplier = stream_.chance(0.5) ? 1 << 30 : std::numeric_limits<std::int32_t>::max(),
           .shift = between(-12, -1)};
    } else if (choice == 3) {
      r = {.multiplier = 0, .shift = between(-31, 0)};
    } else if (choice == 4) {
      r.shift = between(-31, -15);
      case_.quantised.biases[o] = static_cast<std::int32_t>(stream_.next());
    } else if (choice >= 6) {
      choose_tie(o);
    }
  }
}

// All accumulators of the channel are its bias: where an output is half way between two, or one
// beside.
void CaseMaker::choose_tie(std::size_t channel) {
  const std::size_t channels = case_.quantised.biases.size();
  const std::size_t count = case_.quantised.weights.size() / channels;
  for (std::size_t i = 0; i < count; ++i) {
    case_.quantised.weights[case_.layer.kind == LayerKind::kDepthwiseConv2d ? i * channels + channel
                                                                            : channel * count + i] =
        0;
  }
  Requantisation& r = case_.quantised.requantisation[channel];
  r = {.multiplier = stream_.chance(0.5)
                         ? 1 << 30
                         : between(1 << 30, std::numeric_limits<std::int32_t>::max()),
       .shift = between(-31, -1)};
  const double half_way = (between(-130, 129) + 0.5) * std::ldexp(1.0, 31 - r.shift) / r.multiplier;
  case_.quantised.biases[channel] =
      static_cast<std::int32_t>(std::clamp(std::round(half_way), -0x1p30, 0x1p30)) + between(-1, 1);
}

void CaseMaker::choose_parameters() {
  case_.in_quantisation.zero_point = between(-128, 127);
  case_.out_quantisation.zero_point = stream_.chance(0.3) ? -128 : between(-128, 127);
  ActivationClamp& clamp = case_.quantised.clamp;
  if (stream_.chance(0.4)) {
    clamp.min = between(-128, 100);
    clamp.max = between(clamp.min, 127);
  }
  if (case_.call == Call::kAdd) {
    return choose_add();
  }
  if (case_.call == Call::kSoftmax) {
    case_.out_quantisation = kSoftmaxOutput;
    clamp = {};
    const int shift = between(16, 26);
    const double largest = 31 * 0x1p26 / std::ldexp(1.0, shift);
    case_.quantised.softmax = {
        .difference = {.multiplier = between(1 << 30, std::numeric_limits<std::int32_t>::max()),
                       .shift = shift},
        .smallest_difference = -static_cast<std::int32_t>(std::floor(largest))};
    return;
  }
  if (case_.call == Call::kMean) {
    clamp = {};
    case_.quantised.mean = quantise_mean(
        std::ldexp(0.5 + stream_.uniform(), between(-4, stream_.chance(0.1) ? 12 : 4)),
        std::int64_t{case_.layer.kernel.height} * case_.layer.kernel.width);
    return;
  }
  if (pools()) {
    return;
  }
  const Kernel& k = case_.layer.kernel;
  const auto channels = static_cast<std::size_t>(case_.layer.computed_channels());
  const auto taps = static_cast<std::size_t>(k.height) * static_cast<std::size_t>(k.width);
  const std::size_t terms =
      case_.layer.kind == LayerKind::kDepthwiseConv2d ? taps
      : case_.call == Call::kFullyConnected
          ? static_cast<std::size_t>(case_.input.elements())
          : taps * static_cast<std::size_t>(case_.input.channels / case_.layer.groups);
  case_.quantised.weights = random_bytes(static_cast<std::int64_t>(terms * channels), stream_);
  const double typical = 74.0 * 74.0 * std::sqrt(static_cast<double>(terms));
  for (std::size_t o = 0; o < channels; ++o) {
    case_.quantised.biases.push_back(
        static_cast<std::int32_t>(typical * (2 * stream_.uniform() - 1)));
    case_.quantised.requantisation.push_back(
        quantise_multiplier(40.0 / typical * (0.5 + stream_.uniform())));
  }
  if (stream_.chance(0.15)) {
    choose_extremes();
  } else if (stream_.chance(0.1)) {  // as negative weight scales give
    std::replace(case_.quantised.weights.begin(), case_.quantised.weights.end(), std::int8_t{-128},
                 std::int8_t{-127});
    for (Requantisation& r : case_.quantised.requantisation) {
      r.multiplier *= stream_.chance(0.5) ? -1 : 1;
    }
  }
}

void CaseMaker::choose_add() {
  const auto scale = [&] {
    return stream_.chance(0.3) ? 0.5F : static_cast<float>(0.01 + stream_.uniform());
  };
  case_.second_quantisation.zero_point = between(-128, 127);
  case_.in_quantisation.scale = scale();
  case_.second_quantisation.scale = scale();
  const double common =
      2.0 * std::max(case_.in_quantisation.scale, case_.second_quantisation.scale);
  case_.out_quantisation.scale = static_cast<float>(common * (0.2 + stream_.uniform()));
  case_.quantised.add.inputs = {quantise_multiplier(case_.in_quantisation.scale / common),
                                quantise_multiplier(case_.second_quantisation.scale / common)};
  case_.quantised.add.output =
      quantise_multiplier(common / ((1 << kAddLeftShift) * double{case_.out_quantisation.scale}));
}

void CaseMaker::choose_inputs() {
  for (int i = 0; i < case_.layer.input_count(); ++i) {
    std::vector<std::int8_t>& values = case_.values[static_cast<std::size_t>(i)];
    values = random_bytes(case_.read.pixels() * case_.input.channels, stream_);
    if (stream_.chance(pools() || case_.call == Call::kMean ? 0.4 : 0.03)) {
      std::fill(values.begin(), values.end(), std::int8_t{-128});
    }
  }
}

}  // namespace

KernelCase window_case(KernelFunction call, Arithmetic arithmetic, RandomStream& stream) {
  return CaseMaker(call, arithmetic, stream).result();
}

}  // namespace patchnas::testing
