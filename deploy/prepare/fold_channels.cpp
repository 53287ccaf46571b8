#include "deploy/prepare/fold_channels.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "arch/fixed_point.h"
#include "arch/operator_table.h"
#include "deploy/prepare/channel_readers.h"
#include "deploy/quantise/requantisation.h"

namespace patchnas {
namespace {

using Kept = std::vector<bool>;

int count(const Kept& kept) { return static_cast<int>(std::count(kept.begin(), kept.end(), true)); }

// Of kept[begin], ..., kept[end - 1].
int count(const Kept& kept, int begin, int end) {
  return static_cast<int>(std::count(kept.begin() + begin, kept.begin() + end, true));
}

// The values whose channel is kept, where channels follow each other over and over.
template <typename Value>
std::vector<Value> kept_of(const std::vector<Value>& values, const Kept& kept) {
  std::vector<Value> result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (kept[i % kept.size()]) {
      result.push_back(values[i]);
    }
  }
  return result;
}

class LayerWithoutChannels {
 public:
  LayerWithoutChannels(const QuantizedNetwork& network, int index,
                       const std::vector<ChannelIntervals>& intervals, const KeptChannels& kept)
      : network_(network),
        index_(index),
        layer_(network.network.layers[static_cast<std::size_t>(index)]),
        in_(kept[static_cast<std::size_t>(layer_.inputs[0])]),
        out_(kept[static_cast<std::size_t>(index) + 1]),
        intervals_(intervals[static_cast<std::size_t>(layer_.inputs[0])]) {}

  [[nodiscard]] Layer layer() const {
    Layer result = layer_;
    result.output.channels = count(out_);
    if (channel_use(network_.network, layer_) == ChannelUse::kMultiplied) {
      result.groups = count(in_);
    }
    if (layer_.kind == LayerKind::kCopyChannels) {
      const ChannelRange& range = layer_.channels;
      result.channels = {.from = count(in_, 0, range.from),
                         .to = count(out_, 0, range.to),
                         .count = count(out_, range.to, range.to + range.count)};
    }
    return result;
  }

  [[nodiscard]] QuantizedLayer quantised() const {
    QuantizedLayer result = network_.layers[static_cast<std::size_t>(index_)];
    result.constants = kept_of(result.constants, out_);
    if (layer_.has_weights()) {
      result.biases = kept_of(biases(), out_);
      result.weights = weights();
      if (result.weight_scales.size() > 1) {
        result.weight_scales = kept_of(result.weight_scales, out_);
      }
    }
    return result;
  }

 private:
  [[nodiscard]] const std::vector<std::int8_t>& old_weights() const {
    return network_.layers[static_cast<std::size_t>(index_)].weights;
  }
  [[nodiscard]] std::size_t weights_per_output() const {
    return old_weights().size() / out_.size();
  }
  [[nodiscard]] bool mixes() const {
    return channel_use(network_.network, layer_) == ChannelUse::kMixed;
  }

  // [O, kh, kw, I], [O, H * W * C], or [1, kh, kw, C].
  [[nodiscard]] std::vector<std::int8_t> weights() const {
    if (operator_facts(layer_.kind).weights == WeightLayout::kDepthwise) {
      return kept_of(old_weights(), out_);
    }
    const std::size_t per_output = weights_per_output();
    std::vector<std::int8_t> result;
    for (std::size_t o = 0; o < out_.size(); ++o) {
      for (std::size_t i = 0; i < per_output && out_[o]; ++i) {
        if (!mixes() || in_[i % in_.size()]) {
          result.push_back(old_weights()[o * per_output + i]);
        }
      }
    }
    return result;
  }

  [[nodiscard]] std::vector<std::int32_t> biases() const {
    std::vector<std::int32_t> result = network_.layers[static_cast<std::size_t>(index_)].biases;
    if (!mixes()) {
      return result;
    }
    const std::int32_t zero_point =
        network_.tensors[static_cast<std::size_t>(layer_.inputs[0])].zero_point;
    for (std::size_t c = 0; c < in_.size(); ++c) {
      if (in_[c] || !intervals_[c].is_constant()) {
        continue;
      }
      for (std::size_t o = 0; o < out_.size(); ++o) {
        for (std::size_t i = c; i < weights_per_output(); i += in_.size()) {
          const std::int8_t weight = old_weights()[o * weights_per_output() + i];
          result[o] = wrapping_add(result[o], weight * (intervals_[c].low - zero_point));
        }
      }
    }
    return result;
  }

  const QuantizedNetwork& network_;
  int index_;
  const Layer& layer_;
  const Kept& in_;
  const Kept& out_;
  const ChannelIntervals& intervals_;
};

}  // namespace

QuantizedNetwork without_channels(const QuantizedNetwork& network,
                                  const std::vector<ChannelIntervals>& intervals,
                                  const KeptChannels& kept) {
  QuantizedNetwork result = network;
  for (int i = network.network.input_count() - 1; i < network.network.layer_count(); ++i) {
    const LayerWithoutChannels without(network, i, intervals, kept);
    result.network.layers[static_cast<std::size_t>(i)] = without.layer();
    result.layers[static_cast<std::size_t>(i)] = without.quantised();
  }
  return derive_arithmetic(std::move(result));
}

}  // namespace patchnas
