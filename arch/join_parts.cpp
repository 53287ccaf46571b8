#include "arch/join_parts.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arch/operator_table.h"
#include "arch/tile_geometry.h"

namespace patchnas {
namespace {

// Copies over one another into channels of the same tensor, in their order.
using Copies = std::vector<int>;

// A layer of the result. Tensors have the numbers that they had.
struct PlacedLayer {
  int after = 0;     // comes behind this layer of the network, or in its place
  int order = 0;     // among those that come there
  int computes = 0;  // the layer whose numbers it has
  Layer layer;
  TensorId output = kNoTensor;
};

// Where a tensor of the result was in the network, and which layer's numbers one has.
struct Origins {
  std::vector<TensorId> tensors;
  std::vector<int> layers;
};

class PartJoiner {
 public:
  // With the scales of tensors; null where none count.
  PartJoiner(const Network& network, const std::vector<TensorQuantisation>* scales)
      : shapes_(network),
        scales_(scales),
        taps_(network),
        is_placed_(network.layers.size(), false) {
    const auto tensors = static_cast<std::size_t>(shapes_.tensor_count());
    readers_.resize(tensors, 0);
    for (int i = shapes_.input_count() - 1; i < shapes_.layer_count(); ++i) {
      for (int j = 0; j < layer_at(i).input_count(); ++j) {
        ++readers_[static_cast<std::size_t>(layer_at(i).inputs[static_cast<std::size_t>(j)])];
      }
    }
    for (const TensorId output : shapes_.output_tensors()) {
      ++readers_[static_cast<std::size_t>(output)];
    }
  }

  Network join(Origins& origins) {
    for (int i = 0; i < shapes_.layer_count(); ++i) {
      const bool begins = layer_at(i).kind == LayerKind::kCopyChannels &&
                          layer_at(i).inputs[1] == kNoTensor && !layer_at(i).has_constant_map;
      if (begins) {
        join(copies_from(i));
      }
    }
    for (int i = 0; i < shapes_.layer_count(); ++i) {
      if (!is_placed_[static_cast<std::size_t>(i)]) {
        placed_.push_back(
            {.after = i, .order = 0, .computes = i, .layer = layer_at(i), .output = i + 1});
      }
    }
    std::stable_sort(placed_.begin(), placed_.end(),
                     [](const PlacedLayer& a, const PlacedLayer& b) {
                       return std::pair(a.after, a.order) < std::pair(b.after, b.order);
                     });
    return numbered(origins);
  }

 private:
  [[nodiscard]] const Layer& layer_at(int i) const {
    return shapes_.layers[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] bool have_one_scale(TensorId a, TensorId b) const {
    return scales_ == nullptr ||
           (*scales_)[static_cast<std::size_t>(a)] == (*scales_)[static_cast<std::size_t>(b)];
  }

  [[nodiscard]] Copies copies_from(int first) const {
    Copies copies{first};
    for (int next = taps_.continuing_layer(first + 1);
         next < shapes_.layer_count() && have_one_scale(next + 1, first + 1);
         next = taps_.continuing_layer(next + 1)) {
      copies.push_back(next);
    }
    return copies;
  }

  // Whether every channel is written by one of them.
  [[nodiscard]] bool make_up_their_output(const Copies& copies) const {
    std::vector<int> writers(static_cast<std::size_t>(layer_at(copies.front()).output.channels), 0);
    for (const int copy : copies) {
      const ChannelRange& range = layer_at(copy).channels;
      for (int c = 0; c < range.count; ++c) {
        ++writers[static_cast<std::size_t>(range.to + c)];
      }
    }
    return std::all_of(writers.begin(), writers.end(), [](int count) { return count == 1; });
  }

  // The convolution that can write what the copy copies.
  [[nodiscard]] std::optional<int> writer_of(int copy) const {
    const Layer& l = layer_at(copy);
    const TensorId part = l.inputs[0];
    if (part < shapes_.input_count() || readers_[static_cast<std::size_t>(part)] != 1 ||
        !have_one_scale(part, copy + 1) || l.channels.from != 0 ||
        l.channels.count != shapes_.shape(part).channels) {
      return std::nullopt;
    }
    const Layer& writer = layer_at(part - 1);
    const bool can_write = writer.kind == LayerKind::kConv2d && !writer.writes_part() &&
                           kernel_function(writer) != KernelFunction::kConvolveGroups;
    return can_write ? std::optional(part - 1) : std::nullopt;
  }

  void join(const Copies& copies) {
    const auto has_writer = [this](int copy) { return writer_of(copy).has_value(); };
    if (!make_up_their_output(copies) || std::none_of(copies.begin(), copies.end(), has_writer)) {
      return;
    }
    std::vector<PlacedLayer> parts;
    for (const int copy : copies) {
      const std::optional<int> writer = writer_of(copy);
      const int first = std::max(0, shapes_.input_count() - 2);  // behind which layers compute
      const int after = writer ? *writer : std::max(first, layer_at(copy).inputs[0] - 1);
      parts.push_back({.after = after,
                       .order = writer ? 0 : copy + 1,
                       .computes = writer ? *writer : copy,
                       .layer = layer_at(writer ? *writer : copy)});
      parts.back().layer.channels = layer_at(copy).channels;
      parts.back().layer.output = layer_at(copy).output;
      is_placed_[static_cast<std::size_t>(copy)] = true;
      is_placed_[static_cast<std::size_t>(parts.back().computes)] = true;
    }
    std::sort(parts.begin(), parts.end(), [](const PlacedLayer& a, const PlacedLayer& b) {
      return std::pair(a.after, a.order) < std::pair(b.after, b.order);
    });
    for (std::size_t k = 0; k < parts.size(); ++k) {
      parts[k].output = copies[k] + 1;
      parts[k].layer.inputs[1] = k == 0 ? kNoTensor : copies[k - 1] + 1;
    }
    placed_.insert(placed_.end(), parts.begin(), parts.end());
  }

  [[nodiscard]] Network numbered(Origins& origins) const {
    std::vector<TensorId> becomes(static_cast<std::size_t>(shapes_.tensor_count()), kImage);
    for (std::size_t i = 0; i < placed_.size(); ++i) {
      becomes[static_cast<std::size_t>(placed_[i].output)] = static_cast<TensorId>(i) + 1;
    }
    Network result = shapes_;
    result.layers.clear();
    result.names.clear();
    origins = {.tensors = {kImage}, .layers = {}};
    for (const PlacedLayer& placed : placed_) {
      Layer layer = placed.layer;
      for (TensorId& input : layer.inputs) {
        input = input == kNoTensor ? kNoTensor : becomes[static_cast<std::size_t>(input)];
      }
      result.layers.push_back(layer);
      origins.layers.push_back(placed.computes);
      origins.tensors.push_back(placed.output);
      if (!shapes_.names.empty()) {
        result.names.push_back(shapes_.names[static_cast<std::size_t>(name_of(placed))]);
      }
    }
    for (TensorId& output : result.outputs) {
      output = becomes[static_cast<std::size_t>(output)];
    }
    return result;
  }

  // Users know outputs by the names of the layers that compute them.
  [[nodiscard]] int name_of(const PlacedLayer& placed) const {
    const std::vector<TensorId> outputs = shapes_.output_tensors();
    const bool is_output =
        std::find(outputs.begin(), outputs.end(), placed.output) != outputs.end();
    return is_output ? placed.output - 1 : placed.computes;
  }

  const Network& shapes_;
  const std::vector<TensorQuantisation>* scales_;
  NetworkTaps taps_;
  std::vector<int> readers_;     // by tensor
  std::vector<bool> is_placed_;  // by layer
  std::vector<PlacedLayer> placed_;
};

}  // namespace

Network with_joined_parts(const Network& network) {
  Origins origins;
  return PartJoiner(network, nullptr).join(origins);
}

QuantizedNetwork with_joined_parts(const QuantizedNetwork& network) {
  Origins origins;
  QuantizedNetwork result = network;
  result.network = PartJoiner(network.network, &network.tensors).join(origins);
  result.layers.clear();
  result.tensors.clear();
  for (const int layer : origins.layers) {
    result.layers.push_back(network.layers[static_cast<std::size_t>(layer)]);
  }
  for (const TensorId tensor : origins.tensors) {
    result.tensors.push_back(network.tensors[static_cast<std::size_t>(tensor)]);
  }
  return result;
}

}  // namespace patchnas
