#include "deploy/reference/reference_kernels.h"

#include <algorithm>
#include <cstring>

#include "arch/operator_table.h"

namespace patchnas {
namespace {

// Calls sum(a, b) for every pair of values and stores what it returns, with the output's zero point
// and clamped.
template <typename Sum>
void add_pairs(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
               const OutputWindow& output, const Rect& computed, const Sum& sum) {
  const ActivationClamp& clamp = context.quantised.clamp;
  const int row_elements = computed.cols.size() * output.shape.channels;
  for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
    const std::int8_t* const a = inputs[0].pixel(row, computed.cols.begin);
    const std::int8_t* const b = inputs[1].pixel(row, computed.cols.begin);
    std::int8_t* const out = output.pixel(row, computed.cols.begin);
    for (int i = 0; i < row_elements; ++i) {
      out[i] = static_cast<std::int8_t>(
          std::clamp(sum(a[i], b[i]) + context.output.zero_point, clamp.min, clamp.max));
    }
  }
}

// What was written of the tensor that the layer goes on with, where that lies apart.
void take_over(const InputWindow& rest, const OutputWindow& output, const Rect& computed) {
  const auto row_bytes = static_cast<std::size_t>(computed.cols.size()) *
                         static_cast<std::size_t>(output.shape.channels);
  for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
    std::memmove(output.pixel(row, computed.cols.begin), rest.pixel(row, computed.cols.begin),
                 row_bytes);
  }
}

}  // namespace

LayerContext layer_context(const QuantizedNetwork& network, int layer, Arithmetic arithmetic) {
  const auto index = static_cast<std::size_t>(layer);
  const Layer& l = network.network.layers[index];
  const auto quantisation = [&](TensorId tensor) {
    return network.tensors[static_cast<std::size_t>(tensor)];
  };
  return {.layer = l,
          .quantised = network.layers[index],
          .inputs = {quantisation(l.inputs[0]), l.input_count() == 2
                                                    ? quantisation(l.inputs[1])
                                                    : network.layers[index].constants_quantisation},
          .output = quantisation(layer + 1),
          .arithmetic = arithmetic};
}

void run_layer(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
               const OutputWindow& output, const Rect& computed) {
  switch (context.layer.kind) {
    case LayerKind::kConv2d:
      if (context.layer.writes_part() && context.layer.input_count() == 2) {
        take_over(inputs[1], output, computed);
      }
      return kernel_function(context.layer) == KernelFunction::kConvolveGroups
                 ? convolve_groups(context, inputs[0], output, computed)
                 : convolve(context, inputs[0], output, computed);
    case LayerKind::kDepthwiseConv2d:
      return convolve_depthwise(context, inputs[0], output, computed);
    case LayerKind::kAdd:
      return has_constant_operand(context.layer) ? combine(context, inputs, output, computed)
                                                 : add(context, inputs, output, computed);
    case LayerKind::kSubtract:
    case LayerKind::kMultiply:
    case LayerKind::kPrelu:
    case LayerKind::kMaximum:
    case LayerKind::kMinimum:
    case LayerKind::kSquaredDifference:
      return combine(context, inputs, output, computed);
    case LayerKind::kLookup:
      return look_up(context, inputs[0], output, computed);
    case LayerKind::kResize:
      return resize(context, inputs[0], output, computed);
    case LayerKind::kTransposeConv:
      return convolve_transposed(context, inputs[0], output, computed);
    case LayerKind::kCopyChannels:
      return copy_channels(context, inputs, output, computed);
    case LayerKind::kCopy:
      return copy_elements(context, inputs, output);
    case LayerKind::kPad:
      return pad(context, inputs[0], output, computed);
    case LayerKind::kAveragePool:
      return pool_average(context, inputs[0], output, computed);
    case LayerKind::kMaxPool:
      return pool_max(context, inputs[0], output, computed);
    case LayerKind::kFullyConnected:
      return connect_fully(context, inputs[0], output);
    case LayerKind::kSoftmax:
      return softmax(context, inputs[0], output, computed);
    case LayerKind::kInput:
      return;
    case LayerKind::kMean:
      return mean(context, inputs[0], output, computed);
  }
}

void add(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
         const OutputWindow& output, const Rect& computed) {
  if (context.arithmetic == Arithmetic::kLiteRt) {
    return add_pairs(context, inputs, output, computed,
                     LiteRtAdd(context.inputs[0], context.inputs[1], context.output.scale));
  }
  const AddArithmetic& arithmetic = context.quantised.add;
  const auto scaled = [&](std::size_t input, std::int8_t value) {
    return requantise((value - context.inputs[input].zero_point) * (1 << kAddLeftShift),
                      arithmetic.inputs[input], context.arithmetic);
  };
  add_pairs(context, inputs, output, computed, [&](std::int8_t a, std::int8_t b) {
    return requantise(scaled(0, a) + scaled(1, b), arithmetic.output, context.arithmetic);
  });
}

void add_to_sums(const LayerContext& context, const InputWindow& input, const Rect& pixels,
                 std::span<std::int32_t> sums) {
  if (context.layer.kind == LayerKind::kFullyConnected) {
    return add_products(context, input, pixels, sums);
  }
  add_pixels(input, pixels, sums);
}

void finish_sums(const LayerContext& context, std::span<const std::int32_t> sums, int count,
                 const OutputWindow& output) {
  if (context.layer.kind == LayerKind::kFullyConnected) {
    return finish_products(context, sums, output);
  }
  finish_pooling(context, sums, count, output);
}

}  // namespace patchnas
