#pragma once

// A network in int8 as TensorFlow Lite's quantisation specification defines it: real = scale *
// (stored - zero_point) for every tensor, symmetric weights per output channel, int32 biases, and
// integer multipliers in place of scales.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "arch/network.h"

namespace patchnas {

struct TensorQuantisation {
  float scale = 1.0F;
  std::int32_t zero_point = 0;
  bool operator==(const TensorQuantisation&) const = default;
};

/// Multiplication by multiplier * 2^(shift - 31); the multiplier is 0 or its magnitude in
/// [2^30, 2^31). Those of channels with a negative weight scale are negative; that of a mean may be
/// as small as 2^29.
struct Requantisation {
  std::int32_t multiplier = 0;
  int shift = 0;
  bool operator==(const Requantisation&) const = default;
};

/// The stored values that an activation function lets through.
struct ActivationClamp {
  std::int32_t min = -128;
  std::int32_t max = 127;
  bool operator==(const ActivationClamp&) const = default;
};

/// Both inputs are brought to a common scale with kAddLeftShift fraction bits, added or subtracted,
/// and brought to the output's. Of products only the output's counts; of a kPrelu that is for what
/// is negative, and the first input's for the others.
struct AddArithmetic {
  std::array<Requantisation, 2> inputs;
  Requantisation output;
  bool operator==(const AddArithmetic&) const = default;
};
inline constexpr int kAddLeftShift = 20;
/// The same of differences that are squared.
inline constexpr int kSquaredDifferenceLeftShift = 7;

/// What each stored value becomes, by value + 128.
using LookupTable = std::vector<std::int8_t>;
/// The same where kernels round twice, and where they round once.
struct LookupTables {
  LookupTable twice, once;
  bool operator==(const LookupTables&) const = default;
};

/// Differences to the row's maximum become fixed-point numbers with 5 integer bits; those below
/// `smallest_difference` underflow to zero.
struct SoftmaxArithmetic {
  Requantisation difference;
  std::int32_t smallest_difference = 0;
  bool operator==(const SoftmaxArithmetic&) const = default;
};

/// What a kConv2d layer is in a .tflite file. FULLY_CONNECTED there may be a 1x1 convolution of a
/// map: it is applied to every pixel. TensorFlow Lite multiplies the scales of the two in different
/// precision.
enum class ConvolutionOperator { kConv2d, kFullyConnected };

struct QuantizedLayer {
  // Given. Weights are [O, kh, kw, I], depthwise [1, kh, kw, C], fully connected [O, I]; the bias
  // is [O] with scale input scale * weight scale. weight_scales has one entry per output channel,
  // or one for the whole tensor.
  std::vector<std::int8_t> weights;
  std::vector<float> weight_scales;
  std::vector<std::int32_t> biases;
  ConvolutionOperator convolution_operator = ConvolutionOperator::kConv2d;
  /// What a layer's only input is combined with (has_constant_operand()): [C], or [H, W, C] where
  /// Layer::has_constant_map, its scale and zero point, and whether it comes first. Of a copy with
  /// such a map, what it leaves.
  std::vector<std::int8_t> constants;
  TensorQuantisation constants_quantisation{};
  bool constants_come_first = false;
  float leaky_slope = 0.0F;  ///< of ValueFunction::kLeakyRelu below zero
  std::int8_t fill = 0;      ///< of what a copy leaves (fills())
  bool is_sum = false;       ///< a kMean that is not divided by the number of its values

  // Derived from the scales by derive_arithmetic (deploy/quantise/requantisation.h).
  std::vector<Requantisation> requantisation;  ///< per output channel
  ActivationClamp clamp;
  AddArithmetic add;
  SoftmaxArithmetic softmax;
  LookupTables lookup;  ///< of ValueFunction::kTable given
  Requantisation
      mean;  ///< of the sum of differences to the input's zero point; of a mean has 1 / count in it

  bool operator==(const QuantizedLayer&) const = default;
};

/// The numbers that the user of a network holds at one of its ends.
enum class EndNumbers { kInt8, kUint8, kFloat32 };

/// One end of a network as the .tflite file has it that the network came from. The network itself
/// computes in int8; deploy/reference/end_numbers.h converts.
struct NetworkEnd {
  EndNumbers numbers = EndNumbers::kInt8;
  /// Of kUint8, its zero point in [0, 255].
  TensorQuantisation uint8{};
  /// What the file says of the int8 tensor to its user, where that is not what the layers compute
  /// with: a RESHAPE keeps the bytes and may state another scale.
  std::optional<TensorQuantisation> restated{};
  bool operator==(const NetworkEnd&) const = default;
};

struct QuantizedNetwork {
  Network network;
  std::vector<TensorQuantisation>
      tensors;  ///< one per tensor: tensor 0 is the image, layer i writes tensor i + 1
  std::vector<QuantizedLayer> layers;                 ///< one per layer
  std::vector<NetworkEnd> input_ends{NetworkEnd{}};   ///< one per input: tensors 0, 1, …
  std::vector<NetworkEnd> output_ends{NetworkEnd{}};  ///< one per Network::output_tensors()

  /// What the int8 inputs and outputs are to the network's user.
  [[nodiscard]] TensorQuantisation input_quantisation(std::size_t input = 0) const {
    return input_ends[input].restated.value_or(tensors[input]);
  }
  [[nodiscard]] TensorQuantisation output_quantisation(std::size_t output = 0) const {
    const auto tensor = static_cast<std::size_t>(network.output_tensors()[output]);
    return output_ends[output].restated.value_or(tensors[tensor]);
  }
  bool operator==(const QuantizedNetwork&) const = default;
};

}  // namespace patchnas
