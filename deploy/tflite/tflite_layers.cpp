// Reading the operands of an operator, and appending what it computes.

#include "arch/base/error.h"
#include "deploy/tflite/tflite_importer.h"

namespace patchnas {

using tflite::TensorType;

const FileValue& TfliteImporter::any_value(const FileOperator& op, std::size_t position) const {
  const FileTensor tensor = op.input(position);
  if (unknown_.contains(tensor)) {
    throw UnknownInput{};
  }
  const auto found = values_.find(tensor);
  if (found == values_.end()) {
    model_.fail(&op, tensor,
                "input " + std::to_string(position) +
                    (model_.is_constant(tensor) ? " is a constant, which is not supported"
                                                : " is not computed by an earlier operator"));
  }
  return found->second;
}

const FileValue& TfliteImporter::value(const FileOperator& op, std::size_t position) {
  const FileValue& found = any_value(op, position);
  if (found.holds_end_numbers) {
    model_.require_type(op.inputs[position], type_, &op);
  }
  return found.restated && found.id != kImage ? plain(op, position) : found;
}

const FileValue& TfliteImporter::plain(const FileOperator& op, std::size_t position) {
  any_value(op, position);
  FileValue& found = values_.at(op.inputs[position]);
  if (found.holds_end_numbers) {
    model_.require_type(op.inputs[position], type_, &op);
  }
  if (!found.is_plain()) {
    found = add_copy(op, found, copy_to_plain(found), found.dimensions(), op.inputs[position]);
  }
  return found;
}

const FileValue& TfliteImporter::map(const FileOperator& op) {
  const FileValue& found = value(op, 0);
  if (found.is_map()) {
    return found;
  }
  const FileValue& made = plain(op, 0);
  if (!made.is_map()) {
    model_.fail(&op, op.inputs[0], "is no map of rows, columns and channels");
  }
  return made;
}

const FileValue& TfliteImporter::map_for_convolution(const FileOperator& op, int kernel_h,
                                                     int kernel_w) {
  const FileValue& found = map(op);
  const int span_h = (kernel_h - 1) * found.dilation_h + 1;
  const int span_w = (kernel_w - 1) * found.dilation_w + 1;
  const bool fits = found.margin_fill == MarginFill::kZero && margins_fit(found, span_h, span_w);
  if (!found.has_margins() || fits) {
    return found;
  }
  if (found.dilation_h != 1 || found.dilation_w != 1) {
    model_.fail(op, "a window in its margins reads nothing else");
  }
  return plain(op, 0);
}

const FileValue& TfliteImporter::elements(const FileOperator& op, std::size_t position) {
  const FileValue& found = value(op, position);
  return found.is_ordered() && !found.has_margins() ? found : plain(op, position);
}

const FileValue& TfliteImporter::elements_by_channel(const FileOperator& op, std::size_t position) {
  const FileValue& found = elements(op, position);
  return found.ends_in_channels() ? found : plain(op, position);
}

std::size_t TfliteImporter::axis_of(const FileOperator& op, std::int64_t axis,
                                    std::size_t rank) const {
  const auto dimensions = static_cast<std::int64_t>(rank);
  if (axis < -dimensions || axis >= dimensions) {
    model_.fail(op, "names axis " + std::to_string(axis) + " of " + std::to_string(rank));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + dimensions : axis);
}

Activation TfliteImporter::activation_function(const FileOperator& op,
                                               tflite::ActivationFunctionType type) const {
  switch (type) {
    case tflite::ActivationFunctionType::NONE:
      return Activation::kNone;
    case tflite::ActivationFunctionType::RELU:
      return Activation::kRelu;
    case tflite::ActivationFunctionType::RELU6:
      return Activation::kRelu6;
    case tflite::ActivationFunctionType::RELU_N1_TO_1:
      return Activation::kReluN1To1;
    default:
      model_.fail(op,
                  "its fused activation function is not supported; NONE, RELU, RELU6 and "
                  "RELU_N1_TO_1 are");
  }
}

std::vector<int> TfliteImporter::weight_shape(const FileOperator& op, std::size_t rank) const {
  std::vector<int> shape = model_.dimensions(op.input(1), &op);
  if (shape.size() != rank) {
    model_.fail(&op, op.inputs[1], "weights must have " + std::to_string(rank) + " dimensions");
  }
  return shape;
}

LayerValues TfliteImporter::parameters(const FileOperator& op, int channel_axis,
                                       int outputs) const {
  check_parameters(op, outputs);
  switch (take_) {
    case Take::kInt8:
      return {.int8 = int8_parameters(op, channel_axis, outputs)};
    case Take::kFloat:
      return {.real = float_parameters(op)};
    case Take::kStructure:
      break;
  }
  return {};
}

QuantizedLayer TfliteImporter::int8_parameters(const FileOperator& op, int channel_axis,
                                               int outputs) const {
  QuantizedLayer result;
  result.weights = model_.int8_data(op.input(1), op);
  result.weight_scales = model_.weight_scales(op.input(1), channel_axis, op);
  const FileTensor bias = op.input(2);
  if (bias < 0) {
    result.biases.assign(static_cast<std::size_t>(outputs), 0);
    return result;
  }
  result.biases = model_.int32_data(bias, op);
  return result;
}

FloatLayer TfliteImporter::float_parameters(const FileOperator& op) const {
  FloatLayer result;
  result.weights = model_.float_data(op.input(1), op);
  if (op.input(2) >= 0) {
    result.bias = model_.float_data(op.input(2), op);
  }
  return result;
}

void TfliteImporter::check_parameters(const FileOperator& op, int outputs) const {
  const bool is_float = type_ == TensorType::FLOAT32;
  model_.constant(op.input(1), type_, op);
  const FileTensor bias = op.input(2);
  if (bias < 0) {
    return;
  }
  model_.constant(bias, is_float ? TensorType::FLOAT32 : TensorType::INT32, op);
  if (element_count(model_.dimensions(bias, &op)) != outputs) {
    model_.fail(&op, bias, "needs one bias per output channel");
  }
}

TensorQuantisation TfliteImporter::activation_quantisation(FileTensor tensor,
                                                           const FileOperator* op) const {
  if (take_ == Take::kInt8) {
    return model_.activation_quantisation(tensor, op);
  }
  model_.require_type(tensor, type_, op);
  return {};
}

void TfliteImporter::add_layer(const Layer& layer, LayerValues values, FileTensor output,
                               const TensorQuantisation& output_quantisation) {
  result_.network.layers.push_back(layer);
  result_.network.names.push_back(model_.tensor_name(output));
  result_.tensors.push_back(output_quantisation);
  result_.layers.push_back(std::move(values.int8));
  float_layers_.push_back(std::move(values.real));
}

FileValue TfliteImporter::add_copy(const FileOperator& op, const FileValue& in,
                                   const StridedCopy& copy, const std::vector<int>& dimensions,
                                   FileTensor named_after) {
  Layer layer;
  layer.kind = LayerKind::kCopy;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape_of(dimensions);
  layer.copy = copy;
  LayerValues values;
  values.int8.fill = in.margin_value;
  values.real.fill = in.margin_real;
  const TensorQuantisation stated = quantisation(in);
  if (in.id == kImage) {
    read_image_as(op, in);
  }
  const FileValue made = reread(next_value(layer.output), dimensions);
  const bool only_pads = in.padded >= 0 && in.is_ordered();
  add_layer(layer, std::move(values), only_pads ? in.padded : named_after, stated);
  return made;
}

void TfliteImporter::append_output(const FileOperator& op, std::size_t position, const Layer& layer,
                                   LayerValues values, const FileValue& computed) {
  const FileTensor output = op.outputs[position];
  if (model_.dimensions(output, &op) != computed.dimensions()) {
    model_.fail(op, "its output's shape does not follow from its inputs");
  }
  const TensorQuantisation output_quantisation = activation_quantisation(output, &op);
  for (const FileTensor input : op.inputs) {
    if (const auto found = values_.find(input);
        found != values_.end() && found->second.id == kImage) {
      read_image_as(op, found->second);
    }
  }
  add_layer(layer, std::move(values), output, output_quantisation);
  values_[output] = computed;
}

void TfliteImporter::append_map(const FileOperator& op, const Layer& layer, LayerValues values,
                                const FileValue& in) {
  FileValue computed = next_value(layer.output);
  computed.axes = in.axes;
  if (in.dilation_h != 1 || in.dilation_w != 1) {
    computed = reread(computed, model_.dimensions(op.outputs[0], &op));
  }
  if (!computed.is_ordered()) {
    model_.fail(op, "makes a map of both rows and columns from one that is turned");
  }
  append(op, layer, std::move(values), computed);
}

void TfliteImporter::append_like(const FileOperator& op, const Layer& layer, LayerValues values,
                                 const FileValue& in) {
  FileValue computed = in;
  computed.id = result_.network.layer_count() + 1;
  computed.has_pad_operator = false;
  computed.restated.reset();
  append(op, layer, std::move(values), computed);
}

void TfliteImporter::read_image_as(const FileOperator& op, const FileValue& view) {
  TensorQuantisation& image = result_.tensors[kImage];
  if (!image_as_given_) {
    image_as_given_ = image;
    result_.network.input = view.shape;
    if (view.restated) {
      result_.input_ends[kImage].restated = image;
      image = *view.restated;
    }
  } else if (view.shape != result_.network.input ||
             view.restated.value_or(*image_as_given_) != image) {
    model_.fail(op, "reads the input in another shape or scale than an earlier operator");
  }
}

void TfliteImporter::pass_on(const FileOperator& op, const FileValue& view) {
  const FileTensor output = op.outputs[0];
  if (model_.dimensions(output, &op) != view.dimensions()) {
    model_.fail(op, "its output's shape does not follow from its inputs");
  }
  if (view.holds_end_numbers) {
    model_.require_type(output, model_.type(op.inputs[0], &op), &op);
    if (const auto found = converted_.find(op.inputs[0]); found != converted_.end()) {
      const NetworkEnd end = found->second;
      if (end.numbers == EndNumbers::kUint8 && take_ == Take::kInt8 &&
          model_.stated_quantisation(output) != end.uint8) {
        model_.fail(op, "its output must have its input's scale and zero point");
      }
      converted_[output] = end;
    }
  } else if (const TensorQuantisation stated = activation_quantisation(output, &op);
             take_ == Take::kInt8 && stated != quantisation(view)) {
    model_.fail(op, "its output must have its input's scale and zero point");
  }
  values_[output] = view;
}

void TfliteImporter::pass_on_bytes(const FileOperator& op, FileValue view) {
  if (!view.holds_end_numbers && type_ == TensorType::INT8) {
    const std::optional<TensorQuantisation> stated = model_.stated_quantisation(op.outputs[0]);
    if (stated != model_.stated_quantisation(op.inputs[0])) {
      view.restated = stated;
    }
  }
  pass_on(op, view);
}

}  // namespace patchnas
