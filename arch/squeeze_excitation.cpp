#include "arch/squeeze_excitation.h"

#include "arch/search_space.h"

namespace patchnas {
namespace {

// Of the channels that they see, those that the convolutions compute with.
int squeezed_channels(int channels) {
  constexpr double kReduction = 4.0;
  constexpr int kDivisor = 8;
  return round_channels(channels / kReduction, kDivisor);
}

}  // namespace

void append_squeeze_excitation(Network& network, int stage, int block) {
  const TensorId map = network.layer_count();
  const TensorShape shape = network.output();
  const TensorShape pixel{1, 1, shape.channels};
  const auto append = [&](LayerKind kind, LayerRole role, const TensorShape& output) -> Layer& {
    return network.layers.emplace_back(Layer{.kind = kind,
                                             .role = role,
                                             .stage = stage,
                                             .block = block,
                                             .inputs = {network.layer_count(), kNoTensor},
                                             .output = output,
                                             .kernel = {}});
  };
  append(LayerKind::kAveragePool, LayerRole::kSqueeze, pixel).kernel = {.height = shape.height,
                                                                        .width = shape.width,
                                                                        .stride_h = shape.height,
                                                                        .stride_w = shape.width};
  append(LayerKind::kConv2d, LayerRole::kSqueezeReduce, {1, 1, squeezed_channels(shape.channels)})
      .activation = Activation::kRelu;
  append(LayerKind::kConv2d, LayerRole::kSqueezeExpand, pixel);
  append(LayerKind::kLookup, LayerRole::kGate, pixel).function = ValueFunction::kLogistic;
  const TensorId gate = network.layer_count();
  Layer& excite = append(LayerKind::kMultiply, LayerRole::kExcite, shape);
  excite.inputs = {map, gate};
  excite.repeats_second = shape.pixels() > 1;
}

}  // namespace patchnas
