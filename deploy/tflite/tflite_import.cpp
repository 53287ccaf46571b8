#include "deploy/tflite/tflite_import.h"

#include <algorithm>

#include "arch/base/error.h"
#include "arch/base/input_file.h"
#include "arch/margins.h"
#include "deploy/quantise/requantisation.h"
#include "deploy/tflite/tflite_importer.h"
#include "deploy/tflite/tflite_numbers.h"

namespace patchnas {

using tflite::BuiltinOperator;
using tflite::TensorType;

QuantizedNetwork TfliteImporter::quantised_network() {
  read_layers();
  return derive_arithmetic(std::move(result_));
}

FloatNetwork TfliteImporter::float_network() {
  read_layers();
  validate(result_.network);
  return {std::move(result_.network), std::move(float_layers_)};
}

TfliteStructure TfliteImporter::structure() {
  read_layers();
  validate(result_.network);
  return {std::move(result_.network),
          type_ == TensorType::FLOAT32 ? TfliteNumbers::kFloat32 : TfliteNumbers::kInt8};
}

TfliteImporter::OperatorImport TfliteImporter::import_of(BuiltinOperator code) {
  static const std::unordered_map<BuiltinOperator, OperatorImport> imports = {
      {BuiltinOperator::ABS, &TfliteImporter::import_function},
      {BuiltinOperator::ADD, &TfliteImporter::import_combination},
      {BuiltinOperator::AVERAGE_POOL_2D, &TfliteImporter::import_pool},
      {BuiltinOperator::BATCH_TO_SPACE_ND, &TfliteImporter::import_blocks},
      {BuiltinOperator::BROADCAST_TO, &TfliteImporter::import_repetition},
      {BuiltinOperator::CONCATENATION, &TfliteImporter::import_join},
      {BuiltinOperator::CONV_2D, &TfliteImporter::import_convolution},
      {BuiltinOperator::DEPTHWISE_CONV_2D, &TfliteImporter::import_depthwise},
      {BuiltinOperator::DEPTH_TO_SPACE, &TfliteImporter::import_depth_and_space},
      {BuiltinOperator::DEQUANTIZE, &TfliteImporter::import_conversion},
      {BuiltinOperator::ELU, &TfliteImporter::import_function},
      {BuiltinOperator::EXPAND_DIMS, &TfliteImporter::import_reshape},
      {BuiltinOperator::FULLY_CONNECTED, &TfliteImporter::import_fully_connected},
      {BuiltinOperator::GATHER, &TfliteImporter::import_gather},
      {BuiltinOperator::HARD_SWISH, &TfliteImporter::import_function},
      {BuiltinOperator::LEAKY_RELU, &TfliteImporter::import_function},
      {BuiltinOperator::LOGISTIC, &TfliteImporter::import_function},
      {BuiltinOperator::MAXIMUM, &TfliteImporter::import_combination},
      {BuiltinOperator::MAX_POOL_2D, &TfliteImporter::import_pool},
      {BuiltinOperator::MEAN, &TfliteImporter::import_reduction},
      {BuiltinOperator::MINIMUM, &TfliteImporter::import_combination},
      {BuiltinOperator::MIRROR_PAD, &TfliteImporter::import_mirror_pad},
      {BuiltinOperator::MUL, &TfliteImporter::import_combination},
      {BuiltinOperator::PACK, &TfliteImporter::import_join},
      {BuiltinOperator::PAD, &TfliteImporter::import_pad},
      {BuiltinOperator::PADV2, &TfliteImporter::import_pad},
      {BuiltinOperator::PRELU, &TfliteImporter::import_combination},
      {BuiltinOperator::QUANTIZE, &TfliteImporter::import_conversion},
      {BuiltinOperator::REDUCE_MAX, &TfliteImporter::import_reduction},
      {BuiltinOperator::REDUCE_MIN, &TfliteImporter::import_reduction},
      {BuiltinOperator::RELU, &TfliteImporter::import_function},
      {BuiltinOperator::RELU6, &TfliteImporter::import_function},
      {BuiltinOperator::RESHAPE, &TfliteImporter::import_reshape},
      {BuiltinOperator::RESIZE_BILINEAR, &TfliteImporter::import_resize},
      {BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, &TfliteImporter::import_resize},
      {BuiltinOperator::RSQRT, &TfliteImporter::import_function},
      {BuiltinOperator::SLICE, &TfliteImporter::import_slice},
      {BuiltinOperator::SOFTMAX, &TfliteImporter::import_softmax},
      {BuiltinOperator::SPACE_TO_BATCH_ND, &TfliteImporter::import_blocks},
      {BuiltinOperator::SPACE_TO_DEPTH, &TfliteImporter::import_depth_and_space},
      {BuiltinOperator::SPLIT, &TfliteImporter::import_split},
      {BuiltinOperator::SPLIT_V, &TfliteImporter::import_split},
      {BuiltinOperator::SQUARED_DIFFERENCE, &TfliteImporter::import_combination},
      {BuiltinOperator::SQUEEZE, &TfliteImporter::import_reshape},
      {BuiltinOperator::STRIDED_SLICE, &TfliteImporter::import_slice},
      {BuiltinOperator::SUB, &TfliteImporter::import_combination},
      {BuiltinOperator::SUM, &TfliteImporter::import_reduction},
      {BuiltinOperator::TANH, &TfliteImporter::import_function},
      {BuiltinOperator::TRANSPOSE, &TfliteImporter::import_transpose},
      {BuiltinOperator::TRANSPOSE_CONV, &TfliteImporter::import_transpose_convolution},
      {BuiltinOperator::UNPACK, &TfliteImporter::import_split}};
  const auto found = imports.find(code);
  return found == imports.end() ? nullptr : found->second;
}

void TfliteImporter::read_layers() {
  try_to_read_layers();
  if (!obstacles_.empty()) {
    throw InputError(model_.source() +
                     (take_ == Take::kInt8 ? ": cannot be run: " : ": cannot be read: ") +
                     obstacles_.text());
  }
}

std::vector<std::string> TfliteImporter::obstacles() {
  try_to_read_layers();
  if (obstacles_.empty()) {
    try {
      derive_arithmetic(std::move(result_));
    } catch (const InputError& error) {
      obstacles_.add(error.what());
    }
  }
  return obstacles_.lines();
}

void TfliteImporter::try_to_read_layers() {
  const FileNumbers numbers = numbers_of(model_);
  const bool is_float = numbers == FileNumbers::kFloat32 || numbers == FileNumbers::kFloat16;
  const bool readable = (numbers == FileNumbers::kInt8 && take_ != Take::kFloat) ||
                        (is_float && take_ != Take::kInt8);
  type_ = is_float ? TensorType::FLOAT32 : TensorType::INT8;
  if (!readable) {
    obstacles_.add(explain(numbers));
  }
  if (model_.inputs().empty() || model_.outputs().empty()) {
    obstacles_.add("has no input or no output");
  }
  if (readable) {
    noting_obstacles(nullptr, [&] { read_inputs(); });
  }
  const std::unordered_set<int> needed = needed_operators(model_);
  read_.insert(model_.outputs().begin(), model_.outputs().end());
  for (const FileOperator& op : model_.operators()) {
    if (needed.contains(op.index)) {
      read_.insert(op.inputs.begin(), op.inputs.end());
    }
  }
  for (const FileOperator& op : model_.operators()) {
    if (needed.contains(op.index) && !merged_.contains(op.index)) {
      noting_obstacles(&op, [&] { import_operator(op, readable); });
    }
  }
  if (obstacles_.empty()) {
    noting_obstacles(nullptr, [&] { read_outputs(); });
    recognise_pads(result_.network);
  }
}

void TfliteImporter::assume_value(FileTensor tensor, const FileOperator* op) {
  if (values_.contains(tensor)) {
    return;
  }
  try {
    const std::vector<int> dimensions = model_.dimensions(tensor, op);
    const TensorQuantisation quantisation = activation_quantisation(tensor, op);
    const TensorShape shape = shape_of(dimensions);
    add_layer({.output = shape, .kernel = {}}, {}, tensor, quantisation);
    values_[tensor] =
        reread({.id = result_.network.layer_count(), .shape = shape, .margins = {}}, dimensions);
  } catch (const FileObstacle&) {
    unknown_.insert(tensor);
  }
}

void TfliteImporter::read_inputs() {
  result_.tensors.emplace_back();
  result_.input_ends.assign(std::max<std::size_t>(1, model_.inputs().size()), {});
  unknown_.insert(model_.inputs().begin(), model_.inputs().end());
  for (std::size_t i = 0; i < model_.inputs().size(); ++i) {
    read_input(model_.inputs()[i], static_cast<TensorId>(i));
  }
}

void TfliteImporter::read_input(FileTensor tensor, TensorId id) {
  const std::vector<int> dimensions = model_.dimensions(tensor, nullptr);
  if (dimensions.size() == 4 && dimensions[0] != 1) {
    model_.fail(nullptr, tensor,
                "has batch size " + std::to_string(dimensions[0]) + ", only 1 is supported");
  }
  const TensorShape shape = shape_of(dimensions);
  FileValue value{.id = id, .shape = shape, .margins = {}};
  const TensorType type = model_.type(tensor, nullptr);
  value.holds_end_numbers = type != type_ && end_numbers(type) != EndNumbers::kInt8;
  const TensorQuantisation quantisation =
      value.holds_end_numbers ? TensorQuantisation{} : activation_quantisation(tensor, nullptr);
  if (id == kImage) {
    result_.network.input = shape;
    result_.tensors[kImage] = quantisation;
  } else {
    Layer layer;
    layer.kind = LayerKind::kInput;
    layer.output = shape;
    add_layer(layer, {}, tensor, quantisation);
  }
  unknown_.erase(tensor);
  values_[tensor] = reread(value, dimensions);
}

void TfliteImporter::import_operator(const FileOperator& op, bool readable) {
  const OperatorImport import = import_of(op.code);
  if (import == nullptr) {
    model_.fail(op, kUnsupportedOperator);
  }
  if (!readable) {
    return;
  }
  const bool is_split = import == &TfliteImporter::import_split;
  if (op.outputs.empty() || (op.outputs.size() > 1 && !is_split)) {
    model_.fail(op, "must write exactly one tensor");
  }
  for (const FileTensor output : op.outputs) {
    if (values_.contains(output)) {
      model_.fail(op, "writes a tensor that another operator writes");
    }
  }
  (this->*import)(op);
}

void TfliteImporter::read_outputs() {
  const std::vector<FileTensor>& outputs = model_.outputs();
  std::vector<TensorId> tensors;
  result_.output_ends.clear();
  for (const FileTensor output : outputs) {
    const auto found = values_.find(output);
    if (found == values_.end()) {
      model_.fail(nullptr, output, "is an output that no operator computes");
    }
    FileValue& value = found->second;
    const bool is_input = value.id < result_.network.input_count();
    const bool is_output = std::find(tensors.begin(), tensors.end(), value.id) != tensors.end();
    if (is_input || is_output || !value.is_ordered() || value.has_margins()) {
      if (is_input && value.holds_end_numbers) {
        model_.fail(nullptr, output, "is an input that no operator quantises");
      }
      value = add_copy(FileOperator{}, value, copy_to_plain(value), value.dimensions(), output);
    }
    const auto end = converted_.find(output);
    result_.output_ends.push_back(end == converted_.end() ? NetworkEnd{.restated = value.restated}
                                                          : end->second);
    tensors.push_back(value.id);
  }
  if (tensors != std::vector<TensorId>{result_.network.layer_count()}) {
    result_.network.outputs = tensors;
  }
}

namespace {

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  const std::string bytes = read_input(path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

QuantizedNetwork import_tflite(std::span<const std::uint8_t> bytes, const std::string& source) {
  const TfliteModel model(bytes, source);
  return naming_source(source,
                       [&] { return TfliteImporter(model, Take::kInt8).quantised_network(); });
}

QuantizedNetwork import_tflite_file(const std::filesystem::path& path) {
  return import_tflite(read_bytes(path), path.string());
}

FloatNetwork import_tflite_float(std::span<const std::uint8_t> bytes, const std::string& source) {
  const TfliteModel model(bytes, source);
  return naming_source(source, [&] { return TfliteImporter(model, Take::kFloat).float_network(); });
}

FloatNetwork import_tflite_float_file(const std::filesystem::path& path) {
  return import_tflite_float(read_bytes(path), path.string());
}

TfliteStructure import_tflite_structure(std::span<const std::uint8_t> bytes,
                                        const std::string& source) {
  const TfliteModel model(bytes, source);
  return naming_source(source, [&] { return TfliteImporter(model, Take::kStructure).structure(); });
}

TfliteStructure import_tflite_structure_file(const std::filesystem::path& path) {
  return import_tflite_structure(read_bytes(path), path.string());
}

}  // namespace patchnas
