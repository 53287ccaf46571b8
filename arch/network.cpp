#include "arch/network.h"

#include <algorithm>

#include "arch/axis_taps.h"
#include "arch/operator_table.h"

namespace patchnas {

bool Layer::has_weights() const { return operator_facts(kind).weights != WeightLayout::kNone; }

const TensorShape& Network::shape(TensorId tensor) const {
  return tensor == kImage ? input : layers[static_cast<std::size_t>(tensor - 1)].output;
}

int Network::input_count() const {
  int count = 1;
  while (count <= layer_count() &&
         layers[static_cast<std::size_t>(count) - 1].kind == LayerKind::kInput) {
    ++count;
  }
  return count;
}

std::vector<TensorId> Network::output_tensors() const {
  return outputs.empty() ? std::vector<TensorId>{layer_count()} : outputs;
}

std::int64_t Network::input_elements() const {
  std::int64_t total = 0;
  for (TensorId tensor = 0; tensor < input_count(); ++tensor) {
    total += shape(tensor).elements();
  }
  return total;
}

std::int64_t Network::output_elements() const {
  std::int64_t total = 0;
  for (const TensorId tensor : output_tensors()) {
    total += shape(tensor).elements();
  }
  return total;
}

std::string_view to_string(LayerKind kind) { return operator_facts(kind).name; }

std::string_view to_string(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return "none";
    case Activation::kRelu:
      return "relu";
    case Activation::kRelu6:
      return "relu6";
    case Activation::kReluN1To1:
      return "relu_n1_to_1";
  }
  return "";
}

ActivationLimits activation_limits(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return {};
    case Activation::kRelu:
      return {.low = 0.0F};
    case Activation::kRelu6:
      return {.low = 0.0F, .high = 6.0F};
    case Activation::kReluN1To1:
      return {.low = -1.0F, .high = 1.0F};
  }
  return {};
}

std::string Network::layer_name(int layer) const {
  const auto index = static_cast<std::size_t>(layer);
  if (index < names.size()) {
    return names[index];
  }
  const Layer& l = layers[index];
  std::string name;
  if (l.stage >= 0) {
    name = "stage" + std::to_string(l.stage) + ".block" + std::to_string(l.block) + ".";
  }
  switch (l.role) {
    case LayerRole::kStem:
      return name + "stem";
    case LayerRole::kExpand:
      return name + "expand";
    case LayerRole::kDepthwise:
      return name + "depthwise";
    case LayerRole::kProject:
      return name + "project";
    case LayerRole::kResidual:
      return name + "add";
    case LayerRole::kExpandActivation:
      return name + "expand_activation";
    case LayerRole::kDepthwiseActivation:
      return name + "depthwise_activation";
    case LayerRole::kStemActivation:
      return name + "stem_activation";
    case LayerRole::kHeadActivation:
      return name + "head_activation";
    case LayerRole::kSqueeze:
      return name + "squeeze";
    case LayerRole::kSqueezeReduce:
      return name + "squeeze_reduce";
    case LayerRole::kSqueezeExpand:
      return name + "squeeze_expand";
    case LayerRole::kGate:
      return name + "gate";
    case LayerRole::kExcite:
      return name + "excite";
    case LayerRole::kHead:
      return name + "head";
    case LayerRole::kPool:
      return name + "pool";
    case LayerRole::kClassifier:
      return name + "classifier";
    case LayerRole::kImported:
      break;
  }
  return "layer" + std::to_string(layer) + "." + std::string(to_string(l.kind));
}

std::vector<int> last_readers(const Network& network) {
  std::vector<int> last(static_cast<std::size_t>(network.tensor_count()), -1);
  for (int i = network.input_count() - 1; i < network.layer_count(); ++i) {
    const Layer& layer = network.layers[static_cast<std::size_t>(i)];
    for (int j = 0; j < layer.input_count(); ++j) {
      last[static_cast<std::size_t>(layer.inputs[static_cast<std::size_t>(j)])] = i;
    }
  }
  if (network.outputs.empty()) {
    last.back() = network.layer_count();
  }
  for (const TensorId output : network.outputs) {
    last[static_cast<std::size_t>(output)] = network.layer_count();
  }
  return last;
}

TensorId continued_tensor(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const TensorId rest = l.inputs[1];
  if (rest == kNoTensor || rest == l.inputs[0] || rest < network.input_count()) {
    return kNoTensor;
  }
  if (l.writes_part()) {
    return rest;
  }
  if (l.kind != LayerKind::kCopyChannels ||
      std::find(network.outputs.begin(), network.outputs.end(), rest) != network.outputs.end()) {
    return kNoTensor;
  }
  const auto reads = [rest](const Layer& reader) {
    return reader.inputs[0] == rest || reader.inputs[1] == rest;
  };
  return std::count_if(network.layers.begin() + rest, network.layers.end(), reads) == 1 ? rest
                                                                                        : kNoTensor;
}

std::int64_t weight_count(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const TensorShape& in = network.shape(l.inputs[0]);
  const std::int64_t taps = std::int64_t{l.kernel.height} * l.kernel.width;
  switch (operator_facts(l.kind).weights) {
    case WeightLayout::kConvolution:
      // A search asks this of every candidate's layers and need not wait for divisions by 1.
      return taps * (l.groups == 1 ? in.channels : in.channels / l.groups) * l.computed_channels();
    case WeightLayout::kDepthwise:
      return taps * l.output.channels;
    case WeightLayout::kDense:
      return in.elements() * l.output.channels;
    case WeightLayout::kNone:
      break;
  }
  return 0;
}

std::int64_t macs_per_pixel(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const bool scatters = operator_facts(l.kind).reads == Reads::kScattered;
  return weight_count(network, layer) /
         (scatters ? std::int64_t{l.kernel.height} * l.kernel.width : 1);
}

std::int64_t layer_macs(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  if (operator_facts(l.kind).reads != Reads::kScattered) {
    return macs_per_pixel(network, layer) * l.output.pixels();
  }
  return macs_per_pixel(network, layer) *
         axis_taps(network, layer, Axis::kRows).work({0, l.output.height}) *
         axis_taps(network, layer, Axis::kCols).work({0, l.output.width});
}

std::int64_t network_macs(const Network& network) {
  std::int64_t total = 0;
  for (int i = 0; i < network.layer_count(); ++i) {
    total += layer_macs(network, i);
  }
  return total;
}

std::int64_t operand_bytes(const Layer& layer) {
  constexpr std::int64_t kSampleBytes = 6;  // patchnas_sample
  if (layer.kind == LayerKind::kResize) {
    return kSampleBytes * (layer.output.height + layer.output.width);
  }
  if (layer.has_constant_map) {
    return layer.output.elements();
  }
  return has_constant_operand(layer) ? layer.output.channels : 0;
}

bool keeps_bytes(const StridedCopy& copy, std::int64_t elements) {
  return copy.from == 0 && copy.to == 0 && copy.from_strides == copy.to_strides &&
         copy.elements() == elements;
}

bool has_constant_operand(const Layer& layer) {
  return layer.inputs[1] == kNoTensor && operator_facts(layer.kind).combines();
}

bool fills(const Layer& layer) {
  return layer.inputs[1] == kNoTensor &&
         (layer.kind == LayerKind::kPad ||
          (layer.kind == LayerKind::kCopyChannels &&
           layer.channels.count < layer.output.channels) ||
          (layer.kind == LayerKind::kCopy && layer.copy.elements() < layer.output.elements()));
}

std::int64_t bias_count(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  return l.has_weights() ? l.computed_channels() : 0;
}

std::int64_t parameter_count(const Network& network) {
  std::int64_t total = 0;
  for (int i = 0; i < network.layer_count(); ++i) {
    total += weight_count(network, i) + bias_count(network, i);
  }
  return total;
}

int kernel_output_extent(int input, int kernel, int stride, int pad_before, int pad_after) {
  return (input + pad_before + pad_after - kernel) / stride + 1;
}

}  // namespace patchnas
