#include "tests/deploy/support/float_file.h"

#include <cstring>
#include <limits>
#include <unordered_set>

#include "tflite_generated.h"

namespace patchnas::testing {
namespace {

using File = std::vector<std::uint8_t>;

std::unordered_set<std::uint32_t> padded_with(const tflite::Model& model) {
  std::unordered_set<std::uint32_t> tensors;
  for (const tflite::Operator* const op : *model.subgraphs()->Get(0)->operators()) {
    const auto code = model.operator_codes()->Get(op->opcode_index())->builtin_code();
    if (code == tflite::BuiltinOperator::PADV2) {
      tensors.insert(static_cast<std::uint32_t>(op->inputs()->Get(2)));
    }
  }
  return tensors;
}

// What constant data of type INT8 or INT32 stands for.
std::vector<float> real_values(const tflite::Tensor& tensor,
                               const flatbuffers::Vector<std::uint8_t>& data) {
  const auto& q = *tensor.quantization();
  const bool is_int8 = tensor.type() == tflite::TensorType::INT8;
  std::size_t inner = 1;  // elements that lie within one step along the axis of the scales
  const auto axis = static_cast<std::uint32_t>(q.quantized_dimension());
  for (std::uint32_t i = axis + 1; i < tensor.shape()->size(); ++i) {
    inner *= static_cast<std::size_t>(tensor.shape()->Get(i));
  }
  std::vector<float> result;
  for (std::size_t i = 0; i < data.size() / (is_int8 ? 1 : 4); ++i) {
    const auto channel = static_cast<std::uint32_t>(i / inner % q.scale()->size());
    const std::int64_t stored = is_int8
                                    ? static_cast<std::int8_t>(data[static_cast<std::uint32_t>(i)])
                                    : flatbuffers::ReadScalar<std::int32_t>(data.data() + i * 4);
    result.push_back(static_cast<float>(stored - q.zero_point()->Get(channel)) *
                     q.scale()->Get(channel));
  }
  return result;
}

// The buffer gets other data, appended to the file.
void replace(File& file, std::uint32_t buffer, const std::vector<float>& values) {
  const tflite::Model* const model = tflite::GetModel(file.data());
  const auto* const table =
      reinterpret_cast<const flatbuffers::Table*>(model->buffers()->Get(buffer));
  const auto field_at =
      static_cast<std::size_t>(table->GetAddressOf(tflite::Buffer::VT_DATA) - file.data());
  file.resize((file.size() + 15) / 16 * 16);
  const auto offset = static_cast<std::uint32_t>(file.size() - field_at);
  std::memcpy(file.data() + field_at, &offset, sizeof(offset));
  const auto bytes = static_cast<std::uint32_t>(values.size() * sizeof(float));
  const std::size_t at = file.size();
  file.resize(at + sizeof(bytes) + bytes);
  std::memcpy(file.data() + at, &bytes, sizeof(bytes));
  std::memcpy(file.data() + at + sizeof(bytes), values.data(), bytes);
}

}  // namespace

File with_float_numbers(File file) {
  const auto pads = padded_with(*tflite::GetModel(file.data()));
  const auto tensor_at = [&](std::uint32_t i) {
    return tflite::GetMutableModel(file.data())
        ->mutable_subgraphs()
        ->GetMutableObject(0)
        ->mutable_tensors()
        ->GetMutableObject(i);
  };
  const std::uint32_t tensors =
      tflite::GetModel(file.data())->subgraphs()->Get(0)->tensors()->size();
  for (std::uint32_t i = 0; i < tensors; ++i) {
    tflite::Tensor* const tensor = tensor_at(i);
    const auto* const q = tensor->quantization();
    const bool is_index = q == nullptr || q->scale() == nullptr;  // paddings, axes, sizes
    if (is_index) {
      continue;
    }
    const auto* const data =
        tflite::GetModel(file.data())->buffers()->Get(tensor->buffer())->data();
    if (data != nullptr && data->size() > 0) {
      std::vector<float> values = real_values(*tensor, *data);
      if (pads.contains(i) && static_cast<std::int8_t>(data->Get(0)) == -128) {
        values.assign(1, std::numeric_limits<float>::lowest());
      }
      replace(file, tensor->buffer(), values);
    }
    tensor_at(i)->mutate_type(tflite::TensorType::FLOAT32);
  }
  return file;
}

}  // namespace patchnas::testing
