#include "deploy/tflite/tflite_export.h"

#include <unordered_map>

#include "arch/base/error.h"
#include "deploy/reference/end_numbers.h"
#include "deploy/tflite/tflite_exporter.h"

namespace patchnas {

using tflite::BuiltinOperator;

TfliteExporter::LayerExport TfliteExporter::export_of(LayerKind kind) {
  static const std::unordered_map<LayerKind, LayerExport> exports = {
      {LayerKind::kConv2d, &TfliteExporter::export_convolution},
      {LayerKind::kDepthwiseConv2d, &TfliteExporter::export_depthwise},
      {LayerKind::kAdd, &TfliteExporter::export_combination},
      {LayerKind::kAveragePool, &TfliteExporter::export_average_pool},
      {LayerKind::kMaxPool, &TfliteExporter::export_max_pool},
      {LayerKind::kFullyConnected, &TfliteExporter::export_fully_connected},
      {LayerKind::kSoftmax, &TfliteExporter::export_softmax},
      {LayerKind::kMean, &TfliteExporter::export_mean},
      {LayerKind::kSubtract, &TfliteExporter::export_combination},
      {LayerKind::kMultiply, &TfliteExporter::export_combination},
      {LayerKind::kPrelu, &TfliteExporter::export_combination},
      {LayerKind::kMaximum, &TfliteExporter::export_combination},
      {LayerKind::kMinimum, &TfliteExporter::export_combination},
      {LayerKind::kSquaredDifference, &TfliteExporter::export_combination},
      {LayerKind::kTransposeConv, &TfliteExporter::export_transpose_convolution},
      {LayerKind::kLookup, &TfliteExporter::export_function},
      {LayerKind::kResize, &TfliteExporter::export_resize},
      {LayerKind::kCopyChannels, &TfliteExporter::export_copy},
      {LayerKind::kCopy, &TfliteExporter::export_copy},
      {LayerKind::kPad, &TfliteExporter::export_copy}};
  const auto found = exports.find(kind);
  return found == exports.end() ? nullptr : found->second;
}

std::vector<std::uint8_t> TfliteExporter::run() {
  std::vector<FileTensor> inputs;
  for (TensorId input = 0; input < shapes_.input_count(); ++input) {
    inputs.push_back(export_input(input));
  }
  for (int layer = shapes_.input_count() - 1; layer < shapes_.layer_count(); ++layer) {
    const LayerExport write = export_of(layer_at(layer).kind);
    if (write == nullptr) {
      fail(layer, "such layers cannot be written as .tflite");
    }
    written_.push_back(kNotWritten);
    (this->*write)(layer);
  }
  std::vector<FileTensor> outputs;
  for (std::size_t output = 0; output < shapes_.output_tensors().size(); ++output) {
    outputs.push_back(export_output(output));
  }
  // The network's own tensors come first in the file, in their order.
  std::erase(written_, kNotWritten);
  return writer_.finish(inputs, outputs, written_);
}

void TfliteExporter::fail(int layer, const std::string& what) const {
  throw InputError("layer " + std::to_string(layer) + " (" + shapes_.layer_name(layer) +
                   "): " + what);
}

FileTensor TfliteExporter::export_input(TensorId input) {
  const NetworkEnd& end = network_.input_ends[static_cast<std::size_t>(input)];
  const std::string name = tensor_name(input);
  const std::vector<int> dimensions = map_dimensions(input);
  const TensorQuantisation given = end.restated.value_or(quantisation(input));
  FileTensor outer = 0;
  FileTensor inner = 0;
  if (end.numbers == EndNumbers::kInt8) {
    outer = inner = writer_.add_activation(name, dimensions, given);
  } else {
    outer = add_outer(name, dimensions, end);
    inner = writer_.add_activation(name + "/int8", dimensions, given);
    writer_.add_operator(BuiltinOperator::QUANTIZE, {outer}, inner);
  }
  if (end.restated) {
    inner = ArrayOperators(writer_, name, quantisation(input)).copied(inner, dimensions);
  }
  written_.push_back(inner);
  return outer;
}

FileTensor TfliteExporter::export_output(std::size_t output) {
  const NetworkEnd& end = network_.output_ends[output];
  const TensorId tensor = shapes_.output_tensors()[output];
  const std::string name = tensor_name(tensor);
  FileTensor inner = written(tensor);
  const std::vector<int> dimensions = writer_.dimensions(inner);
  if (end.restated) {
    inner = ArrayOperators(writer_, name, *end.restated).copied(inner, dimensions);
  }
  if (end.numbers == EndNumbers::kInt8) {
    return inner;
  }
  const FileTensor outer =
      add_outer(name + "/" + std::string(to_string(end.numbers)), dimensions, end);
  writer_.add_operator(
      end.numbers == EndNumbers::kFloat32 ? BuiltinOperator::DEQUANTIZE : BuiltinOperator::QUANTIZE,
      {inner}, outer);
  return outer;
}

FileTensor TfliteExporter::add_outer(const std::string& name, const std::vector<int>& dimensions,
                                     const NetworkEnd& end) {
  return end.numbers == EndNumbers::kFloat32
             ? writer_.add_float_activation(name, dimensions)
             : writer_.add_activation(name, dimensions, end.uint8, tflite::TensorType::UINT8);
}

FileTensor TfliteExporter::map(TensorId tensor) {
  return ArrayOperators(writer_, tensor_name(tensor), quantisation(tensor))
      .reshaped(written(tensor), map_dimensions(tensor));
}

FileTensor TfliteExporter::add_output(int layer, std::vector<int> dimensions) {
  return written_[static_cast<std::size_t>(layer) + 1] = writer_.add_activation(
             shapes_.layer_name(layer), std::move(dimensions), quantisation(layer + 1));
}

void TfliteExporter::set_output(int layer, FileTensor tensor) {
  writer_.rename(tensor, shapes_.layer_name(layer));
  written_[static_cast<std::size_t>(layer) + 1] = tensor;
}

tflite::ActivationFunctionType TfliteExporter::fused_function(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return tflite::ActivationFunctionType::NONE;
    case Activation::kRelu:
      return tflite::ActivationFunctionType::RELU;
    case Activation::kRelu6:
      return tflite::ActivationFunctionType::RELU6;
    case Activation::kReluN1To1:
      return tflite::ActivationFunctionType::RELU_N1_TO_1;
  }
  return tflite::ActivationFunctionType::NONE;
}

std::vector<std::uint8_t> export_tflite(const QuantizedNetwork& network) {
  return TfliteExporter(network).run();
}

}  // namespace patchnas
