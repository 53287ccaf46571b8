#include "deploy/prepare/fold_layers.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "deploy/prepare/value_table.h"
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
      const auto [first, second] = layer_at(i).inputs;
      ++readers_[static_cast<std::size_t>(first)];
      if (second != kNoTensor && second != first) {
        ++readers_[static_cast<std::size_t>(second)];
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
    const bool reads_one = layer.input_count() == 1 || layer.inputs[1] == in;
    return reads_one && shapes_.shape(in) == layer.output && may_stand_for(in, i + 1) &&
           ((scale_of(in) == scale_of(i + 1) && (keeps_values(i) || merged(i))) || composed(i));
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

  // The index, in the result, of the layer that computes what layer i alone reads.
  [[nodiscard]] std::optional<std::size_t> layer_before(int i) const {
    const TensorId in = layer_at(i).inputs[0];
    if (in < shapes_.input_count() || readers_[static_cast<std::size_t>(in)] != 1 ||
        is_output(shapes_, in) || becomes_[static_cast<std::size_t>(in)] < shapes_.input_count()) {
      return std::nullopt;
    }
    return static_cast<std::size_t>(becomes_[static_cast<std::size_t>(in)]) - 1;
  }

  // A table that does no more than an activation function becomes part of the layer before it.
  bool merged(int i) {
    const std::optional<std::size_t> before = layer_before(i);
    if (layer_at(i).kind != LayerKind::kLookup || !before) {
      return false;
    }
    Layer& layer = result_.network.layers[*before];
    if (!has_activation(layer.kind) || layer.activation != Activation::kNone) {
      return false;
    }
    for (const Activation activation :
         {Activation::kRelu, Activation::kRelu6, Activation::kReluN1To1}) {
      const std::optional<ActivationClamp> clamp = activation_clamp(activation, scale_of(i + 1));
      if (clamp && table_clamps(i, *clamp)) {
        layer.activation = activation;
        result_.layers[*before].clamp = *clamp;
        return true;
      }
    }
    return false;
  }

  // Two functions of single values, one behind the other, become one table.
  bool composed(int i) {
    const std::optional<std::size_t> before = layer_before(i);
    if (!before) {
      return false;
    }
    const auto first = value_table(result_, static_cast<int>(*before));
    const auto second = first ? value_table(network_, i) : std::nullopt;
    if (!second) {
      return false;
    }
    Layer table;
    table.kind = LayerKind::kLookup;
    table.function = ValueFunction::kTable;
    table.inputs = {result_.network.layers[*before].inputs[0], kNoTensor};
    table.output = layer_at(i).output;
    result_.network.layers[*before] = table;
    result_.layers[*before] = {};
    result_.layers[*before].lookup = patchnas::composed(*first, *second);
    result_.tensors[*before + 1] = scale_of(i + 1);
    return true;
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

  [[nodiscard]] bool table_clamps(int i, const ActivationClamp& clamp) const {
    const LookupTables& tables = network_.layers[static_cast<std::size_t>(i)].lookup;
    for (int value = -128; value <= 127; ++value) {
      const auto at = static_cast<std::size_t>(value + 128);
      const int clamped = std::clamp(value, clamp.min, clamp.max);
      if (tables.twice[at] != clamped || tables.once[at] != clamped) {
        return false;
      }
    }
    return true;
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
