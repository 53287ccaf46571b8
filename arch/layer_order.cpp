#include "arch/layer_order.h"

#include <cstddef>

namespace patchnas {
namespace {

template <typename Value>
std::vector<Value> in_order(const std::vector<Value>& of_layers, std::span<const int> order) {
  std::vector<Value> result;
  for (const int layer : order) {
    result.push_back(of_layers[static_cast<std::size_t>(layer)]);
  }
  return result;
}

}  // namespace

Network reordered(const Network& network, std::span<const int> order) {
  std::vector<TensorId> becomes(static_cast<std::size_t>(network.tensor_count()), kImage);
  for (std::size_t place = 0; place < order.size(); ++place) {
    becomes[static_cast<std::size_t>(order[place]) + 1] = static_cast<TensorId>(place) + 1;
  }
  Network result = network;
  result.layers = in_order(network.layers, order);
  for (Layer& layer : result.layers) {
    for (TensorId& input : layer.inputs) {
      input = input == kNoTensor ? kNoTensor : becomes[static_cast<std::size_t>(input)];
    }
  }
  if (!network.names.empty()) {
    result.names = in_order(network.names, order);
  }
  for (TensorId& output : result.outputs) {
    output = becomes[static_cast<std::size_t>(output)];
  }
  return result;
}

QuantizedNetwork reordered(const QuantizedNetwork& network, std::span<const int> order) {
  QuantizedNetwork result = network;
  result.network = reordered(network.network, order);
  result.layers = in_order(network.layers, order);
  for (std::size_t place = 0; place < order.size(); ++place) {
    result.tensors[place + 1] = network.tensors[static_cast<std::size_t>(order[place]) + 1];
  }
  return result;
}

}  // namespace patchnas
