#include "supernet/network/channel_sorting.h"

#include <algorithm>
#include <numeric>

#include <torch/torch.h>

namespace patchnas {
namespace {

bool mixes_channels(const Layer& layer) {
  return layer.kind == LayerKind::kConv2d || layer.kind == LayerKind::kFullyConnected;
}

void permute(const at::Tensor& tensor, std::int64_t axis, const at::Tensor& order) {
  if (tensor.defined()) {
    tensor.copy_(tensor.index_select(axis, order));
  }
}

}  // namespace

std::vector<int> channel_groups(const Network& network) {
  std::vector<int> group(static_cast<std::size_t>(network.tensor_count()));
  std::iota(group.begin(), group.end(), 0);
  group[kImage] = -1;
  const auto unite = [&](int a, int b) { std::replace(group.begin(), group.end(), b, a); };
  for (int i = 0; i < network.layer_count(); ++i) {
    const Layer& layer = network.layers[static_cast<std::size_t>(i)];
    for (int j = 0; j < layer.input_count() && !mixes_channels(layer); ++j) {
      const auto input = static_cast<std::size_t>(layer.inputs[static_cast<std::size_t>(j)]);
      unite(group[input], group[static_cast<std::size_t>(i) + 1]);
    }
  }
  unite(-1, group.back());
  return group;
}

std::vector<double> channel_importance(const Network& network, std::span<const LayerTensors> layers,
                                       const std::vector<int>& groups, int group) {
  at::Tensor sum;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (!mixes_channels(layer) || groups[static_cast<std::size_t>(layer.inputs[0])] != group) {
      continue;
    }
    const at::Tensor norm =
        layers[i].weight.to(at::kCPU, at::kDouble).abs().transpose(0, 1).flatten(1).sum(1);
    sum = sum.defined() ? sum + norm : norm;
  }
  if (!sum.defined()) {
    return {};
  }
  const auto* values = sum.data_ptr<double>();
  return {values, values + sum.numel()};
}

void sort_channels(const Network& network, std::span<const LayerTensors> layers) {
  const at::NoGradGuard no_gradients;
  const std::vector<int> groups = channel_groups(network);
  std::vector<int> names(groups);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const int group : names) {
    if (group < 0) {
      continue;
    }
    const std::vector<double> importance = channel_importance(network, layers, groups, group);
    std::vector<std::int64_t> order(importance.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return importance[static_cast<std::size_t>(a)] > importance[static_cast<std::size_t>(b)];
    });
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = network.layers[i];
      if (!layers[i].weight.defined()) {
        continue;
      }
      const at::Tensor index = at::tensor(order).to(layers[i].weight.device());
      if (groups[i + 1] == group) {
        for (const auto member : {&LayerTensors::weight, &LayerTensors::bias, &LayerTensors::gamma,
                                  &LayerTensors::beta}) {
          permute(layers[i].*member, 0, index);
        }
      }
      if (mixes_channels(layer) && groups[static_cast<std::size_t>(layer.inputs[0])] == group) {
        permute(layers[i].weight, 1, index);
      }
    }
  }
}

}  // namespace patchnas
