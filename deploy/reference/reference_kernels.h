#pragma once

// The integer kernels, bit-exact with TensorFlow Lite Micro's reference kernels. Each computes the
// rectangle `computed` of its layer's output. Taps outside the image are skipped, which equals
// padding with the zero point; the input window must hold every tap inside the image
// (SegmentGeometry says which those are).

#include <array>
#include <cstdint>
#include <span>

#include "arch/fixed_point.h"
#include "arch/quantized_network.h"
#include "deploy/reference/litert_arithmetic.h"
#include "deploy/reference/tensor_window.h"

namespace patchnas {

/// One layer of a network, with what its kernel needs.
struct LayerContext {
  const Layer& layer;
  const QuantizedLayer& quantised;
  std::array<TensorQuantisation, 2> inputs;
  TensorQuantisation output;
  Arithmetic arithmetic = Arithmetic::kTfliteMicro;
};

/// As one of TensorFlow Lite Micro's arithmetics rounds.
inline std::int32_t requantise(std::int32_t x, const Requantisation& by, Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kTfliteMicroSingleRounding ? requantise_rounding_once(x, by)
                                                              : requantise(x, by);
}

LayerContext layer_context(const QuantizedNetwork& network, int layer,
                           Arithmetic arithmetic = Arithmetic::kTfliteMicro);

/// Runs any layer. The output may lie over an input only where may_overwrite() says so and windows
/// are equal.
void run_layer(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
               const OutputWindow& output, const Rect& computed);

void convolve(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
              const Rect& computed);
/// Also with dilation.
void convolve_groups(const LayerContext& context, const InputWindow& input,
                     const OutputWindow& output, const Rect& computed);
void convolve_depthwise(const LayerContext& context, const InputWindow& input,
                        const OutputWindow& output, const Rect& computed);
void convolve_transposed(const LayerContext& context, const InputWindow& input,
                         const OutputWindow& output, const Rect& computed);
void connect_fully(const LayerContext& context, const InputWindow& input,
                   const OutputWindow& output);
void add(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
         const OutputWindow& output, const Rect& computed);
/// All that combine two values but additions of tensors.
void combine(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
             const OutputWindow& output, const Rect& computed);
void look_up(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
             const Rect& computed);
void resize(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
            const Rect& computed);
/// Of the second input is what is not copied.
void copy_channels(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
                   const OutputWindow& output, const Rect& computed);
void pad(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
         const Rect& computed);
void copy_elements(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
                   const OutputWindow& output);
void pool_average(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
                  const Rect& computed);
void mean(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
          const Rect& computed);
void pool_max(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
              const Rect& computed);
void softmax(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
             const Rect& computed);

/// A global average pooling or mean whose input comes in parts: adds the pixels' values to the sum
/// of their channel; or a fully connected layer: adds their products with their weights to the sum
/// of each output, …
void add_to_sums(const LayerContext& context, const InputWindow& input, const Rect& pixels,
                 std::span<std::int32_t> sums);
/// … and computes the output from the sums, over `count` pixels.
void finish_sums(const LayerContext& context, std::span<const std::int32_t> sums, int count,
                 const OutputWindow& output);

/// Both of poolings and of fully connected layers.
void add_pixels(const InputWindow& input, const Rect& pixels, std::span<std::int32_t> sums);
void finish_pooling(const LayerContext& context, std::span<const std::int32_t> sums, int count,
                    const OutputWindow& output);
void add_products(const LayerContext& context, const InputWindow& input, const Rect& pixels,
                  std::span<std::int32_t> sums);
void finish_products(const LayerContext& context, std::span<const std::int32_t> sums,
                     const OutputWindow& output);

/// Depthwise over its own input: both windows begin at buffer[0]. One channel at a time, the plane
/// `read` of the input is copied to `scratch` (at least read.pixels() bytes) and the channel's
/// outputs are written over it.
void convolve_depthwise_in_place(const LayerContext& context, std::span<std::int8_t> buffer,
                                 const Rect& input_window, const TensorShape& input_shape,
                                 const Rect& read, const Rect& output_window, const Rect& computed,
                                 std::span<std::int8_t> scratch);

/// The taps [begin, end) of a window of `size` that lie inside [0, extent) when its first tap is at
/// `origin`.
inline Interval taps_inside(int origin, int size, int extent) {
  return {origin < 0 ? -origin : 0, origin + size > extent ? extent - origin : size};
}

}  // namespace patchnas
