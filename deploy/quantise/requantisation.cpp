#include "deploy/quantise/requantisation.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "arch/base/error.h"
#include "arch/fixed_point.h"
#include "arch/operator_table.h"
#include "deploy/quantise/lookup_table.h"

namespace patchnas {
namespace {

// The kernels shift an int32 accumulator left by at most this much.
constexpr int kLargestShift = 30;
// The sum of exponentials has 12 integer bits.
constexpr int kLargestSoftmax = 4095;
constexpr std::size_t kTableEntries = 256;

class Derivation {
 public:
  Derivation(QuantizedNetwork& network, int layer)
      : index_(layer),
        network_(network),
        layer_(network.network.layers[static_cast<std::size_t>(layer)]),
        quantised_(network.layers[static_cast<std::size_t>(layer)]),
        input_(tensor(layer_.inputs[0])),
        output_(tensor(layer + 1)) {}

  void run() {
    if (has_constant_operand(layer_) || layer_.has_constant_map) {
      check_constants();
    }
    quantised_.clamp = clamp();
    switch (layer_.kind) {
      case LayerKind::kConv2d:
      case LayerKind::kDepthwiseConv2d:
      case LayerKind::kFullyConnected:
      case LayerKind::kTransposeConv:
        derive_weighted();
        break;
      case LayerKind::kAdd:
        derive_add();
        break;
      case LayerKind::kSubtract:
        derive_subtract();
        break;
      case LayerKind::kMultiply:
        quantised_.add.output =
            multiplier(double{input_.scale} * double{second().scale} / double{output_.scale});
        break;
      case LayerKind::kPrelu:
        derive_prelu();
        break;
      case LayerKind::kSquaredDifference:
        derive_squared_difference();
        break;
      case LayerKind::kMaximum:
      case LayerKind::kMinimum:  // of stored values, whatever scales are stated
        break;
      case LayerKind::kLookup:
        derive_lookup();
        break;
      case LayerKind::kResize:
      case LayerKind::kCopyChannels:
      case LayerKind::kPad:
      case LayerKind::kCopy:  // of bytes, whatever scale is stated
        break;
      case LayerKind::kAveragePool:
      case LayerKind::kMaxPool:
        require(input_ == output_, "a pooling must keep its input's scale and zero point");
        break;
      case LayerKind::kSoftmax:
        derive_softmax();
        break;
      case LayerKind::kMean:
        derive_mean();
        break;
      case LayerKind::kInput:
        break;
    }
  }

 private:
  [[nodiscard]] const TensorQuantisation& tensor(TensorId id) const {
    return network_.tensors[static_cast<std::size_t>(id)];
  }

  void require(bool condition, const std::string& what) const {
    if (!condition) {
      throw InputError("layer " + std::to_string(index_) + " (" +
                       network_.network.layer_name(index_) + "): " + what);
    }
  }

  [[nodiscard]] ActivationClamp clamp() const {
    const std::optional<ActivationClamp> clamp = activation_clamp(layer_.activation, output_);
    require(clamp.has_value(), "the output's scale is too small for its activation function");
    return *clamp;
  }

  [[nodiscard]] Requantisation multiplier(double factor) const {
    const bool finite = std::isfinite(factor);
    const Requantisation result = finite ? quantise_multiplier(factor) : Requantisation{};
    require(finite && result.shift <= kLargestShift,
            "the input's and weights' scales are too large for the output's");
    return result;
  }

  [[nodiscard]] bool is_fully_connected() const {
    return layer_.kind == LayerKind::kFullyConnected ||
           quantised_.convolution_operator == ConvolutionOperator::kFullyConnected;
  }

  void derive_weighted() {
    const auto channels = static_cast<std::size_t>(layer_.computed_channels());
    const std::vector<float>& scales = quantised_.weight_scales;
    require(static_cast<std::int64_t>(quantised_.weights.size()) ==
                weight_count(network_.network, index_),
            "has " + std::to_string(quantised_.weights.size()) + " weights, its shape needs " +
                std::to_string(weight_count(network_.network, index_)));
    require(quantised_.biases.size() == channels, "needs one bias per output channel");
    require(scales.size() == 1 || scales.size() == channels,
            "needs one weight scale, or one per output channel");
    const Kernel one_pixel;
    require(quantised_.convolution_operator == ConvolutionOperator::kConv2d ||
                (layer_.kind == LayerKind::kConv2d && layer_.kernel == one_pixel),
            "only a 1x1 convolution can be a fully connected layer applied to every pixel");
    quantised_.requantisation.assign(channels, {});
    for (std::size_t c = 0; c < channels; ++c) {
      const float scale = scales.size() == 1 ? scales[0] : scales[c];
      require(std::isfinite(scale), "weight scales must be finite");
      // TensorFlow Lite prepares in double precision, but multiplies the two scales of a fully
      // connected layer with one weight scale in single precision, and wants no negative one.
      const bool in_single = is_fully_connected() && scales.size() == 1;
      require(!in_single || scale >= 0,
              "the only weight scale of a fully connected layer must not be negative");
      const double product = in_single ? static_cast<double>(input_.scale * scale)
                                       : double{input_.scale} * double{scale};
      quantised_.requantisation[c] = multiplier(product / double{output_.scale});
    }
    check_accumulators();
  }

  // Sums of products must fit. Biases may wrap around, as in published networks whose dead channels
  // have huge ones.
  void check_accumulators() const {
    const std::int64_t largest_input = std::max(127 - input_.zero_point, input_.zero_point + 128);
    const std::size_t channels = quantised_.biases.size();
    const std::size_t per_channel = quantised_.weights.size() / channels;
    const bool depthwise = layer_.kind == LayerKind::kDepthwiseConv2d;  // channels last, not first
    for (std::size_t c = 0; c < channels; ++c) {
      std::int64_t sum = 0;
      int least_weight = 0;
      for (std::size_t i = 0; i < per_channel; ++i) {
        const int weight = quantised_.weights[depthwise ? i * channels + c : c * per_channel + i];
        sum += largest_input * std::abs(weight);
        least_weight = std::min(least_weight, weight);
      }
      require(sum <= std::numeric_limits<std::int32_t>::max(),
              "its int32 accumulators can overflow");
      // kernel_weights() negates these channels, which has to stay within their types.
      const std::int32_t multiplier = quantised_.requantisation[c].multiplier;
      require(
          multiplier >= 0 ||
              (multiplier > std::numeric_limits<std::int32_t>::min() && least_weight > -128 &&
               sum + std::abs(std::int64_t{quantised_.biases[c]}) <=
                   std::numeric_limits<std::int32_t>::max()),
          "a channel with a negative weight scale has a weight of -128 or a bias or scale at the "
          "end of its type, which the kernels cannot execute");
    }
  }

  // Of the second input, or of the constants in its place.
  [[nodiscard]] const TensorQuantisation& second() const {
    return layer_.inputs[1] == kNoTensor ? quantised_.constants_quantisation
                                         : tensor(layer_.inputs[1]);
  }

  void check_constants() const {
    const TensorQuantisation& q = quantised_.constants_quantisation;
    const std::int64_t count =
        layer_.has_constant_map ? layer_.output.elements() : layer_.output.channels;
    require(static_cast<std::int64_t>(quantised_.constants.size()) == count,
            layer_.has_constant_map ? "needs one constant per element"
                                    : "needs one constant per channel");
    require(std::isfinite(q.scale) && q.scale > 0 && q.zero_point >= -128 && q.zero_point <= 127,
            "the scale of its constants must be positive and finite, the zero point in [-128, "
            "127]");
  }

  void derive_lookup() {
    if (layer_.function == ValueFunction::kTable) {
      require(quantised_.lookup.twice.size() == kTableEntries &&
                  quantised_.lookup.once.size() == kTableEntries,
              "needs a table of " + std::to_string(kTableEntries) + " values for each rounding");
      return;
    }
    try {
      quantised_.lookup = lookup_tables(layer_.function, input_, output_, quantised_.leaky_slope);
    } catch (const InputError& error) {
      require(false, error.what());
    }
  }

  void derive_add() {
    const TensorQuantisation& second = this->second();
    const double common = 2.0 * double{std::max(input_.scale, second.scale)};
    derive_sum(double{input_.scale} / common, double{second.scale} / common,
               common / (double{1 << kAddLeftShift} * double{output_.scale}));
  }

  // TensorFlow Lite Micro prepares additions in double precision, but differences in single.
  void derive_subtract() {
    const TensorQuantisation& second = this->second();
    const float common = 2.0F * std::max(input_.scale, second.scale);
    derive_sum(double{input_.scale / common}, double{second.scale / common},
               double{common / (static_cast<float>(1 << kAddLeftShift) * output_.scale)});
  }

  void derive_sum(double of_first, double of_second, double to_output) {
    require(to_output < 1.0, "the output's scale is too small for its inputs'");
    quantised_.add.inputs = {quantise_multiplier(of_first), quantise_multiplier(of_second)};
    quantised_.add.output = quantise_multiplier(to_output);
  }

  void derive_prelu() {
    const double identity = double{input_.scale} / double{output_.scale};
    const double product = double{input_.scale} * double{second().scale} / double{output_.scale};
    // So that no product of 2^16 wraps around when it is shifted, nor a zero point when it is
    // added.
    require(identity < 0x1p20 && product < 0x1p13,
            "the input's scale is too large for the output's");
    quantised_.add.inputs[0] = multiplier(identity);
    quantised_.add.output = multiplier(product);
  }

  void derive_squared_difference() {
    const double common = 2.0 * double{std::max(input_.scale, second().scale)};
    derive_sum(
        double{input_.scale} / common, double{second().scale} / common,
        common * common / (double{1 << (2 * kSquaredDifferenceLeftShift)} * double{output_.scale}));
  }

  void derive_softmax() {
    constexpr int kIntegerBits = 5;
    // Built with TFLITE_SINGLE_ROUNDING the factor ends at 2^30 - 1 already. From there on every
    // difference leads to an output of 0, with either.
    require(layer_.output.channels <= kLargestSoftmax,
            "softmax of more than " + std::to_string(kLargestSoftmax) + " channels can overflow");
    require(output_ == kSoftmaxOutput, "softmax must have output scale 1/256 and zero point -128");
    const double factor = std::min(double{input_.scale} * (1 << (31 - kIntegerBits)), 0x1p31 - 1.0);
    const Requantisation difference = quantise_multiplier(factor);
    require(difference.shift >= 0, "softmax's input scale is too small");
    quantised_.softmax.difference = difference;
    const double largest = ((1 << kIntegerBits) - 1) * 0x1p26 / std::ldexp(1.0, difference.shift);
    quantised_.softmax.smallest_difference = -static_cast<std::int32_t>(std::floor(largest));
  }

  void derive_mean() {
    const double factor = double{input_.scale} / double{output_.scale};
    const std::int64_t count = std::int64_t{layer_.kernel.height} * layer_.kernel.width;
    const std::int64_t divisor = quantised_.is_sum ? 1 : count;
    // So that no sum wraps around when it is shifted, nor a zero point when it is added.
    require(factor * static_cast<double>(count / divisor) < 0x1p20,
            "the input's scale is too large for the output's");
    quantised_.mean = quantise_mean(factor, divisor);
  }

  int index_;
  QuantizedNetwork& network_;
  const Layer& layer_;
  QuantizedLayer& quantised_;
  const TensorQuantisation& input_;
  const TensorQuantisation& output_;
};

void check_int8(const TensorQuantisation& tensor, const std::string& name) {
  if (!std::isfinite(tensor.scale) || tensor.scale <= 0 || tensor.zero_point < -128 ||
      tensor.zero_point > 127) {
    throw InputError(name + ": scale must be positive and finite, zero point in [-128, 127]");
  }
}

// What a conversion between uint8 and int8 multiplies with must not shift values out of int32.
void check_end(const NetworkEnd& end, const TensorQuantisation& tensor, const std::string& name) {
  constexpr float kLargestRatio = 0x1p20F;
  const float ratio = end.uint8.scale / tensor.scale;
  if (end.numbers == EndNumbers::kUint8 &&
      (!(ratio <= kLargestRatio && ratio >= 1 / kLargestRatio) || end.uint8.zero_point < 0 ||
       end.uint8.zero_point > 255)) {
    throw InputError("the network's " + name +
                     ": the scales of uint8 and int8 numbers must be positive and no further apart "
                     "than 2^20, the zero point of uint8 ones in [0, 255]");
  }
}

void check_tensors(const QuantizedNetwork& network) {
  if (network.tensors.size() != static_cast<std::size_t>(network.network.tensor_count()) ||
      network.layers.size() != network.network.layers.size()) {
    throw InputError("a quantised network needs one scale per tensor and one entry per layer");
  }
  for (std::size_t i = 0; i < network.tensors.size(); ++i) {
    check_int8(network.tensors[i], "tensor " + std::to_string(i));
  }
  if (network.input_ends.size() != static_cast<std::size_t>(network.network.input_count()) ||
      network.output_ends.size() != network.network.output_tensors().size()) {
    throw InputError("a quantised network needs the numbers of each input and output");
  }
  for (std::size_t i = 0; i < network.input_ends.size(); ++i) {
    check_int8(network.input_quantisation(i), "the network's input");
    check_end(network.input_ends[i], network.input_quantisation(i), "input");
  }
  for (std::size_t i = 0; i < network.output_ends.size(); ++i) {
    check_int8(network.output_quantisation(i), "the network's output");
    check_end(network.output_ends[i], network.output_quantisation(i), "output");
  }
}

}  // namespace

std::optional<ActivationClamp> activation_clamp(Activation activation,
                                                const TensorQuantisation& output) {
  const auto [low, high] = activation_limits(activation);
  // As the kernels' preparation rounds it: in single precision.
  const auto steps = [&](float limit) { return std::round(limit / output.scale); };
  ActivationClamp clamp;
  for (const float limit : {low, high}) {
    if (std::isfinite(limit) && !(std::abs(steps(limit)) < 0x1p30F)) {
      return std::nullopt;
    }
  }
  if (std::isfinite(low)) {
    clamp.min = std::max(clamp.min, output.zero_point + static_cast<std::int32_t>(steps(low)));
  }
  if (std::isfinite(high)) {
    clamp.max = std::min(clamp.max, output.zero_point + static_cast<std::int32_t>(steps(high)));
  }
  return clamp;
}

std::optional<TensorQuantisation> fixed_output(const Layer& layer) {
  const auto computes = [&](ValueFunction function) {
    return layer.kind == LayerKind::kLookup && layer.function == function;
  };
  if (layer.kind == LayerKind::kSoftmax || computes(ValueFunction::kLogistic)) {
    return kSoftmaxOutput;
  }
  return computes(ValueFunction::kTanh) ? std::optional(kTanhOutput) : std::nullopt;
}

bool keeps_scale(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kAveragePool:
    case LayerKind::kMaxPool:
    case LayerKind::kResize:
    case LayerKind::kCopyChannels:
    case LayerKind::kCopy:
    case LayerKind::kPad:
    case LayerKind::kMaximum:
    case LayerKind::kMinimum:
      return true;
    case LayerKind::kLookup:
      return layer.function == ValueFunction::kRelu6;
    default:
      return false;
  }
}

QuantizedNetwork derive_arithmetic(QuantizedNetwork network) {
  validate(network.network);
  check_tensors(network);
  std::string obstacles;
  for (int layer = 0; layer < network.network.layer_count(); ++layer) {
    try {
      Derivation(network, layer).run();
    } catch (const InputError& error) {
      obstacles += (obstacles.empty() ? "" : "; ") + std::string(error.what());
    }
  }
  if (!obstacles.empty()) {
    throw InputError(obstacles);
  }
  return network;
}

}  // namespace patchnas
