#pragma once

// A network: layers with all shapes resolved, in execution order.
//
//   Network network = lower(space, architecture);
//   for (int i = 0; i < network.layer_count(); ++i) {
//     const Layer& layer = network.layers[i];
//     use(network.shape(layer.inputs[0]), layer.output);
//   }

#include <array>
#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace patchnas {

/// [H, W, C]; the batch dimension is never part of it.
struct TensorShape {
  int height = 0;
  int width = 0;
  int channels = 0;

  [[nodiscard]] std::int64_t pixels() const { return std::int64_t{height} * width; }
  [[nodiscard]] std::int64_t elements() const { return pixels() * channels; }
  auto operator<=>(const TensorShape&) const = default;
};

// Networks beyond these are refused, so that no sum or product of extents, elements, weights or
// MACs can leave its integer type: MACs of a network, halos included, are even exact as doubles.
// All are far above what a microcontroller runs.
inline constexpr int kLargestExtent = 1 << 15;  ///< rows, columns, kernel sizes and strides
inline constexpr int kLargestChannels = 1 << 16;
inline constexpr int kMostLayers = 4096;
inline constexpr std::int64_t kMostElements = std::int64_t{1} << 30;  ///< of one tensor
inline constexpr std::int64_t kMostWeights = std::int64_t{1} << 31;   ///< of one layer
inline constexpr std::int64_t kMostMacs = std::int64_t{1} << 53;      ///< of one inference
/// Of a layer's constant that has a number for each element.
inline constexpr std::int64_t kMostConstants = std::int64_t{1} << 20;
/// Under one mean, so that sums of differences to a zero point stay below 2^31.
inline constexpr std::int64_t kMostMeanValues = std::int64_t{1} << 23;

/// Tensor 0 is the input image; layer i writes tensor i + 1. Further inputs of a network are what
/// its first layers, of kind kInput, write.
using TensorId = int;
inline constexpr TensorId kNoTensor = -1;
inline constexpr TensorId kImage = 0;

enum class LayerKind {
  kConv2d,
  kDepthwiseConv2d,
  kAdd,
  kAveragePool,
  kMaxPool,
  kFullyConnected,
  kSoftmax,
  /// Over blocks that rows, columns or both consist of, mostly all of them, with a requantisation
  /// of its own, which an average pooling does not have. Also a sum.
  kMean,
  /// First input less second.
  kSubtract,
  kMultiply,
  /// First input where it is not negative, else its product with the second.
  kPrelu,
  /// Of stored values, whatever their scales.
  kMaximum,
  kMinimum,
  kSquaredDifference,
  /// Every value by itself: Layer::function.
  kLookup,
  kResize,
  /// Every input pixel adds its products with all weights to a window of the output: the windows
  /// are those that a kConv2d from the output to the input would read.
  kTransposeConv,
  /// Channels of the input to channels of the output: a part of a concatenation or a split.
  kCopyChannels,
  /// Elements in another order or place: Layer::copy. Other shapes, transposed axes, concatenations
  /// along rows or columns, and slices and margins that are no kPad.
  kCopy,
  /// Rows and columns of a constant around the input: Kernel::pad_top and pad_left in front, and
  /// behind what is left of the output's shape. Where these are below 0, as many of the input's own
  /// are left out.
  kPad,
  /// What the network's user gives beside the image. Computes nothing; inputs[0] is the image.
  kInput
};
enum class Activation { kNone, kRelu, kRelu6, kReluN1To1 };
/// Of a single value.
enum class ValueFunction {
  kRequantise,  ///< the same number in another scale
  kRelu,
  kRelu6,
  kLeakyRelu,
  kLogistic,
  kTanh,
  kHardSwish,
  kAbs,
  kElu,
  kRsqrt,  ///< 1 / sqrt(x); of what is not positive the largest value
  kTable   ///< given as QuantizedLayer::lookup: of int8 networks only, what folding composes
};

/// The part a layer plays in the architecture that it was lowered from.
enum class LayerRole {
  kStem,
  kExpand,
  kDepthwise,
  kProject,
  kResidual,
  // A hard-swish behind the convolution, where the block has that.
  kExpandActivation,
  kDepthwiseActivation,
  kStemActivation,
  kHeadActivation,
  // Squeeze-and-excitation: the mean of each channel, two convolutions of that one pixel, and the
  // number from 0 to 1 that the channel is multiplied by.
  kSqueeze,
  kSqueezeReduce,
  kSqueezeExpand,
  kGate,
  kExcite,
  kHead,
  kPool,
  kClassifier,
  kImported
};

/// Sliding window of convolutions and poolings. Padding at the bottom and right follows from the
/// output shape.
struct Kernel {
  int height = 1;
  int width = 1;
  int stride_h = 1;
  int stride_w = 1;
  int pad_top = 0;
  int pad_left = 0;
  /// From one tap to the next; above 1 for convolutions only.
  int dilation_h = 1;
  int dilation_w = 1;

  /// Rows from the first tap to the last.
  [[nodiscard]] int span_h() const { return (height - 1) * dilation_h + 1; }
  [[nodiscard]] int span_w() const { return (width - 1) * dilation_w + 1; }
  auto operator<=>(const Kernel&) const = default;
};

/// How positions of a kResize layer's output are found in its input, as TensorFlow Lite has it.
struct Resizing {
  bool is_bilinear = false;  ///< else the nearest
  bool align_corners = false;
  bool half_pixel_centers = false;
  auto operator<=>(const Resizing&) const = default;
};

/// Which channels of the input become which of the output.
struct ChannelRange {
  int from = 0;
  int to = 0;
  int count = 0;
  auto operator<=>(const ChannelRange&) const = default;
};

/// output[to + i * to_strides] = input[from + i * from_strides] for all i below `counts`, in
/// elements of [H, W, C] arrays.
struct StridedCopy {
  std::array<int, 3> counts{1, 1, 1};
  std::array<int, 3> from_strides{};
  std::array<int, 3> to_strides{};
  int from = 0;
  int to = 0;

  [[nodiscard]] std::int64_t elements() const {
    return std::int64_t{counts[0]} * counts[1] * counts[2];
  }
  auto operator<=>(const StridedCopy&) const = default;
};

/// Whether it copies all of so many elements to where they are.
bool keeps_bytes(const StridedCopy& copy, std::int64_t elements);

/// Rows and columns after padding.
struct PadOperator {
  int height = 0;
  int width = 0;

  [[nodiscard]] bool is_present() const { return height > 0; }
  auto operator<=>(const PadOperator&) const = default;
};

struct Layer {
  LayerKind kind = LayerKind::kConv2d;
  LayerRole role = LayerRole::kImported;
  int stage = -1;  ///< stage of the architecture, from 0; -1 outside the stages
  int block = -1;  ///< block within its stage, from 0; -1 outside the stages
  /// Tensors read; the second is kNoTensor where there is one only. kAdd, kSubtract, kMultiply and
  /// the like combine two of equal shape, one with a single pixel (repeats_second), or one with a
  /// constant (has_constant_operand()). Copies have a second one, of the output's shape, where that
  /// holds the elements that are not copied; else these are a constant (fills()). So have
  /// convolutions that write a part of their output's channels (writes_part()).
  std::array<TensorId, 2> inputs{kImage, kNoTensor};
  /// The second input is [1, 1, C], for every pixel of the first; of combinations but kAdd. Such a
  /// layer is computed whole, outside segments.
  bool repeats_second = false;
  /// The constant has a number for each element of the output; else one for each channel, of copies
  /// one for all.
  bool has_constant_map = false;
  TensorShape output;
  Kernel kernel;
  Activation activation = Activation::kNone;
  /// Input and output channels fall into this many groups, each convolved by itself; kConv2d only.
  int groups = 1;
  ValueFunction function = ValueFunction::kRequantise;  ///< kLookup only
  Resizing resizing{};                                  ///< kResize only
  /// Of kCopyChannels; and of a kConv2d that writes some of its output's channels, the others of
  /// which layers before it wrote or later ones will.
  ChannelRange channels{};
  StridedCopy copy{};  ///< kCopy only
  /// Set where the .tflite form of this convolution or maximum pooling has a PAD operator of its
  /// own in front: the extents of that operator's output. For execution its padding is part of
  /// `kernel`.
  PadOperator pad_operator{};

  [[nodiscard]] int input_count() const { return inputs[1] == kNoTensor ? 1 : 2; }
  [[nodiscard]] bool has_weights() const;
  /// Whether it is a convolution that computes the channels [channels.to, channels.to +
  /// channels.count) of its output alone: a part of a concatenation.
  [[nodiscard]] bool writes_part() const {
    return kind == LayerKind::kConv2d && channels.count > 0;
  }
  /// Channels of its output that it computes.
  [[nodiscard]] int computed_channels() const {
    return writes_part() ? channels.count : output.channels;
  }
  auto operator<=>(const Layer&) const = default;
};

struct Network {
  TensorShape input;
  std::vector<Layer> layers;
  /// Names of imported layers; empty for lowered architectures, whose names follow from their
  /// roles.
  std::vector<std::string> names;
  /// What the network's user gets, in their order; empty for the last tensor alone.
  std::vector<TensorId> outputs{};

  [[nodiscard]] int layer_count() const { return static_cast<int>(layers.size()); }
  [[nodiscard]] int tensor_count() const { return layer_count() + 1; }
  [[nodiscard]] const TensorShape& shape(TensorId tensor) const;
  /// Of the last layer.
  [[nodiscard]] const TensorShape& output() const { return shape(layer_count()); }
  /// Tensors [0, input_count()) are the inputs.
  [[nodiscard]] int input_count() const;
  [[nodiscard]] std::vector<TensorId> output_tensors() const;
  /// Elements of all inputs, and of all outputs.
  [[nodiscard]] std::int64_t input_elements() const;
  [[nodiscard]] std::int64_t output_elements() const;
  /// "stem", "stage2.block0.expand", … or the imported name.
  [[nodiscard]] std::string layer_name(int layer) const;
  auto operator<=>(const Network&) const = default;
};

std::string_view to_string(LayerKind kind);
std::string_view to_string(Activation activation);

/// Real numbers that an activation function lets through.
struct ActivationLimits {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};
ActivationLimits activation_limits(Activation activation);

/// For every tensor the last layer that reads it; layer_count() for the network's outputs, and -1
/// for a tensor that nothing reads.
std::vector<int> last_readers(const Network& network);

/// Multiply-accumulates for one output pixel of `layer` (all its channels), or of a kTransposeConv
/// for one input pixel that adds to it; 0 for layers without multiplications.
std::int64_t macs_per_pixel(const Network& network, int layer);
/// Multiply-accumulates of the whole layer, executed once.
std::int64_t layer_macs(const Network& network, int layer);
/// Multiply-accumulates of one layer-by-layer inference.
std::int64_t network_macs(const Network& network);

/// Elements of the layer's weight tensor ([O, kh, kw, I / groups], [1, kh, kw, C] for depthwise,
/// [O, I] for fully connected).
std::int64_t weight_count(const Network& network, int layer);
/// Bytes of a layer's constants beside its weights, biases and scales: what it is combined with, or
/// where resized positions come from.
std::int64_t operand_bytes(const Layer& layer);

/// Whether the layer combines its input with a constant.
bool has_constant_operand(const Layer& layer);
/// Whether the output's elements that a copy leaves are a constant, as those around a kPad are.
bool fills(const Layer& layer);

/// Elements of the layer's bias: one per output channel of a layer with weights, else 0.
std::int64_t bias_count(const Network& network, int layer);
/// Weights and biases of all layers, batch norm folded.
std::int64_t parameter_count(const Network& network);

/// Output extent of a window along one axis.
int kernel_output_extent(int input, int kernel, int stride, int pad_before, int pad_after);

/// The tensor of which the layer goes on writing channels, so that both are the same bytes:
/// its second input, of a convolution that writes a part, and of a copy of channels that alone
/// reads it; else kNoTensor.
TensorId continued_tensor(const Network& network, int layer);

/// Checks the limits above and that every layer reads earlier tensors, that channels agree, that
/// groups divide them, and that each output shape is one that its kernel can produce from its input
/// with padding smaller than the kernel, that every tensor but the last is read, and that channels
/// which a part of a concatenation leaves are written before they are.
/// @throws InputError naming the layer.
void validate(const Network& network);

}  // namespace patchnas
