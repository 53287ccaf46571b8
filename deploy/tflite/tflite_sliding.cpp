#include "deploy/tflite/tflite_sliding.h"

#include <algorithm>
#include <string>

namespace patchnas {
namespace {

struct WindowAxis {
  int input = 0;   // without margins
  int padded = 0;  // with them
  int margin = 0;  // at the near end
  int kernel = 1;
  int stride = 1;
  int dilation = 1;

  [[nodiscard]] int span() const { return (kernel - 1) * dilation + 1; }
};

struct WindowPlace {
  int output = 0;
  int pad_before = 0;
};

WindowPlace place_window(const TfliteModel& model, const FileOperator& op, const WindowAxis& axis,
                         tflite::Padding padding) {
  if (axis.kernel < 1 || axis.kernel > kLargestExtent || axis.stride < 1 ||
      axis.stride > kLargestExtent || axis.dilation < 1 ||
      axis.dilation > kLargestExtent / axis.kernel) {
    model.fail(
        op, "kernel, stride and dilation must be in [1, " + std::to_string(kLargestExtent) + "]");
  }
  WindowPlace place{.output = 0, .pad_before = axis.margin};
  if (padding == tflite::Padding::SAME) {
    place.output = (axis.padded + axis.stride - 1) / axis.stride;
    place.pad_before +=
        std::max(0, (place.output - 1) * axis.stride + axis.span() - axis.padded) / 2;
  } else if (padding == tflite::Padding::VALID && axis.padded >= axis.span()) {
    place.output = (axis.padded - axis.span()) / axis.stride + 1;
  } else {
    model.fail(op, "its window does not fit into its input");
  }
  const int last_begin = (place.output - 1) * axis.stride - place.pad_before;
  if (place.pad_before >= axis.span() || last_begin >= axis.input) {
    model.fail(op, "is padded so far that a window holds nothing but padding");
  }
  return place;
}

WindowOptions turned(const WindowOptions& window) {
  return {window.kernel_w, window.kernel_h,   window.stride_w,  window.stride_h,
          window.padding,  window.dilation_w, window.dilation_h};
}

}  // namespace

Layer sliding_layer(const TfliteModel& model, const FileOperator& op, LayerKind kind,
                    const FileValue& input, const WindowOptions& window_in_file,
                    int output_channels) {
  const WindowOptions window = input.is_turned() ? turned(window_in_file) : window_in_file;
  const WindowPlace rows =
      place_window(model, op,
                   {input.shape.height, input.extent(FileAxis::kRows), input.margins.top,
                    window.kernel_h, window.stride_h, window.dilation_h},
                   window.padding);
  const WindowPlace cols =
      place_window(model, op,
                   {input.shape.width, input.extent(FileAxis::kCols), input.margins.left,
                    window.kernel_w, window.stride_w, window.dilation_w},
                   window.padding);
  Layer layer;
  layer.kind = kind;
  layer.inputs = {input.id, kNoTensor};
  layer.output = {rows.output, cols.output, output_channels};
  layer.kernel = {window.kernel_h, window.kernel_w, window.stride_h,   window.stride_w,
                  rows.pad_before, cols.pad_before, window.dilation_h, window.dilation_w};
  return layer;
}

}  // namespace patchnas
