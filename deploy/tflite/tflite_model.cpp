#include "deploy/tflite/tflite_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "arch/base/error.h"
#include "deploy/import/file_obstacles.h"
#include "deploy/tflite/tflite_constants.h"
#include "deploy/tflite/tflite_value.h"

namespace patchnas {
namespace {

std::string printable_name(const flatbuffers::String* text) {
  return text == nullptr ? "" : printable(text->str());
}

std::string dimensions_text(const std::vector<int>& dimensions) {
  std::string text = "[";
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(dimensions[i]);
  }
  return text + "]";
}

std::string type_name(tflite::TensorType type) {
  const std::string name = tflite::EnumNameTensorType(type);
  return name.empty() ? "type " + std::to_string(static_cast<int>(type)) : name;
}

// IEEE 754's binary16.
float from_half(std::uint16_t bits) {
  constexpr int kFractionBits = 10;
  constexpr int kBias = 15;
  const int exponent = bits >> kFractionBits & 31;
  const int fraction = bits & 1023;
  const float sign = (bits >> 15) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) {
    return sign * (fraction == 0 ? std::numeric_limits<float>::infinity()
                                 : std::numeric_limits<float>::quiet_NaN());
  }
  const int significand = exponent == 0 ? fraction : fraction + (1 << kFractionBits);
  return sign *
         std::ldexp(static_cast<float>(significand), std::max(exponent, 1) - kBias - kFractionBits);
}

// The verifier aligns vectors to four bytes only, so eight-byte elements are copied out.
std::int64_t element(const flatbuffers::Vector<std::int64_t>& list, std::size_t index) {
  std::int64_t value = 0;
  std::memcpy(&value, list.Data() + index * sizeof(value), sizeof(value));
  return flatbuffers::EndianScalar(value);
}

}  // namespace

TfliteModel::TfliteModel(std::span<const std::uint8_t> bytes, std::string source)
    : bytes_(bytes.begin(), bytes.end()), source_(std::move(source)) {
  flatbuffers::Verifier verifier(bytes_.data(), bytes_.size());
  if (bytes_.size() < 8 || bytes_.size() >= FLATBUFFERS_MAX_BUFFER_SIZE ||
      !tflite::ModelBufferHasIdentifier(bytes_.data()) || !tflite::VerifyModelBuffer(verifier)) {
    throw InputError(source_ + ": is not a .tflite file, or is damaged or cut short");
  }
  model_ = tflite::GetModel(bytes_.data());
  if (model_->version() != 3) {
    throw InputError(source_ + ": has schema version " + std::to_string(model_->version()) +
                     ", only 3 is supported");
  }
  if (model_->subgraphs() == nullptr || model_->subgraphs()->size() != 1 ||
      model_->buffers() == nullptr) {
    throw InputError(source_ + ": must have exactly one subgraph");
  }
  graph_ = model_->subgraphs()->Get(0);
  inputs_ = indices(graph_->inputs(), false, "the graph's inputs");
  outputs_ = indices(graph_->outputs(), false, "the graph's outputs");
  read_operators();
  compute_constants();
}

void TfliteModel::compute_constants() {
  for (const FileOperator& op : operators_) {
    if (std::optional<std::vector<std::uint8_t>> bytes = constant_output(*this, op)) {
      computed_[op.outputs[0]] = std::move(*bytes);
    }
  }
}

void TfliteModel::read_operators() {
  if (graph_->operators() == nullptr || model_->operator_codes() == nullptr) {
    throw InputError(source_ + ": has no operators");
  }
  for (const tflite::Operator* const data : *graph_->operators()) {
    FileOperator op;
    op.index = static_cast<int>(operators_.size());
    op.data = data;
    const std::string where = "operator " + std::to_string(op.index);
    if (data->opcode_index() >= model_->operator_codes()->size()) {
      throw InputError(source_ + ": " + where + ": has an operator code outside the file's table");
    }
    const tflite::OperatorCode& code = *model_->operator_codes()->Get(data->opcode_index());
    op.code = std::max(code.builtin_code(),
                       static_cast<tflite::BuiltinOperator>(code.deprecated_builtin_code()));
    op.name = tflite::EnumNameBuiltinOperator(op.code);
    if (op.name.empty()) {
      op.name = "builtin " + std::to_string(static_cast<int>(op.code));
    } else if (op.code == tflite::BuiltinOperator::CUSTOM) {
      op.name += " '" + printable_name(code.custom_code()) + "'";
    }
    op.inputs = indices(data->inputs(), true, where + " " + op.name + ": inputs");
    op.outputs = indices(data->outputs(), false, where + " " + op.name + ": outputs");
    operators_.push_back(std::move(op));
  }
  for (const FileOperator& op : operators_) {
    if (op.code == tflite::BuiltinOperator::DEQUANTIZE && op.input(0) >= 0 &&
        op.outputs.size() == 1 && is_constant(op.inputs[0])) {
      stored_.emplace(op.outputs[0], op.inputs[0]);
    }
  }
}

FileTensor TfliteModel::stored(FileTensor tensor) const {
  const auto found = stored_.find(tensor);
  return found == stored_.end() ? tensor : found->second;
}

std::vector<FileTensor> TfliteModel::indices(const flatbuffers::Vector<std::int32_t>* list,
                                             bool optional, const std::string& what) const {
  const auto count =
      graph_->tensors() == nullptr ? 0 : static_cast<std::int32_t>(graph_->tensors()->size());
  std::vector<FileTensor> result;
  for (std::uint32_t i = 0; list != nullptr && i < list->size(); ++i) {
    const std::int32_t index = list->Get(i);
    if (index >= count || index < (optional ? -1 : 0)) {
      throw InputError(source_ + ": " + what + " name tensor " + std::to_string(index) +
                       ", the file has " + std::to_string(count));
    }
    result.push_back(index);
  }
  return result;
}

void TfliteModel::fail(const FileOperator* at, FileTensor tensor, const std::string& what) const {
  std::string place;
  if (at != nullptr) {
    place = "operator " + std::to_string(at->index);
    if (tensor < 0 && !at->outputs.empty()) {
      tensor = at->outputs[0];
    }
  }
  if (tensor >= 0) {
    place += (place.empty() ? "" : ", ") + ("tensor " + std::to_string(tensor)) + " '" +
             tensor_name(tensor) + "'";
  }
  throw FileObstacle(at != nullptr ? at->name : "", place, what);
}

const tflite::Tensor& TfliteModel::tensor(FileTensor tensor, const FileOperator* at) const {
  if (tensor < 0) {
    fail(at, -1, "a required input is absent");
  }
  return *graph_->tensors()->Get(static_cast<std::uint32_t>(tensor));
}

std::string TfliteModel::tensor_name(FileTensor tensor) const {
  return printable_name(graph_->tensors()->Get(static_cast<std::uint32_t>(tensor))->name());
}

std::vector<int> TfliteModel::dimensions(FileTensor index, const FileOperator* at) const {
  const tflite::Tensor& t = tensor(index, at);
  std::vector<int> result;
  if (t.shape() != nullptr) {
    result.assign(t.shape()->begin(), t.shape()->end());
  }
  std::int64_t elements = 1;
  for (const int dimension : result) {
    if (dimension < 1 || (elements *= dimension) > kMostElements) {
      fail(at, index, "shape " + dimensions_text(result) + " is dynamic, empty or too large");
    }
  }
  // Converters mark an unknown batch size with -1 here and put 1 in the shape.
  for (std::uint32_t i = 1; t.shape_signature() != nullptr && i < t.shape_signature()->size();
       ++i) {
    if (t.shape_signature()->Get(i) < 0) {
      fail(at, index, "dimension " + std::to_string(i) + " is dynamic; only the batch size may be");
    }
  }
  return result;
}

tflite::TensorType TfliteModel::type(FileTensor index, const FileOperator* at) const {
  return tensor(index, at).type();
}

void TfliteModel::require_type(FileTensor index, tflite::TensorType type,
                               const FileOperator* at) const {
  const tflite::TensorType found = this->type(index, at);
  if (found != type) {
    fail(at, index, "is " + type_name(found) + ", must be " + type_name(type));
  }
}

bool TfliteModel::is_constant(FileTensor index) const {
  if (is_computed(index)) {
    return true;
  }
  const std::uint32_t buffer = tensor(stored(index), nullptr).buffer();
  if (buffer >= model_->buffers()->size()) {
    return false;
  }
  const auto* const data = model_->buffers()->Get(buffer)->data();
  return data != nullptr && data->size() > 0;
}

TensorQuantisation TfliteModel::activation_quantisation(FileTensor index, const FileOperator* at,
                                                        tflite::TensorType type) const {
  const tflite::Tensor& t = tensor(index, at);
  require_type(index, type, at);
  const auto* const q = t.quantization();
  if (q == nullptr || q->scale() == nullptr || q->scale()->size() != 1 ||
      q->zero_point() == nullptr || q->zero_point()->size() != 1) {
    fail(at, index, "needs one scale and one zero point");
  }
  const float scale = q->scale()->Get(0);
  const std::int64_t zero_point = element(*q->zero_point(), 0);
  const std::int64_t lowest = type == tflite::TensorType::UINT8 ? 0 : -128;
  const std::int64_t highest = lowest + 255;
  if (!std::isfinite(scale) || scale <= 0 || zero_point < lowest || zero_point > highest) {
    fail(at, index,
         "scale must be positive and finite, zero point in [" + std::to_string(lowest) + ", " +
             std::to_string(highest) + "]");
  }
  return {scale, static_cast<std::int32_t>(zero_point)};
}

std::optional<TensorQuantisation> TfliteModel::stated_quantisation(FileTensor index) const {
  const auto* const q = tensor(index, nullptr).quantization();
  if (q == nullptr || q->scale() == nullptr || q->scale()->size() != 1 ||
      q->zero_point() == nullptr || q->zero_point()->size() != 1) {
    return std::nullopt;
  }
  return TensorQuantisation{q->scale()->Get(0),
                            static_cast<std::int32_t>(element(*q->zero_point(), 0))};
}

float TfliteModel::first_scale(FileTensor index) const {
  const auto* const q = tensor(index, nullptr).quantization();
  const bool has_both = q != nullptr && q->scale() != nullptr && q->scale()->size() > 0 &&
                        q->zero_point() != nullptr && q->zero_point()->size() > 0;
  return has_both ? q->scale()->Get(0) : 0.0F;
}

std::vector<float> TfliteModel::weight_scales(FileTensor index, int channel_axis,
                                              const FileOperator& at) const {
  const auto* const q = tensor(index, &at).quantization();
  const std::vector<int> shape = dimensions(index, &at);
  if (q == nullptr || q->scale() == nullptr || q->zero_point() == nullptr) {
    fail(&at, index, "has no scales");
  }
  const std::size_t count = q->scale()->size();
  if (count != 1 && (static_cast<int>(count) != shape[static_cast<std::size_t>(channel_axis)] ||
                     q->quantized_dimension() != channel_axis)) {
    fail(&at, index, "needs one scale, or one per output channel");
  }
  for (std::size_t i = 0; i < q->zero_point()->size(); ++i) {
    if (element(*q->zero_point(), i) != 0) {
      fail(&at, index, "weights must be symmetric: zero point 0");
    }
  }
  std::vector<float> scales(q->scale()->begin(), q->scale()->end());
  for (const float scale : scales) {
    if (!std::isfinite(scale)) {
      fail(&at, index, "scales must be finite");
    }
  }
  return scales;
}

std::span<const std::uint8_t> TfliteModel::constant(FileTensor index, tflite::TensorType type,
                                                    const FileOperator& at) const {
  const std::int64_t elements = element_count(dimensions(index, &at));
  if (const auto computed = computed_.find(index); computed != computed_.end()) {
    require_type(index, type, &at);
    return computed->second;
  }
  index = stored(index);
  const tflite::Tensor& t = tensor(index, &at);
  const bool is_half =
      type == tflite::TensorType::FLOAT32 && t.type() == tflite::TensorType::FLOAT16;
  if (!is_half) {
    require_type(index, type, &at);
  }
  if (t.sparsity() != nullptr) {
    fail(&at, index, "is sparse, which is not supported");
  }
  const std::size_t element_bytes = type == tflite::TensorType::INT8 ? 1 : is_half ? 2 : 4;
  const auto expected = static_cast<std::size_t>(elements) * element_bytes;
  if (t.buffer() >= model_->buffers()->size()) {
    fail(&at, index, "has a buffer outside the file's table");
  }
  const auto* const data = model_->buffers()->Get(t.buffer())->data();
  if (data == nullptr || data->size() != expected) {
    fail(&at, index, "must be a constant of " + std::to_string(expected) + " bytes");
  }
  return {data->data(), data->size()};
}

std::vector<std::int8_t> TfliteModel::int8_data(FileTensor index, const FileOperator& at) const {
  const auto bytes = constant(index, tflite::TensorType::INT8, at);
  std::vector<std::int8_t> result(bytes.size());
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

std::vector<std::int32_t> TfliteModel::int32_data(FileTensor index, const FileOperator& at) const {
  const auto bytes = constant(index, tflite::TensorType::INT32, at);
  std::vector<std::int32_t> result;
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::int32_t)) {
    result.push_back(flatbuffers::ReadScalar<std::int32_t>(bytes.data() + i));
  }
  return result;
}

std::vector<float> TfliteModel::float_data(FileTensor index, const FileOperator& at) const {
  const auto bytes = constant(index, tflite::TensorType::FLOAT32, at);
  const bool is_half = type(stored(index), &at) == tflite::TensorType::FLOAT16;
  std::vector<float> result;
  for (std::size_t i = 0; i < bytes.size(); i += is_half ? 2 : 4) {
    result.push_back(is_half ? from_half(flatbuffers::ReadScalar<std::uint16_t>(bytes.data() + i))
                             : flatbuffers::ReadScalar<float>(bytes.data() + i));
  }
  return result;
}

std::unordered_set<int> needed_operators(const TfliteModel& model) {
  std::unordered_set<FileTensor> tensors(model.outputs().begin(), model.outputs().end());
  std::unordered_set<int> result;
  for (auto op = model.operators().rbegin(); op != model.operators().rend(); ++op) {
    if (std::none_of(op->outputs.begin(), op->outputs.end(), [&](FileTensor output) {
          return tensors.contains(output) && !model.is_computed(output);
        })) {
      continue;
    }
    result.insert(op->index);
    const bool is_reshape = op->code == tflite::BuiltinOperator::RESHAPE;
    tensors.insert(op->inputs.begin(),
                   is_reshape && !op->inputs.empty() ? op->inputs.begin() + 1 : op->inputs.end());
  }
  return result;
}

}  // namespace patchnas
