#include "arch/margins.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace patchnas {
namespace {

// The same elements in as few axes as possible, the innermost last.
StridedCopy joined(const StridedCopy& copy) {
  StridedCopy result{.from = copy.from, .to = copy.to};
  std::size_t axis = result.counts.size();
  for (std::size_t i = copy.counts.size(); i-- > 0;) {
    if (copy.counts[i] == 1) {
      continue;
    }
    const bool continues =
        axis < result.counts.size() &&
        copy.from_strides[i] == result.counts[axis] * result.from_strides[axis] &&
        copy.to_strides[i] == result.counts[axis] * result.to_strides[axis];
    if (continues) {
      result.counts[axis] *= copy.counts[i];
      continue;
    }
    --axis;
    result.counts[axis] = copy.counts[i];
    result.from_strides[axis] = copy.from_strides[i];
    result.to_strides[axis] = copy.to_strides[i];
  }
  return result;
}

// By where the first element comes from and where it goes.
std::optional<Layer> as_pad(const Network& network, const Layer& copy) {
  const TensorShape& from = network.shape(copy.inputs[0]);
  const TensorShape& to = copy.output;
  if (copy.kind != LayerKind::kCopy || copy.inputs[1] != kNoTensor || copy.has_constant_map ||
      from.channels != to.channels || keeps_bytes(copy.copy, to.elements())) {
    return std::nullopt;
  }
  const int from_pixel = copy.copy.from / from.channels;
  const int to_pixel = copy.copy.to / to.channels;
  Layer pad = copy;
  pad.kind = LayerKind::kPad;
  pad.copy = {};
  pad.kernel.pad_top = to_pixel / to.width - from_pixel / from.width;
  pad.kernel.pad_left = to_pixel % to.width - from_pixel % from.width;
  return joined(copy_between_margins(from, pad)) == joined(copy.copy) ? std::optional(pad)
                                                                      : std::nullopt;
}

}  // namespace

StridedCopy copy_between_margins(const TensorShape& input, const Layer& pad) {
  const TensorShape& output = pad.output;
  const int channels = output.channels;
  const auto [top, left] = std::pair(pad.kernel.pad_top, pad.kernel.pad_left);
  const auto pixels = [](int row, int col, const TensorShape& in) {
    return (std::max(0, row) * in.width + std::max(0, col)) * in.channels;
  };
  return {.counts = {std::min(input.height + std::min(0, top), output.height - std::max(0, top)),
                     std::min(input.width + std::min(0, left), output.width - std::max(0, left)),
                     channels},
          .from_strides = {input.width * channels, channels, 1},
          .to_strides = {output.width * channels, channels, 1},
          .from = pixels(-top, -left, input),
          .to = pixels(top, left, output)};
}

void recognise_pads(Network& network) {
  for (Layer& layer : network.layers) {
    layer = as_pad(network, layer).value_or(layer);
  }
}

}  // namespace patchnas
