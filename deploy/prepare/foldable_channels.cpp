#include "deploy/prepare/foldable_channels.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>

#include "deploy/prepare/channel_readers.h"

namespace patchnas {
namespace {

// All channels of all tensors; those that can only go together are in one set.
class ChannelSets {
 public:
  explicit ChannelSets(const Network& network) {
    for (TensorId tensor = 0; tensor < network.tensor_count(); ++tensor) {
      first_.push_back(parent_.size());
      parent_.resize(parent_.size() + static_cast<std::size_t>(network.shape(tensor).channels));
    }
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }

  [[nodiscard]] std::size_t of(TensorId tensor, int channel) {
    std::size_t node = first_[static_cast<std::size_t>(tensor)] + static_cast<std::size_t>(channel);
    while (parent_[node] != node) {
      parent_[node] = parent_[parent_[node]];
      node = parent_[node];
    }
    return node;
  }
  void join(TensorId a, int channel_a, TensorId b, int channel_b) {
    parent_[of(a, channel_a)] = of(b, channel_b);
  }
  [[nodiscard]] std::size_t size() const { return parent_.size(); }

 private:
  std::vector<std::size_t> first_;
  std::vector<std::size_t> parent_;
};

// What a mixing layer needs of its input's channels.
class MixedInputs {
 public:
  MixedInputs(const QuantizedNetwork& network, int layer)
      : layer_(network.network.layers[static_cast<std::size_t>(layer)]),
        inputs_(static_cast<std::size_t>(network.network.shape(layer_.inputs[0]).channels)),
        zero_point_(network.tensors[static_cast<std::size_t>(layer_.inputs[0])].zero_point) {
    const auto outputs = static_cast<std::size_t>(layer_.output.channels);
    const std::vector<std::int8_t>& weights =
        network.layers[static_cast<std::size_t>(layer)].weights;
    const std::size_t per_output = weights.size() / outputs;
    used_.resize(outputs * inputs_);
    for (std::size_t w = 0; w < weights.size(); ++w) {
      const std::size_t at = w / per_output * inputs_ + w % per_output % inputs_;
      used_[at] = used_[at] || weights[w] != 0;
    }
    const TapPlaces places = tap_places(layer_, network.network.shape(layer_.inputs[0]));
    sees_all_taps_ =
        layer_.kind == LayerKind::kFullyConnected ||
        std::none_of(places.outside.begin(), places.outside.end(), [](bool out) { return out; });
  }

  [[nodiscard]] std::size_t channels() const { return inputs_; }

  /// Whether a weight of that channel for that output is not 0.
  [[nodiscard]] bool uses(std::size_t output, std::size_t input) const {
    return used_[output * inputs_ + input];
  }

  /// Whether what it adds up for such a channel is the same at every position.
  [[nodiscard]] bool adds_a_constant(const ValueInterval& channel) const {
    return channel.is_constant() && (sees_all_taps_ || channel.low == zero_point_);
  }

 private:
  const Layer& layer_;
  std::size_t inputs_;
  std::int32_t zero_point_;
  std::vector<bool> used_;
  bool sees_all_taps_ = false;
};

// Starts with every channel gone and takes back what has to stay.
class Selection {
 public:
  Selection(const QuantizedNetwork& network, const std::vector<ChannelIntervals>& intervals)
      : network_(network), shapes_(network.network), intervals_(intervals), sets_(shapes_) {
    for (int i = 0; i < shapes_.layer_count(); ++i) {
      join_channels(i);
      if (channel_use(shapes_, layer_at(i)) == ChannelUse::kMixed) {
        mixed_.emplace(i, MixedInputs(network, i));
      }
    }
    kept_.assign(sets_.size(), false);
  }

  KeptChannels select() {
    for (TensorId tensor = 0; tensor < shapes_.input_count(); ++tensor) {
      keep_all(tensor);
    }
    for (const TensorId tensor : shapes_.output_tensors()) {
      keep_all(tensor);
    }
    for (int i = shapes_.input_count() - 1; i < shapes_.layer_count(); ++i) {
      const Layer& layer = layer_at(i);
      if (channel_use(shapes_, layer) == ChannelUse::kAll) {
        keep_all(i + 1);
        for (int j = 0; j < layer.input_count(); ++j) {
          keep_all(layer.inputs[static_cast<std::size_t>(j)]);
        }
      }
    }
    do {
      keep_what_is_read();
    } while (keep_one_of_each());
    return kept();
  }

 private:
  [[nodiscard]] const Layer& layer_at(int i) const {
    return shapes_.layers[static_cast<std::size_t>(i)];
  }

  void join_channels(int i) {
    const Layer& layer = layer_at(i);
    const TensorId out = i + 1;
    const int channels = layer.output.channels;
    switch (channel_use(shapes_, layer)) {
      case ChannelUse::kSame:
        for (int j = 0; j < layer.input_count(); ++j) {
          for (int c = 0; c < channels; ++c) {
            sets_.join(layer.inputs[static_cast<std::size_t>(j)], c, out, c);
          }
        }
        break;
      case ChannelUse::kMultiplied:
        for (int c = 0; c < channels; ++c) {
          sets_.join(layer.inputs[0], c / (channels / layer.groups), out, c);
        }
        break;
      case ChannelUse::kRanges: {
        const ChannelRange& range = layer.channels;
        for (int c = 0; c < channels; ++c) {
          if (c >= range.to && c < range.to + range.count) {
            sets_.join(layer.inputs[0], range.from + c - range.to, out, c);
          }
          if (layer.input_count() == 2) {  // of the output's shape, what is written over included
            sets_.join(layer.inputs[1], c, out, c);
          }
        }
        break;
      }
      case ChannelUse::kMixed:
      case ChannelUse::kAll:
        break;
    }
  }

  bool is_kept(TensorId tensor, int channel) { return kept_[sets_.of(tensor, channel)]; }
  // Whether that was new.
  bool keep(TensorId tensor, int channel) {
    const std::size_t set = sets_.of(tensor, channel);
    const bool is_new = !kept_[set];
    kept_[set] = true;
    return is_new;
  }
  void keep_all(TensorId tensor) {
    for (int c = 0; c < shapes_.shape(tensor).channels; ++c) {
      keep(tensor, c);
    }
  }

  // From the last layer to the first; a set may hold channels of tensors on both sides of a layer.
  void keep_what_is_read() {
    bool is_new = true;
    while (is_new) {
      is_new = false;
      for (auto layer = mixed_.rbegin(); layer != mixed_.rend(); ++layer) {
        is_new = keep_inputs(layer->first, layer->second) || is_new;
      }
    }
  }

  bool keep_inputs(int i, const MixedInputs& mixed) {
    const TensorId in = layer_at(i).inputs[0];
    std::vector<std::size_t> outputs;
    for (int o = 0; o < layer_at(i).output.channels; ++o) {
      if (is_kept(i + 1, o)) {
        outputs.push_back(static_cast<std::size_t>(o));
      }
    }
    bool is_new = false;
    for (std::size_t c = 0; c < mixed.channels(); ++c) {
      if (!is_kept(in, static_cast<int>(c)) &&
          !mixed.adds_a_constant(intervals_[static_cast<std::size_t>(in)][c]) &&
          std::any_of(outputs.begin(), outputs.end(),
                      [&](std::size_t output) { return mixed.uses(output, c); })) {
        is_new = keep(in, static_cast<int>(c)) || is_new;
      }
    }
    return is_new;
  }

  // Of the channels [begin, end), so that there are `count` at least. Whether that took any.
  bool keep_some(TensorId tensor, int begin, int end, int count) {
    int kept = 0;
    for (int c = begin; c < end; ++c) {
      kept += is_kept(tensor, c) ? 1 : 0;
    }
    bool is_new = false;
    for (int c = begin; c < end && kept < count; ++c) {
      if (keep(tensor, c)) {
        is_new = true;
        ++kept;
      }
    }
    return is_new;
  }

  bool keep_one_of_each() {
    bool is_new = false;
    for (TensorId tensor = 0; tensor < shapes_.tensor_count(); ++tensor) {
      is_new = keep_some(tensor, 0, shapes_.shape(tensor).channels, fewest(tensor)) || is_new;
    }
    for (int i = shapes_.input_count() - 1; i < shapes_.layer_count(); ++i) {
      if (layer_at(i).kind == LayerKind::kCopyChannels) {
        const ChannelRange& range = layer_at(i).channels;
        is_new = keep_some(i + 1, range.to, range.to + range.count, 1) || is_new;
      }
    }
    return is_new;
  }

  // A fully connected layer with one weight scale multiplies scales in single precision: one with
  // a scale for each of several outputs must not become that.
  [[nodiscard]] int fewest(TensorId tensor) const {
    return tensor != kImage &&
                   network_.layers[static_cast<std::size_t>(tensor) - 1].weight_scales.size() > 1
               ? 2
               : 1;
  }

  KeptChannels kept() {
    KeptChannels result;
    for (TensorId tensor = 0; tensor < shapes_.tensor_count(); ++tensor) {
      std::vector<bool>& channels = result.emplace_back();
      for (int c = 0; c < shapes_.shape(tensor).channels; ++c) {
        channels.push_back(is_kept(tensor, c));
      }
    }
    return result;
  }

  const QuantizedNetwork& network_;
  const Network& shapes_;
  const std::vector<ChannelIntervals>& intervals_;
  ChannelSets sets_;
  std::map<int, MixedInputs> mixed_;  // by layer
  std::vector<bool> kept_;
};

}  // namespace

KeptChannels kept_channels(const QuantizedNetwork& network,
                           const std::vector<ChannelIntervals>& intervals) {
  return Selection(network, intervals).select();
}

}  // namespace patchnas
