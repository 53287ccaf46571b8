// QUANTIZE and DEQUANTIZE.

#include "deploy/tflite/tflite_importer.h"

namespace patchnas {

using tflite::BuiltinOperator;
using tflite::TensorType;

void TfliteImporter::import_conversion(const FileOperator& op) {
  if (type_ == TensorType::FLOAT32 && model_.stored(op.outputs[0]) != op.outputs[0]) {
    return;  // who reads the weights reads those that the file has
  }
  const FileValue& in = any_value(op, 0);
  const TensorType to = model_.type(op.outputs[0], &op);
  const bool quantises = op.code == BuiltinOperator::QUANTIZE;
  if (type_ == TensorType::INT8 && in.holds_end_numbers && quantises &&
      in.id < result_.network.input_count()) {
    return import_quantised_input(op, in);
  }
  if (type_ == TensorType::INT8 && !in.holds_end_numbers) {
    if (quantises && to == TensorType::INT8) {
      return import_function(op);
    }
    if (to == (quantises ? TensorType::UINT8 : TensorType::FLOAT32)) {
      return import_converted_output(op, in);
    }
  }
  if (const auto found = converted_.find(op.inputs[0]);
      found != converted_.end() && found->second.numbers == EndNumbers::kUint8 &&
      to == (quantises ? TensorType::INT8 : TensorType::FLOAT32)) {
    return import_from_uint8(op, in, found->second);
  }
  model_.fail(op, "only the network's input may be quantised, its output dequantised");
}

void TfliteImporter::import_quantised_input(const FileOperator& op, const FileValue& in) {
  const auto input = static_cast<std::size_t>(in.id);
  FileValue view = in;
  view.holds_end_numbers = false;
  const TensorQuantisation quantised = activation_quantisation(op.outputs[0], &op);
  const bool is_first = result_.input_ends[input].numbers == EndNumbers::kInt8;
  if (!is_first && quantised != result_.input_quantisation(input)) {
    model_.fail(op, "quantises the input to another scale or zero point than an earlier operator");
  }
  if (is_first) {
    result_.tensors[input] = quantised;
    result_.input_ends[input] = network_end(op, op.inputs[0]);
  }
  pass_on(op, view);
}

void TfliteImporter::import_converted_output(const FileOperator& op, const FileValue& in) {
  FileValue view = in;
  view.holds_end_numbers = true;
  if (model_.dimensions(op.outputs[0], &op) != view.dimensions()) {
    model_.fail(op, "its output's shape does not follow from its inputs");
  }
  NetworkEnd& end = converted_[op.outputs[0]];
  end = network_end(op, op.outputs[0]);
  end.restated = in.restated;
  view.restated.reset();
  values_[op.outputs[0]] = view;
}

// uint8 numbers with zero point z are here int8 ones with z - 128. Where nothing changes between
// the two, folding leaves these layers out.
void TfliteImporter::import_from_uint8(const FileOperator& op, FileValue in,
                                       const NetworkEnd& end) {
  in.holds_end_numbers = false;
  if (end.restated) {
    model_.fail(&op, op.inputs[0], "is uint8 of numbers whose scale a RESHAPE changed");
  }
  Layer layer;
  layer.kind = LayerKind::kLookup;
  layer.inputs = {in.id, kNoTensor};
  layer.output = in.shape;
  add_layer(layer, {}, op.inputs[0], {end.uint8.scale, end.uint8.zero_point - 128});
  in.id = layer.inputs[0] = result_.network.layer_count();
  if (model_.type(op.outputs[0], &op) == TensorType::FLOAT32) {
    return import_converted_output(op, in);
  }
  append_like(op, layer, {}, in);
}

NetworkEnd TfliteImporter::network_end(const FileOperator& op, FileTensor outer) const {
  NetworkEnd end{.numbers = end_numbers(model_.type(outer, &op))};
  if (take_ == Take::kInt8 && end.numbers == EndNumbers::kUint8) {
    end.uint8 = model_.activation_quantisation(outer, &op, TensorType::UINT8);
  }
  return end;
}

}  // namespace patchnas
