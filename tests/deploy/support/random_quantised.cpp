#include "tests/deploy/support/random_quantised.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "arch/kernel_padding.h"
#include "deploy/quantise/requantisation.h"
#include "tests/support/random_networks.h"

namespace patchnas::testing {
namespace {

double between(RandomStream& stream, double low, double high) {
  return low + (high - low) * stream.uniform();
}

// Weight scales at which a layer's outputs have a standard deviation of some tens of steps.
void add_parameters(QuantizedLayer& layer, const Network& network, int index, double input_scale,
                    double output_scale, RandomStream& stream) {
  const Layer& l = network.layers[static_cast<std::size_t>(index)];
  constexpr double kTypicalStored = 74;  // root mean square of uniform int8
  constexpr double kTypicalOutput = 40;
  const auto channels = static_cast<std::size_t>(bias_count(network, index));
  layer.weights = random_bytes(weight_count(network, index), stream);
  std::replace(layer.weights.begin(), layer.weights.end(), std::int8_t{-128}, std::int8_t{-127});
  const double terms = static_cast<double>(layer.weights.size()) / static_cast<double>(channels);
  const double typical = output_scale * kTypicalOutput /
                         (input_scale * kTypicalStored * kTypicalStored * std::sqrt(terms));
  layer.weight_scales.resize(l.kind == LayerKind::kFullyConnected ? 1 : channels);
  for (float& scale : layer.weight_scales) {
    scale = static_cast<float>(typical * between(stream, 0.3, 2.0));
  }
  for (std::size_t c = 0; c < channels; ++c) {
    layer.biases.push_back(
        static_cast<std::int32_t>(between(stream, -3000, 3000) * std::sqrt(terms)));
  }
}

TensorQuantisation output_quantisation(const Layer& layer, const TensorQuantisation& constants,
                                       const std::vector<TensorQuantisation>& tensors,
                                       RandomStream& stream) {
  const auto input = [&](std::size_t i) {
    return layer.inputs[i] == kNoTensor ? constants
                                        : tensors[static_cast<std::size_t>(layer.inputs[i])];
  };
  TensorQuantisation output;
  output.zero_point = static_cast<std::int32_t>(stream.below(100)) - 50;
  switch (layer.kind) {
    case LayerKind::kAveragePool:
    case LayerKind::kMaxPool:
      return input(0);
    case LayerKind::kSoftmax:
      return kSoftmaxOutput;
    case LayerKind::kLookup:
      switch (layer.function) {
        case ValueFunction::kRelu6:
          return input(0);
        case ValueFunction::kLogistic:
          return kSoftmaxOutput;
        case ValueFunction::kTanh:
          return {1.0F / 128.0F, 0};
        case ValueFunction::kRsqrt:
          output.scale =
              static_cast<float>(between(stream, 0.01, 0.06)) / std::sqrt(input(0).scale);
          break;
        default:
          output.scale = input(0).scale * static_cast<float>(between(stream, 0.6, 1.6));
      }
      break;
    case LayerKind::kMultiply:
      output.scale = input(0).scale * input(1).scale * static_cast<float>(between(stream, 20, 90));
      break;
    case LayerKind::kSquaredDifference: {
      const float largest = std::max(input(0).scale, input(1).scale);
      output.scale = largest * largest * static_cast<float>(between(stream, 20, 90));
      break;
    }
    case LayerKind::kPrelu:
      output.scale = input(0).scale * static_cast<float>(between(stream, 0.6, 1.6));
      break;
    case LayerKind::kSubtract:
    case LayerKind::kAdd:
      output.scale =
          std::max(input(0).scale, input(1).scale) * static_cast<float>(between(stream, 0.6, 1.6));
      break;
    default:
      output.scale = static_cast<float>(between(stream, 0.01, 0.06));
  }
  if (layer.activation != Activation::kNone && stream.chance(0.7)) {
    output.zero_point = -128;
  }
  return output;
}

// Of what is concatenated one, as files have it: the first part's.
std::optional<TensorId> scaled_like(const Network& network, TensorId part) {
  const auto copies = [&](const Layer& layer) {
    return layer.kind == LayerKind::kCopyChannels && layer.inputs[0] == part;
  };
  const auto copy = std::find_if(network.layers.begin() + part, network.layers.end(), copies);
  if (copy == network.layers.end()) {
    return std::nullopt;
  }
  TensorId first = part;
  for (const Layer* layer = &*copy; layer->inputs[1] > kImage;) {
    layer = &network.layers[static_cast<std::size_t>(layer->inputs[1]) - 1];
    if (layer->kind != LayerKind::kCopyChannels) {
      return std::nullopt;
    }
    first = layer->inputs[0];
  }
  return first > kImage && first < part ? std::optional(first) : std::nullopt;
}

}  // namespace

QuantizedNetwork random_quantised(const Network& network, RandomStream& stream) {
  QuantizedNetwork result{.network = network, .tensors = {}, .layers = {}};
  result.input_ends.resize(static_cast<std::size_t>(network.input_count()));
  result.output_ends.resize(network.output_tensors().size());
  result.tensors.push_back({static_cast<float>(between(stream, 0.005, 0.05)),
                            static_cast<std::int32_t>(stream.below(256)) - 128});
  const bool joins_one_scale = stream.chance(0.7);
  for (int index = 0; index < network.layer_count(); ++index) {
    const Layer& layer = network.layers[static_cast<std::size_t>(index)];
    QuantizedLayer parameters;
    if (has_constant_operand(layer) || layer.has_constant_map) {
      parameters.constants = random_bytes(
          layer.has_constant_map ? layer.output.elements() : layer.output.channels, stream);
      parameters.constants_quantisation = {static_cast<float>(between(stream, 0.005, 0.05)),
                                           static_cast<std::int32_t>(stream.below(256)) - 128};
      parameters.constants_come_first = layer.kind == LayerKind::kSubtract && stream.chance(0.5);
    }
    if (fills(layer) && !layer.has_constant_map) {
      parameters.fill = random_bytes(1, stream)[0];
    }
    if (layer.kind == LayerKind::kLookup && layer.function == ValueFunction::kLeakyRelu) {
      parameters.leaky_slope = static_cast<float>(between(stream, -0.5, 1.5));
    }
    result.tensors.push_back(
        output_quantisation(layer, parameters.constants_quantisation, result.tensors, stream));
    if (layer.kind == LayerKind::kCopyChannels && joins_one_scale) {
      const TensorId like = layer.inputs[layer.inputs[1] == kNoTensor ? 0 : 1];
      result.tensors.back() = result.tensors[static_cast<std::size_t>(like)];
    } else if (const auto like = scaled_like(network, index + 1);
               like && layer.kind == LayerKind::kConv2d && joins_one_scale) {
      result.tensors.back() = result.tensors[static_cast<std::size_t>(*like)];
    }
    if (layer.has_weights()) {
      const float input_scale = result.tensors[static_cast<std::size_t>(layer.inputs[0])].scale;
      add_parameters(parameters, network, index, input_scale, result.tensors.back().scale, stream);
    }
    result.layers.push_back(std::move(parameters));
  }
  return derive_arithmetic(std::move(result));
}

QuantizedNetwork random_quantised_network(RandomStream& stream) {
  Network network = random_network(stream, 0);
  if (network.outputs.empty() && stream.chance(0.3)) {
    Layer softmax;
    softmax.kind = LayerKind::kSoftmax;
    softmax.inputs = {network.layer_count(), kNoTensor};
    softmax.output = network.output();
    network.layers.push_back(softmax);
  }
  return random_quantised(network, stream);
}

bool is_written_as_tflite(const Network& network) {
  return std::all_of(network.layers.begin(), network.layers.end(), [&](const Layer& layer) {
    Layer convolution = layer;
    convolution.output = network.shape(layer.inputs[0]);
    return layer.kind != LayerKind::kTransposeConv ||
           kernel_padding(layer.output, convolution).has_value();
  });
}

std::vector<std::int8_t> random_bytes(std::int64_t count, RandomStream& stream) {
  std::vector<std::int8_t> bytes(static_cast<std::size_t>(count));
  std::generate(bytes.begin(), bytes.end(),
                [&] { return static_cast<std::int8_t>(stream.next() >> 56); });
  return bytes;
}

std::filesystem::path shared_models() {
  const char* const folder = std::getenv("PATCHNAS_SHARED_DIR");
  const std::filesystem::path shared =
      folder != nullptr ? std::filesystem::path(folder)
                        : std::filesystem::path(PATCHNAS_SOURCE_DIR) / "../shared";
  return shared / "models";
}

}  // namespace patchnas::testing
