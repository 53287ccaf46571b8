#include "deploy/tflite/tflite_writer.h"

#include <algorithm>
#include <array>

#include "arch/base/error.h"

namespace patchnas {

using flatbuffers::Offset;
using tflite::BuiltinOperator;
using tflite::TensorType;

namespace {

// The versions that introduced int8, for convolutions with a weight scale per channel, as
// TensorFlow Lite's versioning has them (tensorflow/lite/tools/versioning).
constexpr std::array kVersions = {
    OperatorVersion{BuiltinOperator::ABS, 2, {2, 6}},
    OperatorVersion{BuiltinOperator::ADD, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::AVERAGE_POOL_2D, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::BROADCAST_TO, 3, {2, 5}},
    OperatorVersion{BuiltinOperator::CONCATENATION, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::CONV_2D, 3, {1, 14}},
    OperatorVersion{BuiltinOperator::DEPTHWISE_CONV_2D, 3, {1, 14}},
    OperatorVersion{BuiltinOperator::DEQUANTIZE, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::ELU, 1, {1, 14}},
    OperatorVersion{BuiltinOperator::FULLY_CONNECTED, 4, {1, 14}},
    OperatorVersion{BuiltinOperator::HARD_SWISH, 1, {1, 15}},
    OperatorVersion{BuiltinOperator::LEAKY_RELU, 2, {2, 3}},
    OperatorVersion{BuiltinOperator::LOGISTIC, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::MAX_POOL_2D, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::MAXIMUM, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::MEAN, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::MINIMUM, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::MUL, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::PAD, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::PADV2, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::PRELU, 1, {1, 8}},
    OperatorVersion{BuiltinOperator::QUANTIZE, 2, {1, 15}},
    OperatorVersion{BuiltinOperator::RELU, 2, {2, 1}},
    OperatorVersion{BuiltinOperator::RELU6, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::RESHAPE, 1, {1, 5}},
    OperatorVersion{BuiltinOperator::RESIZE_BILINEAR, 3, {2, 2}},
    OperatorVersion{BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, 3, {2, 3}},
    OperatorVersion{BuiltinOperator::RSQRT, 2, {2, 5}},
    OperatorVersion{BuiltinOperator::SLICE, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::SOFTMAX, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::SQUARED_DIFFERENCE, 2, {2, 5}},
    OperatorVersion{BuiltinOperator::STRIDED_SLICE, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::SUB, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::SUM, 2, {1, 15}},
    OperatorVersion{BuiltinOperator::TANH, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::TRANSPOSE, 2, {1, 14}},
    OperatorVersion{BuiltinOperator::TRANSPOSE_CONV, 3, {2, 3}}};

constexpr std::uint32_t kSchemaVersion = 3;

}  // namespace

const OperatorVersion& TfliteWriter::version_of(BuiltinOperator code) {
  const auto found =
      std::find_if(kVersions.begin(), kVersions.end(),
                   [code](const OperatorVersion& version) { return version.code == code; });
  if (found == kVersions.end()) {
    throw Error(std::string("no version of ") + tflite::EnumNameBuiltinOperator(code) +
                " is known to be written");
  }
  return *found;
}

TfliteWriter::TfliteWriter() {
  buffers_.push_back(tflite::CreateBuffer(builder_));  // by convention the first one has no data
}

FileTensor TfliteWriter::add(Tensor tensor) {
  tensors_.push_back(std::move(tensor));
  return static_cast<FileTensor>(tensors_.size()) - 1;
}

FileTensor TfliteWriter::add_activation(std::string name, std::vector<int> dimensions,
                                        const TensorQuantisation& quantisation, TensorType type) {
  return add({std::move(name),
              std::move(dimensions),
              type,
              0,
              {quantisation.scale},
              {quantisation.zero_point}});
}

FileTensor TfliteWriter::add_float_activation(std::string name, std::vector<int> dimensions) {
  return add({std::move(name), std::move(dimensions), TensorType::FLOAT32});
}

FileTensor TfliteWriter::add_constant(std::string name, std::vector<int> dimensions,
                                      const std::vector<std::int8_t>& values,
                                      const TensorQuantisation& quantisation) {
  return add({std::move(name),
              std::move(dimensions),
              TensorType::INT8,
              add_buffer(values),
              {quantisation.scale},
              {quantisation.zero_point}});
}

FileTensor TfliteWriter::add_numbers(std::string name, const std::vector<std::int32_t>& values) {
  return add_numbers(std::move(name), {static_cast<int>(values.size())}, values);
}

FileTensor TfliteWriter::add_numbers(std::string name, std::vector<int> dimensions,
                                     const std::vector<std::int32_t>& values) {
  return add({std::move(name), std::move(dimensions), TensorType::INT32, add_buffer(values)});
}

std::uint32_t TfliteWriter::add_buffer(const std::uint8_t* data, std::size_t bytes) {
  constexpr std::size_t kAlignment = 16;
  builder_.ForceVectorAlignment(bytes, 1, kAlignment);
  buffers_.push_back(tflite::CreateBuffer(builder_, builder_.CreateVector(data, bytes)));
  return static_cast<std::uint32_t>(buffers_.size()) - 1;
}

void TfliteWriter::add_operator(const OperatorVersion& version,
                                const std::vector<FileTensor>& inputs, FileTensor output,
                                tflite::BuiltinOptions type, Offset<void> options) {
  const auto known =
      std::find_if(versions_.begin(), versions_.end(), [&](const OperatorVersion& other) {
        return other.code == version.code && other.version == version.version;
      });
  const auto index = static_cast<std::uint32_t>(known - versions_.begin());
  if (known == versions_.end()) {
    versions_.push_back(version);
  }
  operators_.push_back({index, inputs, output, type, options});
}

bool TfliteWriter::is_written_by(BuiltinOperator code, FileTensor tensor) const {
  return std::any_of(operators_.begin(), operators_.end(), [&](const Operator& op) {
    return op.output == tensor && versions_[op.version].code == code;
  });
}

void TfliteWriter::put_first(const std::vector<FileTensor>& first, std::vector<FileTensor>& inputs,
                             std::vector<FileTensor>& outputs) {
  constexpr FileTensor kNotMoved = -1;
  std::vector<Tensor> tensors;
  std::vector<FileTensor> numbers(tensors_.size(), kNotMoved);
  const auto move = [&](FileTensor tensor) {
    FileTensor& number = numbers[static_cast<std::size_t>(tensor)];
    if (number == kNotMoved) {
      number = static_cast<FileTensor>(tensors.size());
      tensors.push_back(std::move(at(tensor)));
    }
  };
  std::for_each(first.begin(), first.end(), move);
  for (FileTensor tensor = 0; tensor < static_cast<FileTensor>(tensors_.size()); ++tensor) {
    move(tensor);
  }
  tensors_ = std::move(tensors);
  const auto renumber = [&](FileTensor& tensor) {
    tensor = numbers[static_cast<std::size_t>(tensor)];
  };
  for (Operator& op : operators_) {
    std::for_each(op.inputs.begin(), op.inputs.end(), renumber);
    renumber(op.output);
  }
  std::for_each(inputs.begin(), inputs.end(), renumber);
  std::for_each(outputs.begin(), outputs.end(), renumber);
}

Offset<tflite::Operator> TfliteWriter::written(const Operator& op) {
  const auto inputs = builder_.CreateVector(op.inputs);
  const auto outputs = builder_.CreateVector(std::vector<FileTensor>{op.output});
  return tflite::CreateOperator(builder_, op.version, inputs, outputs, op.type, op.options);
}

Offset<tflite::Tensor> TfliteWriter::written(const Tensor& tensor) {
  Offset<tflite::QuantizationParameters> quantization;
  if (!tensor.scales.empty()) {
    const auto scales = builder_.CreateVector(tensor.scales);
    const auto zero_points = builder_.CreateVector(tensor.zero_points);
    tflite::QuantizationParametersBuilder parameters(builder_);
    parameters.add_scale(scales);
    parameters.add_zero_point(zero_points);
    parameters.add_quantized_dimension(tensor.quantised_dimension);
    quantization = parameters.Finish();
  }
  const auto shape = builder_.CreateVector(tensor.dimensions);
  const auto name = builder_.CreateString(tensor.name);
  return tflite::CreateTensor(builder_, shape, tensor.type, tensor.buffer, name, quantization);
}

std::string TfliteWriter::least_runtime_version() const {
  std::pair<int, int> release{1, 5};
  for (const OperatorVersion& version : versions_) {
    release = std::max(release, version.release);
  }
  return std::to_string(release.first) + "." + std::to_string(release.second) + ".0";
}

std::vector<std::uint8_t> TfliteWriter::finish(std::vector<FileTensor> inputs,
                                               std::vector<FileTensor> outputs,
                                               const std::vector<FileTensor>& first) {
  put_first(first, inputs, outputs);
  // One statement each: the order in which they are written is the order in the file.
  std::vector<Offset<tflite::Tensor>> tensors;
  std::transform(tensors_.begin(), tensors_.end(), std::back_inserter(tensors),
                 [this](const Tensor& tensor) { return written(tensor); });
  std::vector<Offset<tflite::Operator>> operators;
  std::transform(operators_.begin(), operators_.end(), std::back_inserter(operators),
                 [this](const Operator& op) { return written(op); });
  const auto tensor_table = builder_.CreateVector(tensors);
  const auto input_list = builder_.CreateVector(inputs);
  const auto output_list = builder_.CreateVector(outputs);
  const auto operator_table = builder_.CreateVector(operators);
  const auto graph_name = builder_.CreateString("main");
  const std::vector graphs{tflite::CreateSubGraph(builder_, tensor_table, input_list, output_list,
                                                  operator_table, graph_name)};
  std::vector<Offset<tflite::OperatorCode>> codes;
  for (const OperatorVersion& version : versions_) {
    // The byte that readers looked at when there were few operators.
    const int small_code =
        std::min(static_cast<int>(version.code),
                 static_cast<int>(BuiltinOperator::PLACEHOLDER_FOR_GREATER_OP_CODES));
    codes.push_back(tflite::CreateOperatorCode(builder_, static_cast<std::int8_t>(small_code), 0,
                                               version.version, version.code));
  }
  const std::string release = least_runtime_version();
  std::vector<char> padded_release(16, '\0');
  std::copy(release.begin(), release.end(), padded_release.begin());
  const std::uint32_t release_buffer = add_buffer(padded_release);
  const auto release_name = builder_.CreateString("min_runtime_version");
  const std::vector metadata{tflite::CreateMetadata(builder_, release_name, release_buffer)};
  const auto code_table = builder_.CreateVector(codes);
  const auto graph_table = builder_.CreateVector(graphs);
  const auto description = builder_.CreateString("PatchNAS");
  const auto buffer_table = builder_.CreateVector(buffers_);
  const auto metadata_table = builder_.CreateVector(metadata);
  const auto model = tflite::CreateModel(builder_, kSchemaVersion, code_table, graph_table,
                                         description, buffer_table, 0, metadata_table);
  tflite::FinishModelBuffer(builder_, model);
  return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
}

}  // namespace patchnas
