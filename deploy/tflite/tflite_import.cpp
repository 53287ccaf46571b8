#include "deploy/tflite/tflite_import.h"

#include "arch/base/error.h"
#include "arch/base/input_file.h"
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

TfliteStructure TfliteImporter::structure() {
  read_layers();
  validate(result_.network);
  return {std::move(result_.network),
          type_ == TensorType::FLOAT32 ? TfliteNumbers::kFloat32 : TfliteNumbers::kInt8};
}

TfliteImporter::OperatorImport TfliteImporter::import_of(BuiltinOperator code) {
  static const std::unordered_map<BuiltinOperator, OperatorImport> imports = {
      {BuiltinOperator::ADD, &TfliteImporter::import_add},
      {BuiltinOperator::AVERAGE_POOL_2D, &TfliteImporter::import_pool},
      {BuiltinOperator::CONV_2D, &TfliteImporter::import_convolution},
      {BuiltinOperator::DEPTHWISE_CONV_2D, &TfliteImporter::import_depthwise},
      {BuiltinOperator::DEQUANTIZE, &TfliteImporter::import_conversion},
      {BuiltinOperator::EXPAND_DIMS, &TfliteImporter::import_reshape},
      {BuiltinOperator::FULLY_CONNECTED, &TfliteImporter::import_fully_connected},
      {BuiltinOperator::MAX_POOL_2D, &TfliteImporter::import_pool},
      {BuiltinOperator::MEAN, &TfliteImporter::import_mean},
      {BuiltinOperator::PAD, &TfliteImporter::import_pad},
      {BuiltinOperator::PADV2, &TfliteImporter::import_pad},
      {BuiltinOperator::QUANTIZE, &TfliteImporter::import_conversion},
      {BuiltinOperator::RESHAPE, &TfliteImporter::import_reshape},
      {BuiltinOperator::SOFTMAX, &TfliteImporter::import_softmax},
      {BuiltinOperator::SQUEEZE, &TfliteImporter::import_reshape},
      {BuiltinOperator::TRANSPOSE, &TfliteImporter::import_transpose}};
  const auto found = imports.find(code);
  return found == imports.end() ? nullptr : found->second;
}

void TfliteImporter::read_layers() {
  const FileNumbers numbers = numbers_of(model_);
  const bool readable = numbers == FileNumbers::kInt8 ||
                        (numbers == FileNumbers::kFloat32 && take_ == Take::kStructure);
  type_ = numbers == FileNumbers::kFloat32 ? TensorType::FLOAT32 : TensorType::INT8;
  if (!readable) {
    obstacles_.add(explain(numbers));
  }
  require_one(model_.inputs().size(), "input");
  require_one(model_.outputs().size(), "output");
  if (readable) {
    noting_obstacles(nullptr, [&] { read_inputs(); });
  }
  const std::unordered_set<int> needed = needed_operators(model_);
  for (const FileOperator& op : model_.operators()) {
    if (needed.contains(op.index)) {
      noting_obstacles(&op, [&] { import_operator(op, readable); });
    }
  }
  if (obstacles_.empty()) {
    noting_obstacles(nullptr, [&] { check_output(); });
  }
  if (!obstacles_.empty()) {
    throw InputError(model_.source() +
                     (take_ == Take::kEverything ? ": cannot be run: " : ": cannot be read: ") +
                     obstacles_.text());
  }
}

void TfliteImporter::require_one(std::size_t count, const std::string& what) {
  if (count != 1) {
    obstacles_.add("has " + std::to_string(count) + " " + what + "s, only one is supported");
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
  const std::vector<FileTensor>& inputs = model_.inputs();
  if (inputs.empty()) {
    return;
  }
  const FileTensor image = inputs.front();
  unknown_.insert(image);
  const std::vector<int> dimensions = model_.dimensions(image, nullptr);
  if (dimensions.size() == 4 && dimensions[0] != 1) {
    model_.fail(nullptr, image,
                "has batch size " + std::to_string(dimensions[0]) + ", only 1 is supported");
  }
  const TensorShape shape = shape_of(dimensions);
  FileValue value{.id = kImage, .shape = shape, .margins = {}};
  const TensorType type = model_.type(image, nullptr);
  value.holds_end_numbers = type != type_ && end_numbers(type) != EndNumbers::kInt8;
  if (!value.holds_end_numbers) {
    result_.tensors[kImage] = activation_quantisation(image, nullptr);
  }
  unknown_.erase(image);
  values_[image] = reread(value, dimensions);
  result_.network.input = shape;
  std::for_each(inputs.begin() + 1, inputs.end(),
                [&](FileTensor input) { assume_value(input, nullptr); });
}

void TfliteImporter::import_operator(const FileOperator& op, bool readable) {
  const OperatorImport import = import_of(op.code);
  if (import == nullptr) {
    model_.fail(op, kUnsupportedOperator);
  }
  if (!readable) {
    return;
  }
  if (op.outputs.size() != 1 || values_.contains(op.outputs[0])) {
    model_.fail(op, "must write exactly one tensor, which nothing else writes");
  }
  (this->*import)(op);
}

void TfliteImporter::check_output() {
  const auto output = values_.find(model_.outputs().front());
  const int last = result_.network.layer_count();
  if (last == 0 || output == values_.end() || output->second.id != last ||
      output->second.has_margins() || !output->second.is_ordered()) {
    model_.fail(nullptr, model_.outputs().front(), "must be what the last operator computes");
  }
  if (output->second.restated) {
    result_.output_end.restated = output->second.restated;
  }
}

namespace {

// Errors of `import` that do not know the file name it.
template <typename Import>
auto naming(const std::string& source, Import import) {
  try {
    return import();
  } catch (const InputError& error) {
    const std::string message = error.what();
    throw InputError(message.starts_with(source) ? message : source + ": " + message);
  }
}

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  const std::string bytes = read_input(path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

QuantizedNetwork import_tflite(std::span<const std::uint8_t> bytes, const std::string& source) {
  const TfliteModel model(bytes, source);
  return naming(source,
                [&] { return TfliteImporter(model, Take::kEverything).quantised_network(); });
}

QuantizedNetwork import_tflite_file(const std::filesystem::path& path) {
  return import_tflite(read_bytes(path), path.string());
}

TfliteStructure import_tflite_structure(std::span<const std::uint8_t> bytes,
                                        const std::string& source) {
  const TfliteModel model(bytes, source);
  return naming(source, [&] { return TfliteImporter(model, Take::kStructure).structure(); });
}

TfliteStructure import_tflite_structure_file(const std::filesystem::path& path) {
  return import_tflite_structure(read_bytes(path), path.string());
}

}  // namespace patchnas
