#pragma once

// What each kind of layer computes in float. Private to the executor.

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "arch/float_network.h"

namespace patchnas {

/// A tensor that a layer reads.
struct FloatInput {
  std::span<const float> values;
  TensorShape shape;

  [[nodiscard]] const float* pixel(int row, int col) const {
    return values.data() + (static_cast<std::ptrdiff_t>(row) * shape.width + col) * shape.channels;
  }
};
/// The second one is empty where there is one only.
using FloatInputs = std::array<FloatInput, 2>;

/// A layer, made ready to be computed many times.
class FloatLayerRun {
 public:
  FloatLayerRun() = default;
  FloatLayerRun(const FloatLayerRun&) = delete;
  FloatLayerRun& operator=(const FloatLayerRun&) = delete;
  virtual ~FloatLayerRun() = default;

  /// @param output [H, W, C] of the layer's output, all zero; before its activation function
  virtual void run(const FloatInputs& inputs, std::span<float> output) const = 0;
};

// `layer` and `own` must outlive what is made of them.

/// Convolutions of all kinds and fully connected layers. @param input shape
std::unique_ptr<FloatLayerRun> make_weighted(const Layer& layer, const FloatLayer& own,
                                             const TensorShape& input);
/// Average and maximum poolings, means, sums, softmax.
std::unique_ptr<FloatLayerRun> make_pooling(const Layer& layer, const FloatLayer& own);
/// What computes or moves single elements.
std::unique_ptr<FloatLayerRun> make_elementwise(const Layer& layer, const FloatLayer& own);

}  // namespace patchnas
