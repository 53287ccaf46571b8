#include "deploy/prepare/channel_readers.h"

namespace patchnas {

ChannelUse channel_use(const Network& network, const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kConv2d:
      return layer.groups == 1                                         ? ChannelUse::kMixed
             : layer.groups == network.shape(layer.inputs[0]).channels ? ChannelUse::kMultiplied
                                                                       : ChannelUse::kAll;
    case LayerKind::kFullyConnected:
      return ChannelUse::kMixed;
    case LayerKind::kDepthwiseConv2d:
    case LayerKind::kAdd:
    case LayerKind::kSubtract:
    case LayerKind::kMultiply:
    case LayerKind::kPrelu:
    case LayerKind::kMaximum:
    case LayerKind::kMinimum:
    case LayerKind::kSquaredDifference:
    case LayerKind::kAveragePool:
    case LayerKind::kMaxPool:
    case LayerKind::kMean:
    case LayerKind::kLookup:
    case LayerKind::kResize:
    case LayerKind::kPad:
      return ChannelUse::kSame;
    case LayerKind::kCopyChannels:
      return ChannelUse::kRanges;
    case LayerKind::kSoftmax:
    case LayerKind::kTransposeConv:
    case LayerKind::kCopy:
    case LayerKind::kInput:
      break;
  }
  return ChannelUse::kAll;
}

}  // namespace patchnas
