#include "deploy/quantise/prepare_for_int8.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "deploy/quantise/activation_scales.h"
#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/quantise/quantise.h"

namespace patchnas {
namespace {

// Layers of one network put into another, with some left out or put in between.
class Rewriting {
 public:
  explicit Rewriting(const FloatNetwork& from)
      : from_(from), has_names_(!from.network.names.empty()), now_(from.network.layers.size() + 1) {
    to_.network.input = from.network.input;
  }

  /// Returns the tensor that it writes. @param inputs of the new network
  TensorId add(Layer layer, FloatLayer values, const std::array<TensorId, 2>& inputs,
               const std::string& name) {
    layer.inputs = inputs;
    to_.network.layers.push_back(layer);
    to_.layers.push_back(std::move(values));
    if (has_names_) {
      to_.network.names.push_back(name);
    }
    return to_.network.layer_count();
  }

  /// Layer `index` of the old network.
  void keep(int index, const std::array<TensorId, 2>& inputs) {
    const auto i = static_cast<std::size_t>(index);
    now_[i + 1] = add(from_.network.layers[i], from_.layers[i], inputs, name(index));
  }

  /// The activation function of the layer that writes `input` stands for layer `index`.
  void fuse(int index, TensorId input, Activation activation) {
    const auto producer = static_cast<std::size_t>(input - 1);
    to_.network.layers[producer].activation = activation;
    if (has_names_) {
      to_.network.names[producer] = name(index);
    }
    now_[static_cast<std::size_t>(index) + 1] = input;
  }

  /// What the old network's tensors are in the new one.
  [[nodiscard]] TensorId now(TensorId tensor) const {
    return tensor == kNoTensor ? kNoTensor : now_[static_cast<std::size_t>(tensor)];
  }
  [[nodiscard]] std::array<TensorId, 2> inputs(int index) const {
    const Layer& layer = from_.network.layers[static_cast<std::size_t>(index)];
    return {now(layer.inputs[0]), now(layer.inputs[1])};
  }
  [[nodiscard]] std::string name(int index) const {
    return has_names_ ? from_.network.layer_name(index) : "";
  }

  [[nodiscard]] std::string tensor_name(TensorId tensor) const {
    return tensor == kImage ? "image" : name(tensor - 1);
  }

  FloatNetwork finish() {
    std::vector<TensorId> outputs;
    for (const TensorId output : from_.network.output_tensors()) {
      outputs.push_back(now(output));
    }
    if (outputs != std::vector<TensorId>{to_.network.layer_count()}) {
      to_.network.outputs = outputs;
    }
    return std::move(to_);
  }

 private:
  const FloatNetwork& from_;
  bool has_names_;
  FloatNetwork to_;
  std::vector<TensorId> now_;
};

// How often each tensor is read, by layers and by the network's user.
std::vector<int> reader_counts(const Network& network) {
  std::vector<int> counts(static_cast<std::size_t>(network.tensor_count()), 0);
  for (const Layer& layer : network.layers) {
    for (int i = 0; i < layer.input_count(); ++i) {
      ++counts[static_cast<std::size_t>(layer.inputs[static_cast<std::size_t>(i)])];
    }
  }
  for (const TensorId output : network.output_tensors()) {
    ++counts[static_cast<std::size_t>(output)];
  }
  return counts;
}

std::optional<Activation> activation_of(const Layer& layer) {
  if (layer.kind == LayerKind::kLookup && layer.function == ValueFunction::kRelu) {
    return Activation::kRelu;
  }
  if (layer.kind == LayerKind::kLookup && layer.function == ValueFunction::kRelu6) {
    return Activation::kRelu6;
  }
  return std::nullopt;
}

bool can_activate(const Layer& layer) {
  return layer.activation == Activation::kNone &&
         (layer.has_weights() || layer.kind == LayerKind::kAdd ||
          layer.kind == LayerKind::kSubtract || layer.kind == LayerKind::kMultiply);
}

FloatNetwork with_fused_activations(const FloatNetwork& network) {
  const std::vector<int> readers = reader_counts(network.network);
  Rewriting rewriting(network);
  for (int i = 0; i < network.network.layer_count(); ++i) {
    const Layer& layer = network.network.layers[static_cast<std::size_t>(i)];
    const std::optional<Activation> activation = activation_of(layer);
    const TensorId input = layer.inputs[0];
    const bool is_fused = activation && input != kImage &&
                          readers[static_cast<std::size_t>(input)] == 1 &&
                          can_activate(network.network.layers[static_cast<std::size_t>(input) - 1]);
    if (is_fused) {
      rewriting.fuse(i, rewriting.now(input), *activation);
    } else {
      rewriting.keep(i, rewriting.inputs(i));
    }
  }
  return rewriting.finish();
}

FloatNetwork with_joinable_scales(const FloatNetwork& network,
                                  const std::optional<TensorQuantisation>& image) {
  const auto fixed = fixed_scales(network, image);
  Rewriting rewriting(network);
  std::map<TensorId, TensorId> requantised;  // of the old network in the new one
  for (int i = 0; i < network.network.layer_count(); ++i) {
    const Layer& layer = network.network.layers[static_cast<std::size_t>(i)];
    std::array<TensorId, 2> inputs = rewriting.inputs(i);
    for (const std::size_t input : {0U, 1U}) {
      if (!mixes_scales(network, i, input, fixed)) {
        continue;
      }
      const auto [entry, added] = requantised.try_emplace(layer.inputs[input], kNoTensor);
      if (added) {
        const Layer requantise{.kind = LayerKind::kLookup,
                               .output = network.network.shape(layer.inputs[input]),
                               .kernel = {}};
        entry->second = rewriting.add(requantise, {}, {inputs[input], kNoTensor},
                                      rewriting.tensor_name(layer.inputs[input]) + "/requantised");
      }
      inputs[input] = entry->second;
    }
    rewriting.keep(i, inputs);
  }
  return rewriting.finish();
}

}  // namespace

FloatNetwork prepare_for_int8(FloatNetwork network,
                              const std::optional<PixelNormalisation>& pixels) {
  check_values(network);
  const std::optional<TensorQuantisation> image =
      pixels ? std::optional(pixel_quantisation(*pixels)) : std::nullopt;
  return with_joinable_scales(with_fused_activations(network), image);
}

}  // namespace patchnas
