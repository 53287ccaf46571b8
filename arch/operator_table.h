#pragma once

// What is known about each kind of layer and each kernel, in one place. Shapes, windows, weights,
// MACs, kernels, constants of the program, and what a .tflite file calls it follow from these rows;
// who computes values (the references, the emitter, the exporter and importer, the supernet) has a
// function for each kind, and tests/deploy/package/operator_table_test.cpp walks this table through
// all of them.
//
//   const OperatorFacts& facts = operator_facts(layer.kind);
//   if (facts.weights != WeightLayout::kNone) read(weights);
//   for (const KernelConstant constant : kernel_facts(kernel).constants()) emit(constant);

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "arch/network.h"

namespace patchnas {

/// What one position of the output is computed from.
enum class Reads {
  kTaps,        ///< the taps of a sliding kernel (Layer::kernel)
  kPosition,    ///< the same position of every input
  kEverything,  ///< the whole input
  kSamples,     ///< one or two positions along each axis, in the same order (Layer::resizing)
  kShifted,     ///< the position that a margin puts there (Layer::kernel), or none
  kScattered,   ///< the inputs that add to it, each to a window (Layer::kernel)
  kAnywhere     ///< any position: such a layer is in no segment
};

/// Elements and order of a layer's weights, as TensorFlow Lite has them.
enum class WeightLayout {
  kNone,
  kConvolution,  ///< [O, kh, kw, I / groups]
  kDepthwise,    ///< [1, kh, kw, C]
  kDense         ///< [O, H * W * C of the input]
};

/// Whether the output may be written over an input that nothing reads afterwards.
enum class InPlace {
  kNever,
  kEqualWindow,  ///< where both hold the same rectangle
  kWithScratch   ///< its kernel keeps a plane of one channel aside
};

struct OperatorFacts {
  LayerKind kind;
  std::string_view name;             ///< in reports: "conv"
  std::string_view tflite_operator;  ///< or an example; empty if there is none
  int least_inputs;
  int inputs;  ///< at most, beside a tensor that a part of a concatenation goes on with
  Reads reads;
  WeightLayout weights;
  bool keeps_channels;  ///< as many in the output as in the input
  bool may_have_pad_operator;
  InPlace in_place;
  bool can_add_up;  ///< a sum that its input may come to in parts
  bool is_trained;  ///< the supernet has it; others come from .tflite files

  /// Whether each element of the output is read from the same element of every input, before it is
  /// written.
  [[nodiscard]] constexpr bool computes_by_element() const {
    return reads == Reads::kPosition && keeps_channels;
  }
  /// Whether it computes each element from two, of which one may be a constant.
  [[nodiscard]] constexpr bool combines() const { return computes_by_element() && inputs == 2; }
};

inline constexpr std::array kOperators = {
    OperatorFacts{LayerKind::kConv2d, "conv", "CONV_2D", 1, 1, Reads::kTaps,
                  WeightLayout::kConvolution, false, true, InPlace::kNever, false, true},
    OperatorFacts{LayerKind::kDepthwiseConv2d, "depthwise", "DEPTHWISE_CONV_2D", 1, 1, Reads::kTaps,
                  WeightLayout::kDepthwise, true, true, InPlace::kWithScratch, false, true},
    OperatorFacts{LayerKind::kAdd, "add", "ADD", 1, 2, Reads::kPosition, WeightLayout::kNone, true,
                  false, InPlace::kEqualWindow, false, true},
    OperatorFacts{LayerKind::kAveragePool, "average_pool", "AVERAGE_POOL_2D", 1, 1, Reads::kTaps,
                  WeightLayout::kNone, true, false, InPlace::kNever, true, true},
    OperatorFacts{LayerKind::kMaxPool, "max_pool", "MAX_POOL_2D", 1, 1, Reads::kTaps,
                  WeightLayout::kNone, true, true, InPlace::kNever, false, false},
    OperatorFacts{LayerKind::kFullyConnected, "fully_connected", "FULLY_CONNECTED", 1, 1,
                  Reads::kEverything, WeightLayout::kDense, false, false, InPlace::kNever, true,
                  true},
    OperatorFacts{LayerKind::kSoftmax, "softmax", "SOFTMAX", 1, 1, Reads::kEverything,
                  WeightLayout::kNone, true, false, InPlace::kNever, false, false},
    OperatorFacts{LayerKind::kMean, "mean", "MEAN", 1, 1, Reads::kTaps, WeightLayout::kNone, true,
                  false, InPlace::kNever, true, false},
    OperatorFacts{LayerKind::kSubtract, "subtract", "SUB", 1, 2, Reads::kPosition,
                  WeightLayout::kNone, true, false, InPlace::kEqualWindow, false, false},
    OperatorFacts{LayerKind::kMultiply, "multiply", "MUL", 1, 2, Reads::kPosition,
                  WeightLayout::kNone, true, false, InPlace::kEqualWindow, false, true},
    OperatorFacts{LayerKind::kPrelu, "prelu", "PRELU", 1, 2, Reads::kPosition, WeightLayout::kNone,
                  true, false, InPlace::kEqualWindow, false, false},
    OperatorFacts{LayerKind::kMaximum, "maximum", "MAXIMUM", 1, 2, Reads::kPosition,
                  WeightLayout::kNone, true, false, InPlace::kEqualWindow, false, false},
    OperatorFacts{LayerKind::kMinimum, "minimum", "MINIMUM", 1, 2, Reads::kPosition,
                  WeightLayout::kNone, true, false, InPlace::kEqualWindow, false, false},
    OperatorFacts{LayerKind::kSquaredDifference, "squared_difference", "SQUARED_DIFFERENCE", 1, 2,
                  Reads::kPosition, WeightLayout::kNone, true, false, InPlace::kEqualWindow, false,
                  false},
    OperatorFacts{LayerKind::kLookup, "lookup", "QUANTIZE", 1, 1, Reads::kPosition,
                  WeightLayout::kNone, true, false, InPlace::kEqualWindow, false, true},
    OperatorFacts{LayerKind::kResize, "resize", "RESIZE_NEAREST_NEIGHBOR", 1, 1, Reads::kSamples,
                  WeightLayout::kNone, true, false, InPlace::kNever, false, false},
    OperatorFacts{LayerKind::kTransposeConv, "transpose_conv", "TRANSPOSE_CONV", 1, 1,
                  Reads::kScattered, WeightLayout::kConvolution, false, false, InPlace::kNever,
                  false, false},
    OperatorFacts{LayerKind::kCopyChannels, "copy_channels", "CONCATENATION", 1, 2,
                  Reads::kPosition, WeightLayout::kNone, false, false, InPlace::kEqualWindow, false,
                  false},
    OperatorFacts{LayerKind::kCopy, "copy", "CONCATENATION", 1, 2, Reads::kAnywhere,
                  WeightLayout::kNone, false, false, InPlace::kEqualWindow, false, false},
    OperatorFacts{LayerKind::kPad, "pad", "PADV2", 1, 1, Reads::kShifted, WeightLayout::kNone, true,
                  false, InPlace::kNever, false, false},
    OperatorFacts{LayerKind::kInput, "input", "", 1, 1, Reads::kAnywhere, WeightLayout::kNone,
                  false, false, InPlace::kNever, false, false}};

constexpr const OperatorFacts& operator_facts(LayerKind kind) {
  return kOperators[static_cast<std::size_t>(kind)];
}

/// The kernels of runtime/.
enum class KernelFunction {
  kConvolve,
  kPointwise,
  kDepthwise,
  kAdd,
  kAveragePool,
  kMaxPool,
  kFullyConnected,
  kSoftmax,
  kMean,
  kConvolveGroups,  ///< and with dilation
  kCombine,
  kLookup,
  kResize,
  kConvolveTransposed,
  kCopyChannels,
  kCopy,
  kPad,
  // Of layers whose input comes in parts: each part's, and the end.
  kSumPixels,
  kSumProducts,
  kAverageOfSums,
  kMeanOfSums,
  kConnectedOfSums,
  kMove  ///< of rows that are kept, whatever layer computed them
};

/// A struct in flash that a kernel is called with.
enum class KernelConstant {
  kKernel,
  kWeights,
  kAddScales,
  kMeanScale,
  kGroups,
  kCombination,
  kTable,
  kResizing,
  kCopyShape,
  kMargins,
  kNone
};

struct KernelConstantFacts {
  KernelConstant constant;
  std::string_view type;    ///< in C
  std::string_view ending;  ///< of its name in a package: vww_stem_weights
};

inline constexpr std::array kKernelConstants = {
    KernelConstantFacts{KernelConstant::kKernel, "patchnas_kernel", "kernel"},
    KernelConstantFacts{KernelConstant::kWeights, "patchnas_weights", "weights"},
    KernelConstantFacts{KernelConstant::kAddScales, "patchnas_add_scales", "scales"},
    KernelConstantFacts{KernelConstant::kMeanScale, "patchnas_mean_scale", "scale"},
    KernelConstantFacts{KernelConstant::kGroups, "patchnas_groups", "groups"},
    KernelConstantFacts{KernelConstant::kCombination, "patchnas_combination", "combination"},
    KernelConstantFacts{KernelConstant::kTable, "patchnas_table", "table"},
    KernelConstantFacts{KernelConstant::kResizing, "patchnas_resizing", "resizing"},
    KernelConstantFacts{KernelConstant::kCopyShape, "patchnas_copy_shape", "copy"},
    KernelConstantFacts{KernelConstant::kMargins, "patchnas_margins", "margins"}};

constexpr const KernelConstantFacts& constant_facts(KernelConstant constant) {
  return kKernelConstants[static_cast<std::size_t>(constant)];
}

/// Calls of a sort take about as much of the program.
enum class CallSort { kConvolution, kPool, kAdd, kFullyConnected, kSoftmax, kSum };

struct KernelFacts {
  KernelFunction function;
  std::string_view name;  ///< in C
  LayerKind kind;         ///< of the layers that it computes, or an example of those it serves
  /// In the order of its arguments; kNone behind the last.
  std::array<KernelConstant, 2> constant_list;
  CallSort call_sort;
  /// A layer outside segments is one call of it; others serve segments that cache rows.
  bool is_a_layer;
  /// Sees one row of pixels where they lie side by side in memory.
  bool joins_rows;

  [[nodiscard]] constexpr std::span<const KernelConstant> constants() const {
    std::size_t count = 0;
    while (count < constant_list.size() && constant_list[count] != KernelConstant::kNone) {
      ++count;
    }
    return std::span(constant_list).first(count);
  }
  /// Whether it is told the size, stride and padding of a sliding kernel.
  [[nodiscard]] constexpr bool slides() const {
    return constant_list[0] == KernelConstant::kKernel ||
           constant_list[0] == KernelConstant::kGroups;
  }
};

inline constexpr std::array kKernels = {
    KernelFacts{KernelFunction::kConvolve,
                "patchnas_convolve",
                LayerKind::kConv2d,
                {KernelConstant::kKernel, KernelConstant::kWeights},
                CallSort::kConvolution,
                true,
                false},
    KernelFacts{KernelFunction::kPointwise,
                "patchnas_pointwise",
                LayerKind::kConv2d,
                {KernelConstant::kWeights, KernelConstant::kNone},
                CallSort::kConvolution,
                true,
                true},
    KernelFacts{KernelFunction::kDepthwise,
                "patchnas_depthwise",
                LayerKind::kDepthwiseConv2d,
                {KernelConstant::kKernel, KernelConstant::kWeights},
                CallSort::kConvolution,
                true,
                false},
    KernelFacts{KernelFunction::kAdd,
                "patchnas_add",
                LayerKind::kAdd,
                {KernelConstant::kAddScales, KernelConstant::kNone},
                CallSort::kAdd,
                true,
                false},
    KernelFacts{KernelFunction::kAveragePool,
                "patchnas_average_pool",
                LayerKind::kAveragePool,
                {KernelConstant::kKernel, KernelConstant::kNone},
                CallSort::kPool,
                true,
                false},
    KernelFacts{KernelFunction::kMaxPool,
                "patchnas_max_pool",
                LayerKind::kMaxPool,
                {KernelConstant::kKernel, KernelConstant::kNone},
                CallSort::kPool,
                true,
                false},
    KernelFacts{KernelFunction::kFullyConnected,
                "patchnas_fully_connected",
                LayerKind::kFullyConnected,
                {KernelConstant::kWeights, KernelConstant::kNone},
                CallSort::kFullyConnected,
                true,
                false},
    KernelFacts{KernelFunction::kSoftmax,
                "patchnas_softmax",
                LayerKind::kSoftmax,
                {KernelConstant::kNone, KernelConstant::kNone},
                CallSort::kSoftmax,
                true,
                true},
    KernelFacts{KernelFunction::kMean,
                "patchnas_mean",
                LayerKind::kMean,
                {KernelConstant::kKernel, KernelConstant::kMeanScale},
                CallSort::kPool,
                true,
                false},
    KernelFacts{KernelFunction::kConvolveGroups,
                "patchnas_convolve_groups",
                LayerKind::kConv2d,
                {KernelConstant::kGroups, KernelConstant::kWeights},
                CallSort::kConvolution,
                true,
                false},
    KernelFacts{KernelFunction::kCombine,
                "patchnas_combine",
                LayerKind::kMultiply,
                {KernelConstant::kCombination, KernelConstant::kNone},
                CallSort::kAdd,
                true,
                false},
    KernelFacts{KernelFunction::kLookup,
                "patchnas_lookup",
                LayerKind::kLookup,
                {KernelConstant::kTable, KernelConstant::kNone},
                CallSort::kPool,
                true,
                false},
    KernelFacts{KernelFunction::kResize,
                "patchnas_resize",
                LayerKind::kResize,
                {KernelConstant::kResizing, KernelConstant::kNone},
                CallSort::kPool,
                true,
                false},
    KernelFacts{KernelFunction::kConvolveTransposed,
                "patchnas_convolve_transposed",
                LayerKind::kTransposeConv,
                {KernelConstant::kKernel, KernelConstant::kWeights},
                CallSort::kConvolution,
                true,
                false},
    KernelFacts{KernelFunction::kCopyChannels,
                "patchnas_copy_channels",
                LayerKind::kCopyChannels,
                {KernelConstant::kNone, KernelConstant::kNone},
                CallSort::kPool,
                true,
                false},
    KernelFacts{KernelFunction::kCopy,
                "patchnas_copy",
                LayerKind::kCopy,
                {KernelConstant::kCopyShape, KernelConstant::kNone},
                CallSort::kFullyConnected,
                true,
                true},
    KernelFacts{KernelFunction::kPad,
                "patchnas_pad",
                LayerKind::kPad,
                {KernelConstant::kMargins, KernelConstant::kNone},
                CallSort::kPool,
                true,
                false},
    KernelFacts{KernelFunction::kSumPixels,
                "patchnas_sum_pixels",
                LayerKind::kAveragePool,
                {KernelConstant::kNone, KernelConstant::kNone},
                CallSort::kSum,
                false,
                false},
    KernelFacts{KernelFunction::kSumProducts,
                "patchnas_sum_products",
                LayerKind::kFullyConnected,
                {KernelConstant::kWeights, KernelConstant::kNone},
                CallSort::kSum,
                false,
                false},
    KernelFacts{KernelFunction::kAverageOfSums,
                "patchnas_average_of_sums",
                LayerKind::kAveragePool,
                {KernelConstant::kNone, KernelConstant::kNone},
                CallSort::kSum,
                false,
                true},
    KernelFacts{KernelFunction::kMeanOfSums,
                "patchnas_mean_of_sums",
                LayerKind::kMean,
                {KernelConstant::kMeanScale, KernelConstant::kNone},
                CallSort::kSum,
                false,
                true},
    KernelFacts{KernelFunction::kConnectedOfSums,
                "patchnas_connected_of_sums",
                LayerKind::kFullyConnected,
                {KernelConstant::kWeights, KernelConstant::kNone},
                CallSort::kSum,
                false,
                true},
    KernelFacts{KernelFunction::kMove,
                "patchnas_move",
                LayerKind::kAveragePool,
                {KernelConstant::kNone, KernelConstant::kNone},
                CallSort::kSum,
                false,
                true}};

constexpr const KernelFacts& kernel_facts(KernelFunction kernel) {
  return kKernels[static_cast<std::size_t>(kernel)];
}
/// Of the layers that the kernel computes.
constexpr const OperatorFacts& operator_facts(KernelFunction kernel) {
  return operator_facts(kernel_facts(kernel).kind);
}

/// Whether the layer may be computed a part at a time.
inline bool fits_segments(const Layer& layer) {
  return operator_facts(layer.kind).reads != Reads::kAnywhere && !layer.repeats_second;
}
/// Whether it may be in a patch stage as published, in which windows slide, none is empty and
/// tensors are apart.
inline bool fits_patches(const Layer& layer) {
  const Reads reads = operator_facts(layer.kind).reads;
  return fits_segments(layer) && reads != Reads::kSamples && reads != Reads::kShifted &&
         reads != Reads::kScattered && !layer.writes_part();
}

/// Whether the layer's kernel may write over that input where nothing reads it afterwards: of a
/// copy only over the one that holds what is not copied, or where every element stays, and so of a
/// part of a concatenation; never over a pixel that is repeated.
bool may_overwrite(const Layer& layer, int input);

/// Its name in C: "patchnas_convolve", …
constexpr std::string_view to_string(KernelFunction kernel) { return kernel_facts(kernel).name; }

/// That computes the layer, outside segments whole. Of an input some kernel, which is not called.
KernelFunction kernel_function(const Layer& layer);

}  // namespace patchnas
