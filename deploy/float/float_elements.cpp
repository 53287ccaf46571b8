// What computes element by element, moves elements, or interpolates between them.

#include <algorithm>
#include <cmath>
#include <limits>

#include "arch/resize_samples.h"
#include "deploy/float/float_layers.h"

namespace patchnas {
namespace {

class Combination : public FloatLayerRun {
 public:
  Combination(const Layer& layer, const FloatLayer& own) : layer_(layer), own_(own) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    const std::span<const float> a = inputs[0].values;
    const bool is_constant = has_constant_operand(layer_);
    const bool is_repeated = is_constant || layer_.repeats_second;
    const std::span<const float> b = is_constant ? own_.constants : inputs[1].values;
    for (std::size_t i = 0; i < output.size(); ++i) {
      const float second = b[is_repeated ? i % b.size() : i];
      output[i] = own_.constants_come_first ? combined(second, a[i]) : combined(a[i], second);
    }
  }

 private:
  [[nodiscard]] float combined(float first, float second) const {
    switch (layer_.kind) {
      case LayerKind::kMultiply:
        return first * second;
      case LayerKind::kSubtract:
        return first - second;
      case LayerKind::kPrelu:
        return first < 0.0F ? first * second : first;
      case LayerKind::kMaximum:
        return std::max(first, second);
      case LayerKind::kMinimum:
        return std::min(first, second);
      case LayerKind::kSquaredDifference:
        return (first - second) * (first - second);
      default:
        return first + second;
    }
  }

  const Layer& layer_;
  const FloatLayer& own_;
};

class Function : public FloatLayerRun {
 public:
  Function(const Layer& layer, const FloatLayer& own) : layer_(layer), own_(own) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    std::transform(inputs[0].values.begin(), inputs[0].values.end(), output.begin(),
                   [&](float x) { return value(x); });
  }

 private:
  [[nodiscard]] float value(float x) const {
    switch (layer_.function) {
      case ValueFunction::kRequantise:
        return x;
      case ValueFunction::kRelu:
        return std::max(x, 0.0F);
      case ValueFunction::kRelu6:
        return std::clamp(x, 0.0F, 6.0F);
      case ValueFunction::kLeakyRelu:
        return x < 0.0F ? x * own_.leaky_slope : x;
      case ValueFunction::kLogistic:
        return static_cast<float>(1.0 / (1.0 + std::exp(-double{x})));
      case ValueFunction::kTanh:
        return static_cast<float>(std::tanh(double{x}));
      case ValueFunction::kHardSwish:
        return x * std::clamp(x + 3.0F, 0.0F, 6.0F) / 6.0F;
      case ValueFunction::kAbs:
        return std::abs(x);
      case ValueFunction::kElu:
        return static_cast<float>(x < 0.0F ? std::expm1(double{x}) : double{x});
      case ValueFunction::kRsqrt:
        return x > 0.0F ? 1.0F / std::sqrt(x) : std::numeric_limits<float>::max();
      case ValueFunction::kTable:
        break;  // of int8 networks only: check_values()
    }
    return x;
  }

  const Layer& layer_;
  const FloatLayer& own_;
};

// Between which two positions of the input one of the output lies, and how far from the first.
struct RealSample {
  int first = 0;
  int second = 0;
  float part = 0.0F;
};

// The integer kernels' positions are rounded to kResizeParts where they interpolate; these are not.
std::vector<RealSample> real_samples(const Resizing& resizing, int input, int output) {
  std::vector<RealSample> samples;
  if (!resizing.is_bilinear) {
    for (const ResizeSample& sample : resize_samples(resizing, input, output)) {
      samples.push_back({.first = sample.first, .second = sample.first});
    }
    return samples;
  }
  const bool corners = resizing.align_corners && output > 1;
  const double scale = static_cast<double>(corners ? input - 1 : input) /
                       static_cast<double>(corners ? output - 1 : output);
  for (int position = 0; position < output; ++position) {
    const double at =
        resizing.half_pixel_centers ? (position + 0.5) * scale - 0.5 : position * scale;
    const double inside = std::clamp(at, 0.0, static_cast<double>(input - 1));
    const int first = static_cast<int>(inside);
    samples.push_back({.first = first,
                       .second = std::min(first + 1, input - 1),
                       .part = static_cast<float>(inside - first)});
  }
  return samples;
}

class Resize : public FloatLayerRun {
 public:
  explicit Resize(const Layer& layer) : layer_(layer) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    const FloatInput& in = inputs[0];
    const auto rows = real_samples(layer_.resizing, in.shape.height, layer_.output.height);
    const auto cols = real_samples(layer_.resizing, in.shape.width, layer_.output.width);
    float* out = output.data();
    for (const RealSample& y : rows) {
      for (const RealSample& x : cols) {
        for (int c = 0; c < layer_.output.channels; ++c) {
          const auto along = [&](int row) {
            return std::lerp(in.pixel(row, x.first)[c], in.pixel(row, x.second)[c], x.part);
          };
          *out++ = std::lerp(along(y.first), along(y.second), y.part);
        }
      }
    }
  }

 private:
  const Layer& layer_;
};

// Elements of the output that are not copied are those of the second input, or constants.
void start_from(std::span<float> output, const FloatInput& rest, const Layer& layer,
                const FloatLayer& own) {
  if (layer.has_constant_map) {
    std::copy(own.constants.begin(), own.constants.end(), output.begin());
  } else if (rest.values.empty()) {
    std::fill(output.begin(), output.end(), own.fill);
  } else {
    std::copy(rest.values.begin(), rest.values.end(), output.begin());
  }
}

class ChannelCopy : public FloatLayerRun {
 public:
  ChannelCopy(const Layer& layer, const FloatLayer& own) : layer_(layer), own_(own) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    start_from(output, inputs[1], layer_, own_);
    const ChannelRange& range = layer_.channels;
    for (std::int64_t pixel = 0; pixel < layer_.output.pixels(); ++pixel) {
      std::copy_n(inputs[0].values.data() + pixel * inputs[0].shape.channels + range.from,
                  range.count, output.data() + pixel * layer_.output.channels + range.to);
    }
  }

 private:
  const Layer& layer_;
  const FloatLayer& own_;
};

class Pad : public FloatLayerRun {
 public:
  Pad(const Layer& layer, const FloatLayer& own) : layer_(layer), own_(own) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    std::fill(output.begin(), output.end(), own_.fill);
    const FloatInput& in = inputs[0];
    const TensorShape& to = layer_.output;
    const Kernel& k = layer_.kernel;
    const int first = std::max(0, k.pad_left);
    const int end = std::min(to.width, in.shape.width + k.pad_left);
    for (int row = std::max(0, k.pad_top); row < std::min(to.height, in.shape.height + k.pad_top);
         ++row) {
      std::copy_n(in.pixel(row - k.pad_top, first - k.pad_left),
                  std::ptrdiff_t{end - first} * to.channels,
                  output.data() + (std::ptrdiff_t{row} * to.width + first) * to.channels);
    }
  }

 private:
  const Layer& layer_;
  const FloatLayer& own_;
};

class ElementCopy : public FloatLayerRun {
 public:
  ElementCopy(const Layer& layer, const FloatLayer& own) : layer_(layer), own_(own) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    start_from(output, inputs[1], layer_, own_);
    const StridedCopy& copy = layer_.copy;
    for (int i = 0; i < copy.counts[0]; ++i) {
      for (int j = 0; j < copy.counts[1]; ++j) {
        for (int k = 0; k < copy.counts[2]; ++k) {
          const auto at = [&](int begin, const std::array<int, 3>& strides) {
            return static_cast<std::size_t>(begin + i * strides[0] + j * strides[1] +
                                            k * strides[2]);
          };
          output[at(copy.to, copy.to_strides)] = inputs[0].values[at(copy.from, copy.from_strides)];
        }
      }
    }
  }

 private:
  const Layer& layer_;
  const FloatLayer& own_;
};

}  // namespace

std::unique_ptr<FloatLayerRun> make_elementwise(const Layer& layer, const FloatLayer& own) {
  switch (layer.kind) {
    case LayerKind::kAdd:
    case LayerKind::kSubtract:
    case LayerKind::kMultiply:
    case LayerKind::kPrelu:
    case LayerKind::kMaximum:
    case LayerKind::kMinimum:
    case LayerKind::kSquaredDifference:
      return std::make_unique<Combination>(layer, own);
    case LayerKind::kLookup:
      return std::make_unique<Function>(layer, own);
    case LayerKind::kResize:
      return std::make_unique<Resize>(layer);
    case LayerKind::kCopyChannels:
      return std::make_unique<ChannelCopy>(layer, own);
    case LayerKind::kPad:
      return std::make_unique<Pad>(layer, own);
    case LayerKind::kCopy:
      return std::make_unique<ElementCopy>(layer, own);
    default:
      return nullptr;  // an input computes nothing
  }
}

}  // namespace patchnas
