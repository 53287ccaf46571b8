#include "arch/network_description.h"

#include <cmath>

#include "arch/base/error.h"
#include "arch/base/yaml_reader.h"
#include "arch/kernel_padding.h"
#include "arch/squeeze_excitation.h"

namespace patchnas {
namespace {

constexpr Allowed<int> kChannels{1, kLargestChannels};
constexpr Allowed<int> kKernelSizes{1, 15};
constexpr Allowed<int> kStrides{1, 8};
constexpr Allowed<int> kResolutions{8, 4096};
// Published descriptions have some ten thousand; a reader of more would only take long to refuse
// it.
constexpr std::size_t kMostBytes = std::size_t{1} << 22;

// As they are named in descriptions.
enum class ActivationFunction { kNone, kRelu, kRelu6, kHardSwish };

class DescriptionReader {
 public:
  DescriptionReader(YamlReader reader, std::optional<int> resolution) : reader_(std::move(reader)) {
    const int side = side_of_image(resolution);
    YamlReader stem = reader_.map("first_conv");
    network_.input = {side, side, stem.integer("in_channels", kChannels)};
    convolve(stem, LayerRole::kStem);
    std::vector<YamlReader> blocks = reader_.maps("blocks");
    if (blocks.size() > static_cast<std::size_t>(kMostLayers)) {
      reader_.fail("blocks", "has " + std::to_string(blocks.size()) + " blocks; allowed: up to " +
                                 std::to_string(kMostLayers));
    }
    for (YamlReader& block : blocks) {
      add_block(block);
    }
    stage_ = block_ = -1;
    add_head();
    add_classifier();
  }

  Network take() { return std::move(network_); }

 private:
  // --- reading -----------------------------------------------------------------------------------

  int side_of_image(std::optional<int> given) {
    if (!given) {
      return reader_.has_value("resolution") ? reader_.integer("resolution", kResolutions)
                                             : kDefaultDescriptionResolution;
    }
    if (*given < kResolutions.min || *given > kResolutions.max) {
      reader_.fail("resolution", std::to_string(*given) + " is out of range; allowed: " +
                                     std::to_string(kResolutions.min) + " to " +
                                     std::to_string(kResolutions.max));
    }
    return *given;
  }

  static void must_be_1(YamlReader& layer, const std::string& key) {
    if (layer.has_value(key)) {
      layer.integer(key, {1, 1});
    }
  }

  // Keys that would change the network, where they are given.
  static void refuse_variants(YamlReader& layer) {
    must_be_1(layer, "dilation");
    must_be_false(layer, "has_shuffle");
  }

  static void must_be_false(YamlReader& layer, const std::string& key) {
    if (layer.has_value(key) && layer.boolean(key)) {
      layer.fail(key, "is not supported; allowed: false");
    }
  }

  static ActivationFunction activation(YamlReader& layer) {
    if (!layer.has_value("act_func")) {
      return ActivationFunction::kNone;
    }
    return static_cast<ActivationFunction>(
        layer.choice("act_func", {"none", "relu", "relu6", "h_swish"}));
  }

  static int kernel_size(YamlReader& layer) {
    const int size = layer.integer("kernel_size", kKernelSizes);
    if (size % 2 == 0) {
      layer.fail("kernel_size", std::to_string(size) + " is even; allowed: odd sizes, 1 to 15");
    }
    return size;
  }

  void require_channels(YamlReader& layer, const std::string& key) const {
    const int channels = layer.integer(key, kChannels);
    if (channels != current().channels) {
      layer.fail(key, std::to_string(channels) + " do not fit the " +
                          std::to_string(current().channels) + " channels before it");
    }
  }

  // --- appending ---------------------------------------------------------------------------------

  [[nodiscard]] const TensorShape& current() const { return network_.output(); }

  Layer& append(LayerKind kind, LayerRole role) {
    if (network_.layer_count() >= kMostLayers) {
      reader_.fail("blocks", "make more than " + std::to_string(kMostLayers) + " layers");
    }
    Layer layer;
    layer.kind = kind;
    layer.role = role;
    layer.stage = stage_;
    layer.block = block_;
    layer.inputs = {network_.layer_count(), kNoTensor};
    layer.output = current();
    network_.layers.push_back(layer);
    return network_.layers.back();
  }

  // What the layer can apply itself it does.
  static Activation fused(ActivationFunction function) {
    switch (function) {
      case ActivationFunction::kRelu:
        return Activation::kRelu;
      case ActivationFunction::kRelu6:
        return Activation::kRelu6;
      default:
        return Activation::kNone;
    }
  }

  void append_window(LayerKind kind, LayerRole role, int kernel, int stride, int channels,
                     ActivationFunction function) {
    const TensorShape in = current();
    const int pad = kernel / 2;
    Layer& layer = append(kind, role);
    layer.kernel = {kernel, kernel, stride, stride, pad, pad};
    layer.output = {kernel_output_extent(in.height, kernel, stride, pad, pad),
                    kernel_output_extent(in.width, kernel, stride, pad, pad), channels};
    layer.activation = fused(function);
    layer.pad_operator = required_pad_operator(in, layer);
  }

  // Behind a layer that cannot apply it.
  void append_activation(ActivationFunction function, LayerRole role) {
    if (function == ActivationFunction::kHardSwish) {
      append(LayerKind::kLookup, role).function = ValueFunction::kHardSwish;
    }
  }

  // --- parts of the network ----------------------------------------------------------------------

  // A ConvLayer.
  void convolve(YamlReader& layer, LayerRole role) {
    layer.choice("name", {"ConvLayer"}, 0);
    refuse_variants(layer);
    must_be_false(layer, "use_se");
    require_channels(layer, "in_channels");
    const ActivationFunction function = activation(layer);
    const int in = current().channels;
    const int out = layer.integer("out_channels", kChannels);
    const int groups = layer.has_value("groups") ? layer.integer("groups", kChannels) : 1;
    if (in % groups != 0 || out % groups != 0) {
      layer.fail("groups", std::to_string(groups) + " do not divide " + std::to_string(in) +
                               " input and " + std::to_string(out) + " output channels");
    }
    append_window(LayerKind::kConv2d, role, kernel_size(layer),
                  layer.integer("stride", kStrides, 1), out, function);
    network_.layers.back().groups = groups;
    append_activation(function, role == LayerRole::kStem ? LayerRole::kStemActivation
                                                         : LayerRole::kHeadActivation);
  }

  void add_block(YamlReader& block) {
    block.choice("name", {"MobileInvertedResidualBlock", "ResidualBlock"}, 0);
    const std::string key = block.has("conv") ? "conv" : "mobile_inverted_conv";
    if (!block.has_value(key)) {
      block.fail(key, "is missing");
    }
    YamlReader conv = block.map(key);
    const bool is_zero =
        conv.choice("name", {"MBInvertedConvLayer", "MBConvLayer", "ZeroLayer"}) == 2;
    if (is_zero) {
      if (conv.has_value("stride")) {
        conv.integer("stride", {1, 1});
      }
      return;
    }
    const int stride = conv.integer("stride", kStrides, 1);
    if (stage_ < 0 || stride > 1) {
      ++stage_;
      block_ = 0;
    } else {
      ++block_;
    }
    const TensorId input = network_.layer_count();
    add_inverted_residual(conv, stride);
    if (has_shortcut(block)) {
      add_shortcut(block, input);
    }
  }

  void add_inverted_residual(YamlReader& conv, int stride) {
    refuse_variants(conv);
    must_be_1(conv, "groups");  // here they are those of the middle convolution, not depthwise then
    require_channels(conv, "in_channels");
    // ProxylessNAS's own descriptions do not name it.
    const ActivationFunction inner =
        conv.has("act_func") ? activation(conv) : ActivationFunction::kRelu6;
    const double expand_ratio = conv.number("expand_ratio", {1, 64});
    const int channels = current().channels;
    const int middle = conv.has_value("mid_channels")
                           ? conv.integer("mid_channels", kChannels)
                           : static_cast<int>(std::nearbyint(channels * expand_ratio));
    if (expand_ratio > 1) {
      append_window(LayerKind::kConv2d, LayerRole::kExpand, 1, 1, middle, inner);
      append_activation(inner, LayerRole::kExpandActivation);
    } else if (middle != channels) {
      conv.fail("mid_channels", std::to_string(middle) +
                                    " needs an expand_ratio above 1; without expansion it is " +
                                    std::to_string(channels));
    }
    append_window(LayerKind::kDepthwiseConv2d, LayerRole::kDepthwise, kernel_size(conv), stride,
                  middle, inner);
    append_activation(inner, LayerRole::kDepthwiseActivation);
    if (conv.has_value("use_se") && conv.boolean("use_se")) {
      append_squeeze_excitation(network_, stage_, block_);
    }
    append_window(LayerKind::kConv2d, LayerRole::kProject, 1, 1,
                  conv.integer("out_channels", kChannels), ActivationFunction::kNone);
  }

  static bool has_shortcut(YamlReader& block) {
    if (!block.has_value("shortcut")) {
      return false;
    }
    YamlReader shortcut = block.map("shortcut");
    if (shortcut.choice("name", {"IdentityLayer", "ZeroLayer"}) == 1) {
      return false;
    }
    if (shortcut.has_value("use_bn") && shortcut.boolean("use_bn")) {
      shortcut.fail("use_bn", "is not supported; allowed: false");
    }
    if (activation(shortcut) != ActivationFunction::kNone) {
      shortcut.fail("act_func", "is not supported; allowed: null");
    }
    return true;
  }

  void add_shortcut(YamlReader& block, TensorId input) {
    if (network_.shape(input) != current()) {
      block.fail("shortcut",
                 "adds an input of another shape; allowed where stride is 1 and "
                 "in_channels equal out_channels");
    }
    append(LayerKind::kAdd, LayerRole::kResidual).inputs[1] = input;
  }

  void add_pool() {
    const TensorShape in = current();
    Layer& pool = append(LayerKind::kAveragePool, LayerRole::kPool);
    pool.output = {1, 1, in.channels};
    pool.kernel = {
        .height = in.height, .width = in.width, .stride_h = in.height, .stride_w = in.width};
  }

  void add_head() {
    const bool expands = reader_.has_value("final_expand_layer");
    if (expands) {
      YamlReader layer = reader_.map("final_expand_layer");
      convolve(layer, LayerRole::kHead);
      add_pool();
    }
    if (reader_.has_value("feature_mix_layer")) {
      YamlReader layer = reader_.map("feature_mix_layer");
      convolve(layer, LayerRole::kHead);
    }
    if (!expands) {
      add_pool();
    }
  }

  void add_classifier() {
    YamlReader classifier = reader_.map("classifier");
    classifier.choice("name", {"LinearLayer"}, 0);
    require_channels(classifier, "in_features");
    const int classes = classifier.integer("out_features", kChannels);
    const ActivationFunction last = activation(classifier);
    if (last == ActivationFunction::kHardSwish) {
      classifier.fail("act_func", "is not supported; allowed: null, none, relu, relu6");
    }
    Layer& layer = append(LayerKind::kFullyConnected, LayerRole::kClassifier);
    layer.output = {1, 1, classes};
    layer.activation = fused(last);
  }

  YamlReader reader_;
  Network network_;
  int stage_ = -1;
  int block_ = -1;
};

}  // namespace

Network read_network_description(std::string_view json, const std::string& source,
                                 std::optional<int> resolution) {
  if (json.size() > kMostBytes) {
    throw InputError(source + ": has " + std::to_string(json.size()) +
                     " bytes, too many for a network description; allowed: up to " +
                     std::to_string(kMostBytes));
  }
  Network network = DescriptionReader(YamlReader::parse_text(json, source), resolution).take();
  try {
    validate(network);
  } catch (const InputError& error) {
    throw InputError(source + ": " + error.what());
  }
  return network;
}

}  // namespace patchnas
