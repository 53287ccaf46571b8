// What windows slide over, and poolings.

#include <algorithm>

#include "deploy/tflite/tflite_exporter.h"

namespace patchnas {

using tflite::BuiltinOperator;

namespace {

// Rows or columns that windows read.
struct WindowAxis {
  int input = 1;
  int output = 1;
  int span = 1;
  int stride = 1;
  int pad_before = 0;

  [[nodiscard]] int begin(int position) const { return position * stride - pad_before; }
  [[nodiscard]] bool is_inside(int position) const {
    return begin(position) >= 0 && begin(position) + span <= input;
  }
  // Behind the last one that a window reads.
  [[nodiscard]] int end() const { return std::min(input, begin(output - 1) + span); }
};

WindowAxis row_axis(const TensorShape& input, const Layer& layer) {
  return {input.height, layer.output.height, layer.kernel.span_h(), layer.kernel.stride_h,
          layer.kernel.pad_top};
}

WindowAxis col_axis(const TensorShape& input, const Layer& layer) {
  return {input.width, layer.output.width, layer.kernel.span_w(), layer.kernel.stride_w,
          layer.kernel.pad_left};
}

// Neighbouring positions of the output whose windows have as much of themselves inside the input.
struct WindowRun {
  int positions = 1;
  int begin = 0;  // of the input that they read
  int end = 1;
  int window = 1;
};

// All windows inside are one run, each that is cut off is its own.
std::vector<WindowRun> window_runs(const WindowAxis& axis) {
  std::vector<WindowRun> runs;
  for (int position = 0; position < axis.output; ++position) {
    const int begin = std::max(0, axis.begin(position));
    const int end = std::min(axis.input, axis.begin(position) + axis.span);
    if (position > 0 && axis.is_inside(position) && axis.is_inside(position - 1)) {
      ++runs.back().positions;
      runs.back().end = end;
    } else {
      runs.push_back({1, begin, end, end - begin});
    }
  }
  return runs;
}

}  // namespace

tflite::Padding TfliteExporter::operator_padding(const WindowPadding& padding) {
  return padding.implicit == ImplicitPadding::kSame ? tflite::Padding::SAME
                                                    : tflite::Padding::VALID;
}

TfliteExporter::Window TfliteExporter::window(int index, std::int8_t fill) {
  Layer layer = layer_at(index);
  const TensorId input = layer.inputs[0];
  TensorShape shape = shapes_.shape(input);
  const ArrayOperators arrays(writer_, shapes_.layer_name(index), quantisation(input));
  FileTensor read = map(input);
  std::optional<WindowPadding> padding = kernel_padding(shape, layer);
  const auto pad = [&] {
    layer.pad_operator = required_pad_operator(shape, layer);
    padding = kernel_padding(shape, layer);
  };
  if (!padding) {
    pad();
  }
  if (!padding) {
    // VALID would have further windows behind the last.
    shape.height = row_axis(shape, layer).end();
    shape.width = col_axis(shape, layer).end();
    read = arrays.part(arrays.part(read, 1, 0, shape.height), 2, 0, shape.width);
    pad();
  }
  if (!padding) {
    fail(index, "its padding cannot be written");
  }
  if (layer.pad_operator.is_present()) {
    read = arrays.with_pad_operator(read, {0, padding->top, padding->left, 0},
                                    {0, padding->bottom, padding->right, 0}, fill);
  }
  return {read, operator_padding(*padding)};
}

void TfliteExporter::export_max_pool(int index) {
  // No maximum takes the least value.
  add_pool(index, BuiltinOperator::MAX_POOL_2D, window(index, -128));
}

void TfliteExporter::add_pool(int index, BuiltinOperator code, const Window& in) {
  const Layer& layer = layer_at(index);
  const Kernel& k = layer.kernel;
  writer_.add_operator(
      code, {in.input}, add_output(index),
      tflite::CreatePool2DOptions(writer_.options(), in.padding, k.stride_w, k.stride_h, k.width,
                                  k.height, fused_function(layer.activation)));
}

void TfliteExporter::export_average_pool(int index) {
  const Layer& layer = layer_at(index);
  const TensorShape& shape = shapes_.shape(layer.inputs[0]);
  const FileTensor input = map(layer.inputs[0]);
  if (const std::optional<WindowPadding> padding = kernel_padding(shape, layer)) {
    return add_pool(index, BuiltinOperator::AVERAGE_POOL_2D, {input, operator_padding(*padding)});
  }
  const ArrayOperators of_input(writer_, shapes_.layer_name(index), quantisation(layer.inputs[0]));
  std::vector<FileTensor> row_parts;
  for (const WindowRun& rows : window_runs(row_axis(shape, layer))) {
    const FileTensor read_rows = of_input.part(input, 1, rows.begin, rows.end);
    std::vector<FileTensor> parts;
    for (const WindowRun& cols : window_runs(col_axis(shape, layer))) {
      const FileTensor read = of_input.part(read_rows, 2, cols.begin, cols.end);
      parts.push_back(writer_.add_activation(shapes_.layer_name(index) + "/part",
                                             {1, rows.positions, cols.positions, shape.channels},
                                             quantisation(index + 1)));
      writer_.add_operator(
          BuiltinOperator::AVERAGE_POOL_2D, {read}, parts.back(),
          tflite::CreatePool2DOptions(writer_.options(), tflite::Padding::VALID,
                                      layer.kernel.stride_w, layer.kernel.stride_h, cols.window,
                                      rows.window, fused_function(layer.activation)));
    }
    row_parts.push_back(array_operators(index).concatenated(parts, 2));
  }
  set_output(index, array_operators(index).concatenated(row_parts, 1));
}

}  // namespace patchnas
