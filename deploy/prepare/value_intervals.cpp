#include "deploy/prepare/value_intervals.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <span>

#include "deploy/reference/reference_kernels.h"

namespace patchnas {
namespace {

constexpr Arithmetic kArithmetics[] = {Arithmetic::kTfliteMicro,
                                       Arithmetic::kTfliteMicroSingleRounding};

using Values = std::vector<std::int8_t>;

Values ends(const ChannelIntervals& intervals, bool high) {
  Values values;
  for (const ValueInterval& interval : intervals) {
    values.push_back(high ? interval.high : interval.low);
  }
  return values;
}

// Intervals that hold the values of several pixels.
class Hull {
 public:
  explicit Hull(std::size_t channels) : intervals_(channels, {127, -128}) {}

  void add(std::span<const std::int8_t> pixel) {
    for (std::size_t c = 0; c < intervals_.size(); ++c) {
      add(c, pixel[c]);
    }
  }
  void add(std::size_t channel, std::int8_t value) {
    ValueInterval& interval = intervals_[channel];
    interval.low = std::min(interval.low, value);
    interval.high = std::max(interval.high, value);
  }
  [[nodiscard]] ChannelIntervals intervals() && { return std::move(intervals_); }

 private:
  ChannelIntervals intervals_;
};

// What sums of products from `low` to `high` become, the bias not yet added.
struct SumInterval {
  std::int64_t low = 0;
  std::int64_t high = 0;

  void add(int weight, std::int64_t smallest, std::int64_t largest) {
    low += std::min(weight * smallest, weight * largest);
    high += std::max(weight * smallest, weight * largest);
  }
};

class IntervalsOfLayer {
 public:
  IntervalsOfLayer(const QuantizedNetwork& network, int layer,
                   const std::vector<ChannelIntervals>& tensors)
      : network_(network),
        index_(layer),
        layer_(network.network.layers[static_cast<std::size_t>(layer)]),
        quantised_(network.layers[static_cast<std::size_t>(layer)]),
        tensors_(tensors),
        in_(tensors[static_cast<std::size_t>(layer_.inputs[0])]),
        channels_(static_cast<std::size_t>(layer_.output.channels)) {}

  [[nodiscard]] ChannelIntervals intervals() const {
    switch (layer_.kind) {
      case LayerKind::kConv2d:
      case LayerKind::kDepthwiseConv2d:
      case LayerKind::kFullyConnected:
        return of_sums();
      case LayerKind::kAdd:
      case LayerKind::kSubtract:
      case LayerKind::kMultiply:
      case LayerKind::kMaximum:
      case LayerKind::kMinimum:
        return layer_.has_constant_map ? clamped() : of_corners();
      case LayerKind::kPrelu:
      case LayerKind::kSquaredDifference:
        return clamped();
      case LayerKind::kLookup:
        return of_table();
      case LayerKind::kAveragePool:
      case LayerKind::kMaxPool:
        return of_pools();
      case LayerKind::kMean:
        return of_means();
      case LayerKind::kResize:
        return in_;
      case LayerKind::kCopyChannels:
        return of_channel_ranges();
      case LayerKind::kCopy:
        return of_copy();
      case LayerKind::kPad:
        return of_pad();
      case LayerKind::kTransposeConv:
        return clamped();
      case LayerKind::kSoftmax:
      case LayerKind::kInput:
        break;
    }
    return ChannelIntervals(channels_);
  }

 private:
  // All that the activation function lets through.
  [[nodiscard]] ChannelIntervals clamped() const {
    const ActivationClamp& clamp = quantised_.clamp;
    return ChannelIntervals(
        channels_, {static_cast<std::int8_t>(clamp.min), static_cast<std::int8_t>(clamp.max)});
  }

  // ----- layers with weights

  [[nodiscard]] ChannelIntervals of_sums() const {
    const std::int32_t zero_point =
        network_.tensors[static_cast<std::size_t>(layer_.inputs[0])].zero_point;
    std::vector<SumInterval> sums(channels_);
    const auto add = [&](std::size_t out, std::size_t in, int weight, bool may_be_outside) {
      std::int64_t smallest = in_[in].low - zero_point;
      std::int64_t largest = in_[in].high - zero_point;
      if (may_be_outside) {
        smallest = std::min<std::int64_t>(smallest, 0);
        largest = std::max<std::int64_t>(largest, 0);
      }
      sums[out].add(weight, smallest, largest);
    };
    if (layer_.kind == LayerKind::kFullyConnected) {
      const std::size_t elements = quantised_.weights.size() / channels_;
      for (std::size_t i = 0; i < quantised_.weights.size(); ++i) {
        add(i / elements, i % elements % in_.size(), quantised_.weights[i], false);
      }
    } else {
      add_taps(add);
    }
    ChannelIntervals result;
    for (std::size_t c = 0; c < channels_; ++c) {
      result.push_back(finished(sums[c], c));
    }
    return result;
  }

  template <typename Add>
  void add_taps(const Add& add) const {
    const TapPlaces places = tap_places(layer_, network_.network.shape(layer_.inputs[0]));
    const bool is_depthwise = layer_.kind == LayerKind::kDepthwiseConv2d;
    const auto groups = static_cast<std::size_t>(layer_.groups);
    const std::size_t per_group = is_depthwise ? 1 : in_.size() / groups;
    const std::size_t outputs = channels_ / groups;
    for (std::size_t tap = 0; tap < places.inside.size(); ++tap) {
      for (std::size_t o = 0; places.inside[tap] && o < channels_; ++o) {
        for (std::size_t i = 0; i < per_group; ++i) {
          const std::size_t weight =
              is_depthwise ? tap * channels_ + o : (o * places.inside.size() + tap) * per_group + i;
          add(o, is_depthwise ? o : o / outputs * per_group + i, quantised_.weights[weight],
              places.outside[tap]);
        }
      }
    }
  }

  // Requantising keeps the order of sums, or reverses it, as long as nothing wraps around.
  [[nodiscard]] ValueInterval finished(const SumInterval& sum, std::size_t channel) const {
    constexpr std::int64_t kWrap = std::int64_t{1} << 32;
    const Requantisation& by = quantised_.requantisation[channel];
    const std::int64_t low = sum.low + quantised_.biases[channel];
    const std::int64_t high = sum.high + quantised_.biases[channel];
    // Biases may wrap around: sums that all do so are still in order.
    const std::int64_t wraps = (low - std::numeric_limits<std::int32_t>::min()) >> 32;
    const std::int64_t largest =
        std::int64_t{std::numeric_limits<std::int32_t>::max()} >> std::max(by.shift, 0);
    const std::int64_t first = low - wraps * kWrap;
    const std::int64_t last = high - wraps * kWrap;
    const ActivationClamp& clamp = quantised_.clamp;
    if (last > largest || first < -largest) {
      return {static_cast<std::int8_t>(clamp.min), static_cast<std::int8_t>(clamp.max)};
    }
    Hull hull(1);
    const std::int32_t zero_point =
        network_.tensors[static_cast<std::size_t>(index_) + 1].zero_point;
    for (const Arithmetic arithmetic : kArithmetics) {
      for (const std::int64_t end : {first, last}) {
        const std::int32_t scaled = requantise(static_cast<std::int32_t>(end), by, arithmetic);
        hull.add(0, static_cast<std::int8_t>(std::clamp<std::int64_t>(
                        std::int64_t{scaled} + zero_point, clamp.min, clamp.max)));
      }
    }
    return std::move(hull).intervals().front();
  }

  // ----- layers that compute channel by channel, by their own kernels

  // Adds what the layer makes of a pixel.
  void run(const Values& a, const Values& b, Hull& hull) const {
    const TensorShape one_pixel{1, 1, static_cast<int>(channels_)};
    const Rect rect = full_rect(one_pixel);
    Values out(channels_);
    for (const Arithmetic arithmetic : kArithmetics) {
      run_layer(layer_context(network_, index_, arithmetic),
                {InputWindow{a, rect, one_pixel}, InputWindow{b, rect, one_pixel}},
                {out, rect, one_pixel}, rect);
      hull.add(out);
    }
  }

  // Sums, differences and products are largest and smallest at ends of their operands.
  [[nodiscard]] ChannelIntervals of_corners() const {
    Hull hull(channels_);
    for (const bool a : {false, true}) {
      if (has_constant_operand(layer_)) {
        run(ends(in_, a), {}, hull);
        continue;
      }
      for (const bool b : {false, true}) {
        run(ends(in_, a), ends(tensors_[static_cast<std::size_t>(layer_.inputs[1])], b), hull);
      }
    }
    return std::move(hull).intervals();
  }

  [[nodiscard]] ChannelIntervals of_table() const {
    Hull hull(channels_);
    for (const LookupTable* const table : {&quantised_.lookup.twice, &quantised_.lookup.once}) {
      for (std::size_t c = 0; c < channels_; ++c) {
        for (int value = in_[c].low; value <= in_[c].high; ++value) {
          hull.add(c, (*table)[static_cast<std::size_t>(value + 128)]);
        }
      }
    }
    return std::move(hull).intervals();
  }

  // Averages and maxima of equal values are these.
  [[nodiscard]] ChannelIntervals of_pools() const {
    const auto clamped = [this](std::int8_t value) {
      const ActivationClamp& clamp = quantised_.clamp;
      return static_cast<std::int8_t>(std::clamp<std::int32_t>(value, clamp.min, clamp.max));
    };
    ChannelIntervals result;
    for (const ValueInterval& interval : in_) {
      result.push_back({clamped(interval.low), clamped(interval.high)});
    }
    return result;
  }

  [[nodiscard]] ChannelIntervals of_means() const {
    const int count = layer_.kernel.height * layer_.kernel.width;
    const TensorShape one_pixel{1, 1, static_cast<int>(channels_)};
    Hull hull(channels_);
    for (const bool high : {false, true}) {
      Values out = ends(in_, high);
      std::vector<std::int32_t> sums;
      std::transform(out.begin(), out.end(), std::back_inserter(sums),
                     [count](std::int32_t value) { return value * count; });
      for (const Arithmetic arithmetic : kArithmetics) {
        finish_sums(layer_context(network_, index_, arithmetic), sums, count,
                    {out, full_rect(one_pixel), one_pixel});
        hull.add(out);
      }
    }
    return std::move(hull).intervals();
  }

  // ----- copies

  [[nodiscard]] ChannelIntervals of_channel_ranges() const {
    const ChannelRange& range = layer_.channels;
    ChannelIntervals result(channels_, {quantised_.fill, quantised_.fill});
    if (layer_.has_constant_map) {
      result = of_constants();
    } else if (layer_.input_count() == 2) {
      result = tensors_[static_cast<std::size_t>(layer_.inputs[1])];
    }
    std::copy_n(in_.begin() + range.from, range.count, result.begin() + range.to);
    return result;
  }

  [[nodiscard]] ChannelIntervals of_pad() const {
    Hull hull(channels_);
    hull.add(ends(in_, false));
    hull.add(ends(in_, true));
    hull.add(Values(channels_, quantised_.fill));
    return std::move(hull).intervals();
  }

  [[nodiscard]] ChannelIntervals of_constants() const {
    Hull hull(channels_);
    for (std::size_t i = 0; i < quantised_.constants.size(); ++i) {
      hull.add(i % channels_, quantised_.constants[i]);
    }
    return std::move(hull).intervals();
  }

  [[nodiscard]] ChannelIntervals of_copy() const {
    Hull hull(1);
    const auto add_all = [&hull](const ChannelIntervals& intervals) {
      for (const ValueInterval& interval : intervals) {
        hull.add(0, interval.low);
        hull.add(0, interval.high);
      }
    };
    add_all(in_);
    if (layer_.input_count() == 2) {
      add_all(tensors_[static_cast<std::size_t>(layer_.inputs[1])]);
    }
    if (layer_.has_constant_map) {
      add_all(of_constants());
    } else if (fills(layer_)) {
      hull.add(0, quantised_.fill);
    }
    return ChannelIntervals(channels_, std::move(hull).intervals().front());
  }

  const QuantizedNetwork& network_;
  int index_;
  const Layer& layer_;
  const QuantizedLayer& quantised_;
  const std::vector<ChannelIntervals>& tensors_;
  const ChannelIntervals& in_;
  std::size_t channels_;
};

// Of positions i * stride + offset, whether any is inside [0, extent), and whether any is not.
struct AxisPlaces {
  bool any_inside = false;
  bool any_outside = false;
};
AxisPlaces axis_places(int positions, int stride, int offset, int extent) {
  const int first_from_zero = offset < 0 ? (stride - 1 - offset) / stride : 0;
  const std::int64_t last = std::int64_t{positions - 1} * stride + offset;
  return {.any_inside = first_from_zero < positions &&
                        std::int64_t{first_from_zero} * stride + offset < extent,
          .any_outside = offset < 0 || last >= extent};
}

}  // namespace

TapPlaces tap_places(const Layer& layer, const TensorShape& input) {
  const Kernel& k = layer.kernel;
  TapPlaces places;
  for (int i = 0; i < k.height; ++i) {
    const AxisPlaces rows =
        axis_places(layer.output.height, k.stride_h, i * k.dilation_h - k.pad_top, input.height);
    for (int j = 0; j < k.width; ++j) {
      const AxisPlaces cols =
          axis_places(layer.output.width, k.stride_w, j * k.dilation_w - k.pad_left, input.width);
      places.inside.push_back(rows.any_inside && cols.any_inside);
      places.outside.push_back(rows.any_outside || cols.any_outside);
    }
  }
  return places;
}

std::vector<ChannelIntervals> value_intervals(const QuantizedNetwork& network) {
  std::vector<ChannelIntervals> tensors;
  tensors.emplace_back(static_cast<std::size_t>(network.network.input.channels));
  for (int layer = 0; layer < network.network.layer_count(); ++layer) {
    tensors.push_back(IntervalsOfLayer(network, layer, tensors).intervals());
  }
  return tensors;
}

}  // namespace patchnas
