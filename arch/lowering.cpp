#include "arch/base/error.h"
#include "arch/kernel_padding.h"
#include "arch/search_space.h"
#include "arch/squeeze_excitation.h"

namespace patchnas {
namespace {

struct AxisPadding {
  int before = 0;
  int output = 0;
};

AxisPadding pad_axis(Padding padding, int input, int kernel, int stride) {
  if (padding == Padding::kSymmetric) {
    const int before = kernel / 2;
    return {before, kernel_output_extent(input, kernel, stride, before, before)};
  }
  const int output = (input + stride - 1) / stride;
  const int total = (output - 1) * stride + kernel - input;
  return {total > 0 ? total / 2 : 0, output};
}

class Lowering {
 public:
  Lowering(const SearchSpace& space, const Architecture& architecture, Network& network)
      : space_(space), network_(network) {
    network_.layers.clear();
    network_.names.clear();
    network_.input = {architecture.resolution, architecture.resolution, space.input_channels};
    stage_ = block_ = -1;
    convolve(LayerRole::kStem, space.stem_kernel_size, space.stem_stride, space.stem_width,
             Activation::kRelu6);
    for (std::size_t s = 0; s < architecture.stages.size(); ++s) {
      stage_ = static_cast<int>(s);
      const std::vector<BlockChoice>& blocks = architecture.stages[s];
      for (std::size_t b = 0; b < blocks.size(); ++b) {
        block_ = static_cast<int>(b);
        add_block(space.stages[s], blocks[b], b == 0 ? space.stages[s].stride : 1);
      }
    }
    stage_ = block_ = -1;
    add_head();
  }

 private:
  [[nodiscard]] TensorId current() const { return network_.layer_count(); }
  [[nodiscard]] const TensorShape& current_shape() const { return network_.output(); }

  Layer layer(LayerKind kind, LayerRole role) const {
    Layer added;
    added.kind = kind;
    added.role = role;
    added.stage = stage_;
    added.block = block_;
    added.inputs = {current(), kNoTensor};
    return added;
  }

  void window(LayerKind kind, LayerRole role, int kernel, int stride, int channels,
              Activation activation) {
    const TensorShape in = current_shape();
    const AxisPadding rows = pad_axis(space_.padding, in.height, kernel, stride);
    const AxisPadding cols = pad_axis(space_.padding, in.width, kernel, stride);
    Layer added = layer(kind, role);
    added.output = {rows.output, cols.output, channels};
    added.kernel = {kernel, kernel, stride, stride, rows.before, cols.before};
    added.activation = activation;
    added.pad_operator = required_pad_operator(in, added);
    network_.layers.push_back(added);
  }

  void convolve(LayerRole role, int kernel, int stride, int channels, Activation activation) {
    window(LayerKind::kConv2d, role, kernel, stride, channels, activation);
  }

  void convolve_in_groups(LayerRole role, int groups, int channels, Activation activation) {
    convolve(role, 1, 1, channels, activation);
    network_.layers.back().groups = groups;
  }

  void look_up(LayerRole role, ValueFunction function) {
    Layer added = layer(LayerKind::kLookup, role);
    added.output = current_shape();
    added.function = function;
    network_.layers.push_back(added);
  }

  // Of the layer before, unless that has it fused.
  void activate(LayerRole role, BlockActivation activation) {
    if (activation == BlockActivation::kHardSwish) {
      look_up(role, ValueFunction::kHardSwish);
    }
  }

  void pool(LayerRole role) {
    const TensorShape in = current_shape();
    Layer added = layer(LayerKind::kAveragePool, role);
    added.output = {1, 1, in.channels};
    added.kernel = {
        .height = in.height, .width = in.width, .stride_h = in.height, .stride_w = in.width};
    network_.layers.push_back(added);
  }

  void add_block(const StageSpace& stage, const BlockChoice& block, int stride) {
    const TensorId block_input = current();
    const TensorShape in = current_shape();
    const Activation fused =
        block.activation == BlockActivation::kRelu6 ? Activation::kRelu6 : Activation::kNone;
    if (block.expand_ratio > 1) {
      convolve_in_groups(LayerRole::kExpand, stage.groups, in.channels * block.expand_ratio, fused);
      activate(LayerRole::kExpandActivation, block.activation);
    }
    window(LayerKind::kDepthwiseConv2d, LayerRole::kDepthwise, block.kernel_size, stride,
           current_shape().channels, fused);
    activate(LayerRole::kDepthwiseActivation, block.activation);
    if (block.squeeze_excitation == SqueezeExcitation::kPresent) {
      append_squeeze_excitation(network_, stage_, block_);
    }
    convolve_in_groups(LayerRole::kProject, stage.groups, block.width, Activation::kNone);
    if (stage.residual && current_shape() == in) {
      Layer add = layer(LayerKind::kAdd, LayerRole::kResidual);
      add.inputs[1] = block_input;
      add.output = in;
      network_.layers.push_back(add);
    }
  }

  void add_head() {
    if (space_.head_width > 0) {
      convolve(LayerRole::kHead, 1, 1, space_.head_width, Activation::kRelu6);
    }
    pool(LayerRole::kPool);
    Layer classifier = layer(LayerKind::kFullyConnected, LayerRole::kClassifier);
    classifier.output = {1, 1, space_.classes};
    network_.layers.push_back(classifier);
  }

  const SearchSpace& space_;
  Network& network_;
  int stage_ = -1;
  int block_ = -1;
};

}  // namespace

void lower(const SearchSpace& space, const Architecture& architecture, Network& network) {
  const Membership membership = contains(space, architecture);
  if (!membership.contained) {
    throw InputError("architecture is not in the search space: " + membership.reason);
  }
  const Lowering lowering(space, architecture, network);
  validate(network);
}

Network lower(const SearchSpace& space, const Architecture& architecture) {
  Network network;
  lower(space, architecture, network);
  return network;
}

}  // namespace patchnas
