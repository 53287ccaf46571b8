// What takes one value of many: poolings and means over windows, softmax over channels.

#include <algorithm>
#include <cmath>
#include <limits>

#include "deploy/float/float_layers.h"

namespace patchnas {
namespace {

class Pooling : public FloatLayerRun {
 public:
  Pooling(const Layer& layer, const FloatLayer& own) : layer_(layer), own_(own) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    const auto channels = static_cast<std::size_t>(layer_.output.channels);
    float* out = output.data();
    for (int row = 0; row < layer_.output.height; ++row) {
      for (int col = 0; col < layer_.output.width; ++col, out += channels) {
        pool(inputs[0], row, col, std::span(out, channels));
      }
    }
  }

 private:
  // Of the positions of the window that lie in the input.
  void pool(const FloatInput& in, int out_row, int out_col, std::span<float> out) const {
    const Kernel& k = layer_.kernel;
    const int top = out_row * k.stride_h - k.pad_top;
    const int left = out_col * k.stride_w - k.pad_left;
    const int rows = std::min(top + k.height, in.shape.height);
    const int cols = std::min(left + k.width, in.shape.width);
    const bool is_max = layer_.kind == LayerKind::kMaxPool;
    std::vector<double> result(out.size(), is_max ? -std::numeric_limits<double>::infinity() : 0.0);
    int count = 0;
    for (int row = std::max(top, 0); row < rows; ++row) {
      for (int col = std::max(left, 0); col < cols; ++col, ++count) {
        const float* const pixel = in.pixel(row, col);
        for (std::size_t c = 0; c < out.size(); ++c) {
          result[c] = is_max ? std::max(result[c], double{pixel[c]}) : result[c] + pixel[c];
        }
      }
    }
    for (std::size_t c = 0; c < out.size(); ++c) {
      out[c] = static_cast<float>(is_max || own_.is_sum ? result[c] : result[c] / count);
    }
  }

  const Layer& layer_;
  const FloatLayer& own_;
};

class Softmax : public FloatLayerRun {
 public:
  explicit Softmax(const Layer& layer) : channels_(layer.output.channels) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    const std::span<const float> in = inputs[0].values;
    const auto channels = static_cast<std::size_t>(channels_);
    for (std::size_t at = 0; at < in.size(); at += channels) {
      const std::span<const float> pixel = in.subspan(at, channels);
      const float largest = *std::max_element(pixel.begin(), pixel.end());
      double sum = 0;
      for (const float x : pixel) {
        sum += std::exp(double{x} - largest);
      }
      for (std::size_t c = 0; c < channels; ++c) {
        output[at + c] = static_cast<float>(std::exp(double{pixel[c]} - largest) / sum);
      }
    }
  }

 private:
  int channels_;
};

}  // namespace

std::unique_ptr<FloatLayerRun> make_pooling(const Layer& layer, const FloatLayer& own) {
  if (layer.kind == LayerKind::kSoftmax) {
    return std::make_unique<Softmax>(layer);
  }
  return std::make_unique<Pooling>(layer, own);
}

}  // namespace patchnas
