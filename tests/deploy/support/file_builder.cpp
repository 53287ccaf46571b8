#include "tests/deploy/support/file_builder.h"

#include <algorithm>

namespace patchnas::testing {

FileBuilder::FileBuilder() { buffers_.push_back(tflite::CreateBuffer(builder_)); }

template <typename T>
std::uint32_t FileBuilder::buffer(const std::vector<T>& values) {
  const std::size_t bytes = values.size() * sizeof(T);
  builder_.ForceVectorAlignment(bytes, 1, 16);
  const auto data =
      builder_.CreateVector(reinterpret_cast<const std::uint8_t*>(values.data()), bytes);
  buffers_.push_back(tflite::CreateBuffer(builder_, data));
  return static_cast<std::uint32_t>(buffers_.size()) - 1;
}

int FileBuilder::tensor(const std::string& name, const std::vector<int>& shape, Type type,
                        std::uint32_t buffer, const std::vector<float>& scales,
                        const std::vector<std::int64_t>& zero_points, int axis) {
  flatbuffers::Offset<tflite::QuantizationParameters> quantisation;
  if (!scales.empty()) {
    const auto scale = builder_.CreateVector(scales);
    const auto zero_point = builder_.CreateVector(zero_points);
    tflite::QuantizationParametersBuilder parameters(builder_);
    parameters.add_scale(scale);
    parameters.add_zero_point(zero_point);
    parameters.add_quantized_dimension(axis);
    quantisation = parameters.Finish();
  }
  const auto dimensions = builder_.CreateVector(shape);
  const auto text = builder_.CreateString(name);
  tflite::TensorBuilder made(builder_);
  made.add_shape(dimensions);
  made.add_type(type);
  made.add_buffer(buffer);
  made.add_name(text);
  made.add_quantization(quantisation);
  tensors_.push_back(made.Finish());
  return static_cast<int>(tensors_.size()) - 1;
}

int FileBuilder::activation(const std::string& name, const std::vector<int>& shape,
                            const TensorQuantisation& q, Type type) {
  return tensor(name, shape, type, 0, {q.scale}, {q.zero_point}, 0);
}

int FileBuilder::plain(const std::string& name, const std::vector<int>& shape, Type type) {
  return tensor(name, shape, type, 0, {}, {}, 0);
}

int FileBuilder::weights(const std::string& name, const std::vector<int>& shape,
                         const std::vector<std::int8_t>& values, const std::vector<float>& scales,
                         int axis) {
  return tensor(name, shape, Type::INT8, buffer(values), scales,
                std::vector<std::int64_t>(scales.size(), 0), axis);
}

int FileBuilder::biases(const std::string& name, const std::vector<std::int32_t>& values,
                        const std::vector<float>& scales) {
  return tensor(name, {static_cast<int>(values.size())}, Type::INT32, buffer(values), scales,
                std::vector<std::int64_t>(scales.size(), 0), 0);
}

int FileBuilder::constant(const std::string& name, const std::vector<int>& shape,
                          const std::vector<std::int32_t>& values) {
  return tensor(name, shape, Type::INT32, buffer(values), {}, {}, 0);
}

int FileBuilder::constant8(const std::string& name, const std::vector<int>& shape,
                           const std::vector<std::int8_t>& values, const TensorQuantisation& q) {
  return tensor(name, shape, Type::INT8, buffer(values), {q.scale}, {q.zero_point}, 0);
}

int FileBuilder::constant_float(const std::string& name, const std::vector<int>& shape,
                                const std::vector<float>& values) {
  return tensor(name, shape, Type::FLOAT32, buffer(values), {}, {}, 0);
}

int FileBuilder::constant16(const std::string& name, const std::vector<int>& shape,
                            const std::vector<std::uint16_t>& values, Type type) {
  return tensor(name, shape, type, buffer(values), {}, {}, 0);
}

void FileBuilder::add(tflite::BuiltinOperator code, const std::vector<int>& inputs,
                      const std::vector<int>& outputs, tflite::BuiltinOptions type,
                      flatbuffers::Offset<void> options, const std::string& custom_name) {
  const auto small = static_cast<std::int8_t>(std::min(static_cast<int>(code), 127));
  const auto custom = custom_name.empty() ? flatbuffers::Offset<flatbuffers::String>{}
                                          : builder_.CreateString(custom_name);
  codes_.push_back(tflite::CreateOperatorCode(builder_, small, custom, 1, code));
  const auto in = builder_.CreateVector(inputs);
  const auto out = builder_.CreateVector(outputs);
  operators_.push_back(tflite::CreateOperator(
      builder_, static_cast<std::uint32_t>(codes_.size()) - 1, in, out, type, options));
}

void FileBuilder::convolve(const std::vector<int>& inputs, int output, tflite::Padding padding,
                           int stride_h, int stride_w, tflite::ActivationFunctionType activation) {
  const auto o = tflite::CreateConv2DOptions(builder_, padding, stride_w, stride_h, activation);
  add(tflite::BuiltinOperator::CONV_2D, inputs, {output}, tflite::BuiltinOptions::Conv2DOptions,
      o.Union());
}

void FileBuilder::convolve_depthwise(const std::vector<int>& inputs, int output,
                                     tflite::Padding padding, int stride_h, int stride_w,
                                     int multiplier, tflite::ActivationFunctionType activation) {
  const auto o = tflite::CreateDepthwiseConv2DOptions(builder_, padding, stride_w, stride_h,
                                                      multiplier, activation);
  add(tflite::BuiltinOperator::DEPTHWISE_CONV_2D, inputs, {output},
      tflite::BuiltinOptions::DepthwiseConv2DOptions, o.Union());
}

void FileBuilder::pool(tflite::BuiltinOperator code, int input, int output, tflite::Padding padding,
                       int kernel_h, int kernel_w, int stride_h, int stride_w) {
  const auto o =
      tflite::CreatePool2DOptions(builder_, padding, stride_w, stride_h, kernel_w, kernel_h);
  add(code, {input}, {output}, tflite::BuiltinOptions::Pool2DOptions, o.Union());
}

void FileBuilder::connect(const std::vector<int>& inputs, int output) {
  add(tflite::BuiltinOperator::FULLY_CONNECTED, inputs, {output},
      tflite::BuiltinOptions::FullyConnectedOptions,
      tflite::CreateFullyConnectedOptions(builder_).Union());
}

void FileBuilder::sum(int a, int b, int output) {
  add(tflite::BuiltinOperator::ADD, {a, b}, {output}, tflite::BuiltinOptions::AddOptions,
      tflite::CreateAddOptions(builder_).Union());
}

std::vector<std::uint8_t> FileBuilder::finish(const std::vector<int>& inputs,
                                              const std::vector<int>& outputs) {
  const auto tensors = builder_.CreateVector(tensors_);
  const auto in = builder_.CreateVector(inputs);
  const auto out = builder_.CreateVector(outputs);
  const auto operators = builder_.CreateVector(operators_);
  const auto name = builder_.CreateString("main");
  const std::vector graphs{tflite::CreateSubGraph(builder_, tensors, in, out, operators, name)};
  const auto codes = builder_.CreateVector(codes_);
  const auto graph_table = builder_.CreateVector(graphs);
  const auto description = builder_.CreateString("");
  const auto buffer_table = builder_.CreateVector(buffers_);
  tflite::FinishModelBuffer(
      builder_, tflite::CreateModel(builder_, 3, codes, graph_table, description, buffer_table));
  return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
}

}  // namespace patchnas::testing
