#include "tests/deploy/support/float_file.h"

#include <cstring>

#include "tflite_generated.h"

namespace patchnas::testing {

std::vector<std::uint8_t> with_float_numbers(std::vector<std::uint8_t> file) {
  const auto graph = [&] {
    return tflite::GetMutableModel(file.data())->mutable_subgraphs()->GetMutableObject(0);
  };
  const std::uint32_t tensors = graph()->tensors()->size();
  for (std::uint32_t i = 0; i < tensors; ++i) {
    tflite::Tensor* const tensor = graph()->mutable_tensors()->GetMutableObject(i);
    const bool is_paddings = tensor->quantization() == nullptr;
    if (is_paddings) {
      continue;
    }
    const bool is_int8 = tensor->type() == tflite::TensorType::INT8;
    tensor->mutate_type(tflite::TensorType::FLOAT32);
    if (tensor->buffer() == 0 || !is_int8) {
      continue;  // activations have no data; biases already have four bytes each
    }
    tflite::Model* const model = tflite::GetMutableModel(file.data());
    const tflite::Buffer* const buffer = model->buffers()->Get(tensor->buffer());
    const std::uint32_t bytes = buffer->data()->size() * 4;
    const std::uint8_t* const field =
        reinterpret_cast<const flatbuffers::Table*>(buffer)->GetAddressOf(tflite::Buffer::VT_DATA);
    const auto field_at = static_cast<std::size_t>(field - file.data());
    file.resize((file.size() + 15) / 16 * 16);
    const auto offset = static_cast<std::uint32_t>(file.size() - field_at);
    std::memcpy(file.data() + field_at, &offset, sizeof(offset));
    const auto* const length = reinterpret_cast<const std::uint8_t*>(&bytes);
    file.insert(file.end(), length, length + sizeof(bytes));
    file.resize(file.size() + bytes);
  }
  return file;
}

}  // namespace patchnas::testing
