#include "tests/support/network_json.h"

namespace patchnas::testing {

std::string conv_layer_json(int kernel, int stride, int in, int out) {
  return R"({"name": "ConvLayer", "kernel_size": )" + std::to_string(kernel) + R"(, "stride": )" +
         std::to_string(stride) +
         R"(, "dilation": 1, "groups": 1, "has_shuffle": false, "in_channels": )" +
         std::to_string(in) + R"(, "out_channels": )" + std::to_string(out) +
         R"(, "use_bn": true, "act_func": "relu6"})";
}

std::string network_description_json(const Network& network, DescriptionSpelling spelling) {
  const bool newer_spelling = spelling == DescriptionSpelling::kOnceForAll;
  const auto channels = [&](TensorId tensor) { return network.shape(tensor).channels; };
  std::string blocks;
  std::string stem;
  std::string mix = "null";
  std::string classifier;
  int expand = -1;
  int depthwise = -1;
  bool swishes = false;
  bool squeezes = false;
  const auto finish_block = [&](int project) {
    const int first = expand >= 0 ? expand : depthwise;
    const int in = channels(first);
    const int middle = channels(depthwise);
    const Kernel& window = network.layers[static_cast<std::size_t>(depthwise)].kernel;
    const bool adds = network.layers[static_cast<std::size_t>(project) + 1].kind == LayerKind::kAdd;
    blocks += blocks.empty() ? "" : ",\n";
    blocks += newer_spelling ? R"({"name": "ResidualBlock", "conv": {"name": "MBConvLayer")"
                             : R"({"name": "MobileInvertedResidualBlock", "mobile_inverted_conv": )"
                               R"({"name": "MBInvertedConvLayer")";
    blocks += R"(, "in_channels": )" + std::to_string(in) + R"(, "out_channels": )" +
              std::to_string(channels(project + 1)) + R"(, "kernel_size": )" +
              std::to_string(window.height) + R"(, "stride": )" + std::to_string(window.stride_h) +
              R"(, "expand_ratio": )" + std::to_string(middle / in) + R"(, "mid_channels": )" +
              (newer_spelling ? "null" : std::to_string(middle)) + R"(, "act_func": ")" +
              (swishes ? "h_swish" : "relu6") + R"(", "use_se": )" + (squeezes ? "true" : "false") +
              R"(}, "shortcut": )" +
              (adds ? R"({"name": "IdentityLayer", "use_bn": false, "act_func": null})" : "null") +
              "}";
    expand = -1;
    swishes = squeezes = false;
  };
  for (int i = 0; i < network.layer_count(); ++i) {
    const Layer& layer = network.layers[static_cast<std::size_t>(i)];
    const auto as_conv = [&] {
      return conv_layer_json(layer.kernel.height, layer.kernel.stride_h, channels(layer.inputs[0]),
                             layer.output.channels);
    };
    switch (layer.role) {
      case LayerRole::kStem:
        stem = as_conv();
        break;
      case LayerRole::kExpand:
        expand = i;
        break;
      case LayerRole::kDepthwise:
        depthwise = i;
        break;
      case LayerRole::kDepthwiseActivation:
        swishes = true;
        break;
      case LayerRole::kSqueeze:
        squeezes = true;
        break;
      case LayerRole::kProject:
        finish_block(i);
        break;
      case LayerRole::kHead:
        mix = as_conv();
        break;
      case LayerRole::kClassifier:
        classifier = R"({"name": "LinearLayer", "in_features": )" +
                     std::to_string(channels(layer.inputs[0])) + R"(, "out_features": )" +
                     std::to_string(layer.output.channels) + "}";
        break;
      default:
        break;
    }
  }
  return "{\"name\": \"ProxylessNASNets\", \"bn\": {\"eps\": 1e-05},\n\"first_conv\": " + stem +
         ",\n\"blocks\": [" + blocks + "],\n\"feature_mix_layer\": " + mix +
         ",\n\"classifier\": " + classifier +
         ",\n\"resolution\": " + std::to_string(network.input.height) + "}";
}

}  // namespace patchnas::testing
