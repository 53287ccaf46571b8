#include "arch/block_recognition.h"

#include <optional>
#include <vector>

#include "arch/operator_table.h"

namespace patchnas {
namespace {

// The roles of one block's layers, from its first on.
using Block = std::vector<LayerRole>;

class Recogniser {
 public:
  explicit Recogniser(Network& network) : network_(network) {}

  void run() {
    if (!is(0, LayerKind::kConv2d) || !block_at(1)) {
      return;
    }
    layer(0).role = LayerRole::kStem;
    int next = 1;
    int stage = -1;
    int block = 0;
    while (const std::optional<Block> found = block_at(next)) {
      if (stage < 0 || has_stride(next, *found)) {
        ++stage;
        block = 0;
      }
      for (const LayerRole role : *found) {
        layer(next).role = role;
        layer(next).stage = stage;
        layer(next).block = block;
        ++next;
      }
      ++block;
    }
  }

 private:
  [[nodiscard]] Layer& layer(int index) const {
    return network_.layers[static_cast<std::size_t>(index)];
  }

  // Whether `index` is a layer of this kind that reads the tensor before it.
  [[nodiscard]] bool is(int index, LayerKind kind) const {
    return index < network_.layer_count() && layer(index).kind == kind &&
           layer(index).inputs[0] == index;
  }

  [[nodiscard]] bool is_pointwise(int index) const {
    return is(index, LayerKind::kConv2d) && layer(index).kernel == Kernel{};
  }

  [[nodiscard]] bool combines(int index, LayerKind kind, TensorId a, TensorId b) const {
    const std::array<TensorId, 2> either{a, b};
    const std::array<TensorId, 2> or_else{b, a};
    return index < network_.layer_count() && layer(index).kind == kind &&
           (layer(index).inputs == either || layer(index).inputs == or_else);
  }

  [[nodiscard]] bool is_squeeze_excitation(int first) const {
    return first < network_.layer_count() && operator_facts(layer(first).kind).can_add_up &&
           layer(first).inputs[0] == first && layer(first).output.pixels() == 1 &&
           is_pointwise(first + 1) && is_pointwise(first + 2) &&
           is(first + 3, LayerKind::kLookup) &&
           combines(first + 4, LayerKind::kMultiply, first, first + 4);
  }

  // The block whose first layer is `first`, reading tensor `first`.
  [[nodiscard]] std::optional<Block> block_at(int first) const {
    Block block;
    const auto next = [&] { return first + static_cast<int>(block.size()); };
    const auto add_activation = [&](LayerRole role) {
      if (is(next(), LayerKind::kLookup)) {
        block.push_back(role);
      }
    };
    if (is_pointwise(first)) {
      block.push_back(LayerRole::kExpand);
      add_activation(LayerRole::kExpandActivation);
    }
    if (!is(next(), LayerKind::kDepthwiseConv2d)) {
      return std::nullopt;
    }
    block.push_back(LayerRole::kDepthwise);
    add_activation(LayerRole::kDepthwiseActivation);
    if (is_squeeze_excitation(next())) {
      block.insert(block.end(), {LayerRole::kSqueeze, LayerRole::kSqueezeReduce,
                                 LayerRole::kSqueezeExpand, LayerRole::kGate, LayerRole::kExcite});
    }
    if (!is_pointwise(next()) || layer(next()).activation != Activation::kNone) {
      return std::nullopt;
    }
    block.push_back(LayerRole::kProject);
    if (combines(next(), LayerKind::kAdd, next(), first)) {
      block.push_back(LayerRole::kResidual);
    }
    return block;
  }

  [[nodiscard]] bool has_stride(int first, const Block& block) const {
    for (int i = 0; i < static_cast<int>(block.size()); ++i) {
      const Kernel& window = layer(first + i).kernel;
      if (layer(first + i).kind == LayerKind::kDepthwiseConv2d &&
          (window.stride_h > 1 || window.stride_w > 1)) {
        return true;
      }
    }
    return false;
  }

  Network& network_;
};

}  // namespace

void recognise_blocks(Network& network) { Recogniser(network).run(); }

}  // namespace patchnas
