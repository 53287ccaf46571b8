#include "deploy/prepare/fold_layers.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "deploy/quantise/requantisation.h"

namespace patchnas {
namespace {

bool is_output(const Network& network, TensorId tensor) {
  const std::vector<TensorId> outputs = network.output_tensors();
  return std::find(outputs.begin(), outputs.end(), tensor) != outputs.end();
}

class LayerFolder {
 public:
  LayerFolder(const QuantizedNetwork& network, const std::vector<ChannelIntervals>& intervals)
      : network_(network), shapes_(network.network), intervals_(intervals) {}

  ShorterNetwork fold() {
    result_ = network_;
    result_.network.layers.clear();
    result_.network.names.clear();
    result_.layers.clear();
    result_.tensors.assign(1, network_.tensors[0]);
    readers_.assign(static_cast<std::size_t>(shapes_.tensor_count()), 0);
    for (int i = shapes_.input_count() - 1; i < shapes_.layer_count(); ++i) {
      for (int j = 0; j < layer_at(i).input_count(); ++j) {
        ++readers_[static_cast<std::size_t>(layer_at(i).inputs[static_cast<std::size_t>(j)])];
      }
    }
    becomes_.assign(1, kImage);
    std::vector<std::string> removed;
    for (int i = 0; i < shapes_.layer_count(); ++i) {
      if (folded(i)) {
        removed.push_back(shapes_.layer_name(i));
        keep_output_name(i);
        becomes_.push_back(becomes_[static_cast<std::size_t>(layer_at(i).inputs[0])]);
      } else {
        becomes_.push_back(appended(i));
      }
    }
    set_outputs();
    return {derive_arithmetic(std::move(result_)), std::move(removed)};
  }

 private:
  [[nodiscard]] const Layer& layer_at(int i) const {
    return shapes_.layers[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] const TensorQuantisation& scale_of(TensorId tensor) const {
    return network_.tensors[static_cast<std::size_t>(tensor)];
  }

  // Users know outputs by the names of the layers that compute them.
  void keep_output_name(int i) {
    const TensorId stands = becomes_[static_cast<std::size_t>(layer_at(i).inputs[0])];
    if (is_output(shapes_, i + 1) && !shapes_.names.empty()) {
      result_.network.names[static_cast<std::size_t>(stands) - 1] =
          shapes_.names[static_cast<std::size_t>(i)];
    }
  }

  TensorId appended(int i) {
    Layer layer = layer_at(i);
    for (TensorId& input : layer.inputs) {
      input = input == kNoTensor ? kNoTensor : becomes_[static_cast<std::size_t>(input)];
    }
    result_.network.layers.push_back(layer);
    if (!shapes_.names.empty()) {
      result_.network.names.push_back(shapes_.names[static_cast<std::size_t>(i)]);
    }
    result_.layers.push_back(network_.layers[static_cast<std::size_t>(i)]);
    result_.tensors.push_back(scale_of(i + 1));
    return result_.network.layer_count();
  }

  // Whether the layer's input, which may have been changed for it, stands for its output.
  bool folded(int i) {
    const Layer& layer = layer_at(i);
    const TensorId in = layer.inputs[0];
    return layer.input_count() == 1 && shapes_.shape(in) == layer.output &&
           scale_of(in) == scale_of(i + 1) && may_stand_for(in, i + 1) &&
           (keeps_values(i) || merged(i));
  }

  // An output must not be an input, nor two outputs be one tensor.
  [[nodiscard]] bool may_stand_for(TensorId tensor, TensorId other) const {
    const TensorId stands = becomes_[static_cast<std::size_t>(tensor)];
    if (!is_output(shapes_, other)) {
      return true;
    }
    const std::vector<TensorId> outputs = shapes_.output_tensors();
    return stands >= shapes_.input_count() &&
           std::none_of(outputs.begin(), outputs.end(), [&](TensorId output) {
             return output < other && becomes_[static_cast<std::size_t>(output)] == stands;
           });
  }

  [[nodiscard]] bool keeps_values(int i) const {
    const Layer& layer = layer_at(i);
    switch (layer.kind) {
      case LayerKind::kLookup:
        return table_is_identity(i);
      case LayerKind::kCopy:
        return keeps_bytes(layer.copy, layer.output.elements());
      case LayerKind::kCopyChannels:
        return layer.channels.count == layer.output.channels;
      case LayerKind::kAveragePool:
      case LayerKind::kMaxPool:
        return layer.kernel == Kernel{} && clamp_is_idle(i);
      default:
        return false;
    }
  }

  // For what its input can hold.
  [[nodiscard]] bool table_is_identity(int i) const {
    const LookupTables& tables = network_.layers[static_cast<std::size_t>(i)].lookup;
    const ChannelIntervals& in = intervals_[static_cast<std::size_t>(layer_at(i).inputs[0])];
    return std::all_of(in.begin(), in.end(), [&](const ValueInterval& interval) {
      for (int value = interval.low; value <= interval.high; ++value) {
        const auto at = static_cast<std::size_t>(value + 128);
        if (tables.twice[at] != value || tables.once[at] != value) {
          return false;
        }
      }
      return true;
    });
  }

  [[nodiscard]] bool clamp_is_idle(int i) const {
    const ActivationClamp& clamp = network_.layers[static_cast<std::size_t>(i)].clamp;
    const ChannelIntervals& in = intervals_[static_cast<std::size_t>(layer_at(i).inputs[0])];
    return std::all_of(in.begin(), in.end(), [&](const ValueInterval& interval) {
      return interval.low >= clamp.min && interval.high <= clamp.max;
    });
  }

  // A RELU or RELU6 of what nothing else reads becomes part of the layer that computes it.
  bool merged(int i) {
    const Layer& layer = layer_at(i);
    const TensorId in = layer.inputs[0];
    if (layer.kind != LayerKind::kLookup || in < shapes_.input_count() ||
        readers_[static_cast<std::size_t>(in)] != 1 || is_output(shapes_, in)) {
      return false;
    }
    Layer& before =
        result_.network
            .layers[static_cast<std::size_t>(becomes_[static_cast<std::size_t>(in)]) - 1];
    if (fused(i) == Activation::kNone || !has_activation(before.kind) ||
        before.activation != Activation::kNone || !table_clamps(i)) {
      return false;
    }
    before.activation = fused(i);
    return true;
  }

  [[nodiscard]] Activation fused(int i) const {
    switch (layer_at(i).function) {
      case ValueFunction::kRelu:
        return Activation::kRelu;
      case ValueFunction::kRelu6:
        return Activation::kRelu6;
      default:
        return Activation::kNone;
    }
  }

  [[nodiscard]] static bool has_activation(LayerKind kind) {
    switch (kind) {
      case LayerKind::kConv2d:
      case LayerKind::kDepthwiseConv2d:
      case LayerKind::kFullyConnected:
      case LayerKind::kAdd:
      case LayerKind::kSubtract:
      case LayerKind::kMultiply:
      case LayerKind::kAveragePool:
      case LayerKind::kMaxPool:
        return true;
      default:
        return false;
    }
  }

  // Whether the table is what the clamp of a fused activation function does.
  [[nodiscard]] bool table_clamps(int i) const {
    const LookupTables& tables = network_.layers[static_cast<std::size_t>(i)].lookup;
    const std::optional<ActivationClamp> clamp = activation_clamp(fused(i), scale_of(i + 1));
    for (int value = -128; value <= 127 && clamp; ++value) {
      const auto at = static_cast<std::size_t>(value + 128);
      const int clamped = std::clamp(value, clamp->min, clamp->max);
      if (tables.twice[at] != clamped || tables.once[at] != clamped) {
        return false;
      }
    }
    return clamp.has_value();
  }

  void set_outputs() {
    std::vector<TensorId> outputs = shapes_.output_tensors();
    for (TensorId& output : outputs) {
      output = becomes_[static_cast<std::size_t>(output)];
    }
    result_.network.outputs.clear();
    if (outputs != std::vector<TensorId>{result_.network.layer_count()}) {
      result_.network.outputs = std::move(outputs);
    }
  }

  const QuantizedNetwork& network_;
  const Network& shapes_;
  const std::vector<ChannelIntervals>& intervals_;
  QuantizedNetwork result_;
  std::vector<TensorId> becomes_;
  std::vector<int> readers_;
};

}  // namespace

ShorterNetwork without_layers(const QuantizedNetwork& network,
                              const std::vector<ChannelIntervals>& intervals) {
  return LayerFolder(network, intervals).fold();
}

}  // namespace patchnas
