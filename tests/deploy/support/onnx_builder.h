#pragma once

// .onnx files, node by node.
//
//   OnnxBuilder file;
//   const std::string x = file.input({1, 3, 8, 8});
//   file.output(file.node("Relu", {x}));
//   use(file.bytes());

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "onnx.pb.h"

namespace patchnas::testing {

using Integers = std::vector<std::int64_t>;
using OnnxAttributes =
    std::map<std::string, std::variant<std::int64_t, float, std::string, Integers>>;

class OnnxBuilder {
 public:
  explicit OnnxBuilder(int opset = 17);

  // All return the tensor's name.

  /// @param type onnx::TensorProto::DataType
  std::string input(const std::vector<int>& dimensions, int type = onnx::TensorProto::FLOAT);
  std::string constant(const std::vector<int>& dimensions, const std::vector<float>& values);
  std::string integers(const Integers& values);
  std::string int8s(const std::vector<int>& dimensions, const std::vector<std::int8_t>& values);
  std::string uint8s(const std::vector<int>& dimensions, const std::vector<std::uint8_t>& values);
  std::string int32s(const std::vector<int>& dimensions, const std::vector<std::int32_t>& values);
  std::string node(const std::string& op, const std::vector<std::string>& inputs,
                   const OnnxAttributes& attributes = {});
  /// The same with several outputs.
  std::vector<std::string> nodes(const std::string& op, const std::vector<std::string>& inputs,
                                 const OnnxAttributes& attributes, int outputs);

  void output(const std::string& tensor, int type = onnx::TensorProto::FLOAT);

  /// For what the functions above do not say.
  onnx::ModelProto& model() { return model_; }
  [[nodiscard]] std::vector<std::uint8_t> bytes() const;

 private:
  std::string raw(const std::vector<int>& dimensions, int type, const void* data, std::size_t size);
  std::string next_name();

  onnx::ModelProto model_;
  int next_ = 0;
};

}  // namespace patchnas::testing
