#pragma once

// .tflite files put together operator by operator, as strangers' converters write them.
//
//   FileBuilder file;
//   const int image = file.activation("image", {1, 4, 4, 3}, {0.5F, 0});
//   const int flat = file.activation("flat", {1, 48}, {0.5F, 0});
//   file.add(tflite::BuiltinOperator::RESHAPE, {image}, {flat});
//   const std::vector<std::uint8_t> bytes = file.finish({image}, {flat});

#include <cstdint>
#include <string>
#include <vector>

#include "arch/quantized_network.h"
#include "tflite_generated.h"

namespace patchnas::testing {

class FileBuilder {
 public:
  using Type = tflite::TensorType;

  FileBuilder();

  /// @returns the tensor's index
  int activation(const std::string& name, const std::vector<int>& shape,
                 const TensorQuantisation& quantisation, Type type = Type::INT8);
  /// Without scales.
  int plain(const std::string& name, const std::vector<int>& shape, Type type);
  int weights(const std::string& name, const std::vector<int>& shape,
              const std::vector<std::int8_t>& values, const std::vector<float>& scales, int axis);
  int biases(const std::string& name, const std::vector<std::int32_t>& values,
             const std::vector<float>& scales);
  int constant(const std::string& name, const std::vector<int>& shape,
               const std::vector<std::int32_t>& values);
  int constant8(const std::string& name, const std::vector<int>& shape,
                const std::vector<std::int8_t>& values, const TensorQuantisation& quantisation);
  int constant_float(const std::string& name, const std::vector<int>& shape,
                     const std::vector<float>& values);
  /// Of a type of two bytes.
  int constant16(const std::string& name, const std::vector<int>& shape,
                 const std::vector<std::uint16_t>& values, Type type);

  flatbuffers::FlatBufferBuilder& options() { return builder_; }
  void add(tflite::BuiltinOperator code, const std::vector<int>& inputs,
           const std::vector<int>& outputs,
           tflite::BuiltinOptions type = tflite::BuiltinOptions::NONE,
           flatbuffers::Offset<void> options = 0, const std::string& custom_name = "");

  // Operators with their usual options.
  void convolve(const std::vector<int>& inputs, int output, tflite::Padding padding, int stride_h,
                int stride_w, tflite::ActivationFunctionType activation = {});
  void convolve_depthwise(const std::vector<int>& inputs, int output, tflite::Padding padding,
                          int stride_h, int stride_w, int multiplier,
                          tflite::ActivationFunctionType activation = {});
  void pool(tflite::BuiltinOperator code, int input, int output, tflite::Padding padding,
            int kernel_h, int kernel_w, int stride_h, int stride_w);
  void connect(const std::vector<int>& inputs, int output);
  void sum(int a, int b, int output);

  std::vector<std::uint8_t> finish(const std::vector<int>& inputs, const std::vector<int>& outputs);

 private:
  template <typename T>
  std::uint32_t buffer(const std::vector<T>& values);
  int tensor(const std::string& name, const std::vector<int>& shape, Type type,
             std::uint32_t buffer, const std::vector<float>& scales,
             const std::vector<std::int64_t>& zero_points, int axis);

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<flatbuffers::Offset<tflite::Buffer>> buffers_;
  std::vector<flatbuffers::Offset<tflite::Tensor>> tensors_;
  std::vector<flatbuffers::Offset<tflite::Operator>> operators_;
  std::vector<flatbuffers::Offset<tflite::OperatorCode>> codes_;
};

}  // namespace patchnas::testing
