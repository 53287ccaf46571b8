#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "arch/fixed_point.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/runtime/kernel_case.h"

namespace patchnas::testing {
namespace {

class ElementCase {
 public:
  ElementCase(KernelFunction call, Arithmetic arithmetic, RandomStream& stream) : stream_(stream) {
    case_.call = call;
    case_.arithmetic = arithmetic;
    case_.in_quantisation.zero_point = between(-128, 127);
    case_.second_quantisation.zero_point = between(-128, 127);
    case_.out_quantisation.zero_point = between(-128, 127);
    case_.input = random_shape();
    layer_.inputs = {kImage, kNoTensor};
    layer_.output = case_.input;
    choose();
    choose_rectangles();
    choose_values();
  }

  [[nodiscard]] const KernelCase& result() const { return case_; }

 private:
  int between(int low, int high) { return testing::between(stream_, low, high); }
  TensorShape random_shape() {
    return {between(1, 8), between(1, 8), between(1, stream_.chance(0.3) ? 40 : 9)};
  }
  // Of what is combined with, or of what a copy leaves.
  void add_second_tensor() { layer_.inputs[1] = kImage; }

  void choose();
  void choose_combination();
  void choose_scales(int left_shift, double common, double product);
  void choose_resizing();
  void choose_channel_range();
  void choose_copy();
  void choose_margins();
  void choose_rectangles();
  void choose_values();

  RandomStream& stream_;
  KernelCase case_;
  Layer& layer_ = case_.layer;
};

void ElementCase::choose() {
  switch (case_.call) {
    case KernelFunction::kCombine:
      return choose_combination();
    case KernelFunction::kLookup:
      layer_.kind = LayerKind::kLookup;
      case_.quantised.lookup = {random_bytes(256, stream_), random_bytes(256, stream_)};
      return;
    case KernelFunction::kResize:
      return choose_resizing();
    case KernelFunction::kCopyChannels:
      return choose_channel_range();
    case KernelFunction::kPad:
      return choose_margins();
    default:
      return choose_copy();
  }
}

void ElementCase::choose_combination() {
  layer_.kind = stream_.pick(std::vector{
      LayerKind::kAdd, LayerKind::kSubtract, LayerKind::kMultiply, LayerKind::kMultiply,
      LayerKind::kPrelu, LayerKind::kMaximum, LayerKind::kMinimum, LayerKind::kSquaredDifference});
  // Sums of tensors have a kernel of their own, which gives what this one does.
  if (stream_.chance(0.5)) {
    add_second_tensor();
  } else {
    case_.quantised.constants = random_bytes(case_.input.channels, stream_);
    case_.quantised.constants_come_first = stream_.chance(0.5);
  }
  if (layer_.kind != LayerKind::kMaximum && layer_.kind != LayerKind::kMinimum &&
      stream_.chance(0.4)) {
    ActivationClamp& clamp = case_.quantised.clamp;
    clamp.min = between(-128, 100);
    clamp.max = between(clamp.min, 127);
  }
  const auto scale = [&] { return stream_.chance(0.3) ? 0.5 : 0.01 + stream_.uniform(); };
  const double a = scale();
  const double b = scale();
  const double common = 2 * std::max(a, b);
  const double out = common * (0.2 + stream_.uniform());
  AddArithmetic& add = case_.quantised.add;
  add.inputs = {quantise_multiplier(a / common), quantise_multiplier(b / common)};
  add.output = quantise_multiplier(common / ((1 << kAddLeftShift) * out));
  if (layer_.kind == LayerKind::kSquaredDifference) {
    add.output =
        quantise_multiplier(common / std::ldexp(out * 100, 2 * kSquaredDifferenceLeftShift));
  } else if (layer_.kind == LayerKind::kMultiply || layer_.kind == LayerKind::kPrelu) {
    // Mostly of outputs that fill their range, or of any shift.
    const int exponent = stream_.chance(0.7) ? between(-9, -5) : between(-30, 12);
    add.output = quantise_multiplier(std::ldexp(0.5 + stream_.uniform(), exponent));
    add.inputs[0] = quantise_multiplier(std::ldexp(
        0.5 + stream_.uniform(), stream_.chance(0.7) ? between(-2, 1) : between(-30, 18)));
  }
}

void ElementCase::choose_resizing() {
  layer_.kind = LayerKind::kResize;
  layer_.resizing = {.is_bilinear = stream_.chance(0.7),
                     .align_corners = stream_.chance(0.3),
                     .half_pixel_centers = false};
  layer_.resizing.half_pixel_centers = !layer_.resizing.align_corners && stream_.chance(0.5);
  const auto extent = [&](int input) { return stream_.chance(0.5) ? 2 * input : between(1, 14); };
  layer_.output.height = extent(case_.input.height);
  layer_.output.width = extent(case_.input.width);
}

void ElementCase::choose_channel_range() {
  layer_.kind = LayerKind::kCopyChannels;
  ChannelRange& range = layer_.channels;
  range.count = between(1, case_.input.channels);
  range.from = between(0, case_.input.channels - range.count);
  range.to = stream_.chance(0.3) ? 0 : between(0, 20);
  layer_.output.channels = range.to + range.count + (stream_.chance(0.3) ? 0 : between(0, 20));
  case_.quantised.fill = static_cast<std::int8_t>(between(-128, 127));
  if (stream_.chance(0.5)) {
    add_second_tensor();
  }
}

// A box of the input, its axes in any order, reversed, repeated or with gaps, to one of the output.
void ElementCase::choose_copy() {
  layer_.kind = LayerKind::kCopy;
  case_.quantised.fill = static_cast<std::int8_t>(between(-128, 127));
  StridedCopy& copy = layer_.copy;
  const std::array from_extents = {case_.input.height, case_.input.width, case_.input.channels};
  const std::array from_strides = {case_.input.width * case_.input.channels, case_.input.channels,
                                   1};
  std::array axes = {0, 1, 2};
  if (stream_.chance(0.5)) {
    stream_.shuffle(std::span<int>(axes));
  }
  std::array<int, 3> to_extents{};
  std::array<int, 3> to_begin{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    const int extent = from_extents[axis];
    const int choice = between(0, 9);
    const int step = choice == 0 ? 2 : choice == 1 ? -1 : choice == 2 ? 0 : 1;
    const int most = step == 0 ? 5 : (extent + std::abs(step) - 1) / std::max(1, std::abs(step));
    copy.counts[i] = stream_.chance(0.6) ? most : between(1, most);
    copy.from_strides[i] = step * from_strides[axis];
    const int first = step < 0 ? copy.counts[i] - 1 : 0;
    copy.from += first * from_strides[axis];
    to_begin[i] = stream_.chance(0.6) ? 0 : between(0, 5);
    to_extents[i] = to_begin[i] + copy.counts[i] + (stream_.chance(0.6) ? 0 : between(0, 5));
  }
  layer_.output = {to_extents[0], to_extents[1], to_extents[2]};
  copy.to_strides = {to_extents[1] * to_extents[2], to_extents[2], 1};
  for (std::size_t i = 0; i < 3; ++i) {
    copy.to += to_begin[i] * copy.to_strides[i];
  }
  if (copy.elements() < layer_.output.elements() && stream_.chance(0.5)) {
    add_second_tensor();
  }
}

// On each side so many positions more, or fewer.
void ElementCase::choose_margins() {
  layer_.kind = LayerKind::kPad;
  case_.quantised.fill = static_cast<std::int8_t>(between(-128, 127));
  const auto choose_axis = [&](int input, int& pad, int& output) {
    pad = stream_.chance(0.3) ? 0 : between(1 - input, 5);
    const int least = std::max(1, pad + 1);
    output = stream_.chance(0.3) ? std::max(least, input) : between(least, input + pad + 5);
  };
  choose_axis(case_.input.height, layer_.kernel.pad_top, layer_.output.height);
  choose_axis(case_.input.width, layer_.kernel.pad_left, layer_.output.width);
}

void ElementCase::choose_rectangles() {
  const TensorShape& output = layer_.output;
  const bool is_whole = case_.call == KernelFunction::kCopy;
  case_.computed =
      is_whole ? full_rect(output)
               : Rect{random_part(output.height, stream_), random_part(output.width, stream_)};
  const auto around = [&] {
    return is_whole ? case_.computed
                    : Rect{widened(case_.computed.rows, output.height, stream_),
                           widened(case_.computed.cols, output.width, stream_)};
  };
  case_.held = around();
  case_.read =
      is_whole || case_.call == KernelFunction::kResize ? full_rect(case_.input) : around();
  if (case_.call == KernelFunction::kPad) {
    const auto read = [&](const Interval& computed, int pad, int extent) {
      const Interval inside{std::max(0, computed.begin - pad),
                            std::min(extent, computed.end - pad)};
      return inside.empty() ? Interval{} : widened(inside, extent, stream_);
    };
    case_.read = {read(case_.computed.rows, layer_.kernel.pad_top, case_.input.height),
                  read(case_.computed.cols, layer_.kernel.pad_left, case_.input.width)};
  }
  case_.second_read = around();
  if (case_.call == KernelFunction::kCombine) {
    case_.second_read = case_.held;  // so that one may be written over
  }
}

void ElementCase::choose_values() {
  case_.values[0] = random_bytes(case_.read.pixels() * case_.input.channels, stream_);
  if (layer_.input_count() == 2) {
    case_.values[1] = random_bytes(case_.second_read.pixels() * layer_.output.channels, stream_);
  }
}

}  // namespace

KernelCase element_case(KernelFunction call, Arithmetic arithmetic, RandomStream& stream) {
  return ElementCase(call, arithmetic, stream).result();
}

}  // namespace patchnas::testing
