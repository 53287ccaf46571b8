#pragma once

// How a .tflite file says a window's padding: SAME or VALID, perhaps with a PAD operator in front.
// The importer, the exporter, the lowering and the memory model of TensorFlow Lite Micro agree
// through this one place.
//
//   layer.pad_operator = required_pad_operator(input_shape, layer);
//   const WindowPadding padding = *kernel_padding(input_shape, layer);

#include <optional>

#include "arch/network.h"

namespace patchnas {

enum class ImplicitPadding { kValid, kSame };

struct WindowPadding {
  ImplicitPadding implicit = ImplicitPadding::kValid;
  // Rows and columns that the PAD operator adds; 0 without one.
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
  bool operator==(const WindowPadding&) const = default;
};

/// The padding of a convolution or pooling over `input` with the PAD operator that it has
/// (`layer.pad_operator`); empty if neither SAME nor VALID then gives the layer's output.
std::optional<WindowPadding> kernel_padding(const TensorShape& input, const Layer& layer);

/// {0, 0} where SAME or VALID alone says the layer's padding, else the PAD operator that VALID
/// needs in front. `layer.pad_operator` is not read.
PadOperator required_pad_operator(const TensorShape& input, const Layer& layer);

}  // namespace patchnas
