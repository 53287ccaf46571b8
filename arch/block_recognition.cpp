#include "arch/block_recognition.h"

#include <optional>

namespace patchnas {
namespace {

// The layers of one block; those that it does not have are -1.
struct Block {
  int expand = -1;
  int depthwise = -1;
  int project = -1;
  int add = -1;

  [[nodiscard]] int end() const { return (add < 0 ? project : add) + 1; }
};

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
      const Kernel& window = layer(found->depthwise).kernel;
      if (stage < 0 || window.stride_h > 1 || window.stride_w > 1) {
        ++stage;
        block = 0;
      }
      mark(found->expand, LayerRole::kExpand, stage, block);
      mark(found->depthwise, LayerRole::kDepthwise, stage, block);
      mark(found->project, LayerRole::kProject, stage, block);
      mark(found->add, LayerRole::kResidual, stage, block);
      ++block;
      next = found->end();
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

  [[nodiscard]] bool adds(int index, TensorId a, TensorId b) const {
    const std::array<TensorId, 2> either{a, b};
    const std::array<TensorId, 2> or_else{b, a};
    return index < network_.layer_count() && layer(index).kind == LayerKind::kAdd &&
           (layer(index).inputs == either || layer(index).inputs == or_else);
  }

  // The block whose first layer is `first`, reading tensor `first`.
  [[nodiscard]] std::optional<Block> block_at(int first) const {
    Block block;
    int next = first;
    if (is_pointwise(next)) {
      block.expand = next++;
    }
    block.depthwise = next++;
    block.project = next++;
    if (!is(block.depthwise, LayerKind::kDepthwiseConv2d) || !is_pointwise(block.project) ||
        layer(block.project).activation != Activation::kNone) {
      return std::nullopt;
    }
    if (adds(next, block.project + 1, first)) {
      block.add = next;
    }
    return block;
  }

  void mark(int index, LayerRole role, int stage, int block) const {
    if (index >= 0) {
      layer(index).role = role;
      layer(index).stage = stage;
      layer(index).block = block;
    }
  }

  Network& network_;
};

}  // namespace

void recognise_blocks(Network& network) { Recogniser(network).run(); }

}  // namespace patchnas
