#pragma once

// Writes a .tflite file: its tensors, its operators in their order, and what surrounds them. Knows
// the format and nothing of networks. Private to the exporter (it includes the generated header).

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "arch/quantized_network.h"
#include "deploy/tflite/tflite_tensor.h"
#include "tflite_generated.h"

namespace patchnas {

/// What an operator must be declared as, and the TensorFlow release whose runtime knows that.
struct OperatorVersion {
  tflite::BuiltinOperator code{};
  int version = 1;
  std::pair<int, int> release{1, 14};
};
/// CONV_2D in groups, and FULLY_CONNECTED with a weight scale for each output.
inline constexpr OperatorVersion kGroupedConvolution{tflite::BuiltinOperator::CONV_2D, 6, {2, 9}};
inline constexpr OperatorVersion kFullyConnectedByChannel{
    tflite::BuiltinOperator::FULLY_CONNECTED, 12, {2, 17}};

class TfliteWriter {
 public:
  TfliteWriter();

  // --- tensors ----------------------------------------------------------------------------------

  FileTensor add_activation(std::string name, std::vector<int> dimensions,
                            const TensorQuantisation& quantisation,
                            tflite::TensorType type = tflite::TensorType::INT8);
  /// Real numbers.
  FileTensor add_float_activation(std::string name, std::vector<int> dimensions);
  /// An int8 constant with one scale.
  FileTensor add_constant(std::string name, std::vector<int> dimensions,
                          const std::vector<std::int8_t>& values,
                          const TensorQuantisation& quantisation);
  /// Weights or biases: one scale for all, or one for each slice of `channel_axis`; no zero point.
  template <typename T>
  FileTensor add_parameters(std::string name, std::vector<int> dimensions,
                            const std::vector<T>& values, const std::vector<float>& scales,
                            int channel_axis) {
    const auto type = sizeof(T) == 1 ? tflite::TensorType::INT8 : tflite::TensorType::INT32;
    return add({std::move(name), std::move(dimensions), type, add_buffer(values), scales,
                std::vector<std::int64_t>(scales.size(), 0), channel_axis});
  }
  /// A list of numbers that says what an operator does.
  FileTensor add_numbers(std::string name, const std::vector<std::int32_t>& values);
  FileTensor add_numbers(std::string name, std::vector<int> dimensions,
                         const std::vector<std::int32_t>& values);

  void rename(FileTensor tensor, std::string name) { at(tensor).name = std::move(name); }
  [[nodiscard]] std::vector<int> dimensions(FileTensor tensor) const {
    return at(tensor).dimensions;
  }
  /// Of an activation in int8 or uint8.
  [[nodiscard]] TensorQuantisation quantisation(FileTensor tensor) const {
    return {at(tensor).scales.at(0), static_cast<std::int32_t>(at(tensor).zero_points.at(0))};
  }

  // --- operators --------------------------------------------------------------------------------

  void add_operator(const OperatorVersion& version, const std::vector<FileTensor>& inputs,
                    FileTensor output) {
    add_operator(version, inputs, output, tflite::BuiltinOptions::NONE, 0);
  }
  /// @param options made with options()
  template <typename Options>
  void add_operator(const OperatorVersion& version, const std::vector<FileTensor>& inputs,
                    FileTensor output, flatbuffers::Offset<Options> options) {
    add_operator(version, inputs, output, tflite::BuiltinOptionsTraits<Options>::enum_value,
                 options.Union());
  }
  /// The same for what a code is declared as where nothing else is said.
  template <typename... Options>
  void add_operator(tflite::BuiltinOperator code, const std::vector<FileTensor>& inputs,
                    FileTensor output, Options... options) {
    add_operator(version_of(code), inputs, output, options...);
  }
  [[nodiscard]] bool is_written_by(tflite::BuiltinOperator code, FileTensor tensor) const;
  flatbuffers::FlatBufferBuilder& options() { return builder_; }

  /// The file's bytes, `first` before all other tensors. The writer is used up.
  std::vector<std::uint8_t> finish(std::vector<FileTensor> inputs, std::vector<FileTensor> outputs,
                                   const std::vector<FileTensor>& first);

 private:
  struct Tensor {
    std::string name;
    std::vector<int> dimensions;
    tflite::TensorType type = tflite::TensorType::INT8;
    std::uint32_t buffer = 0;
    std::vector<float> scales{};
    std::vector<std::int64_t> zero_points{};
    int quantised_dimension = 0;
  };
  struct Operator {
    std::uint32_t version = 0;  // among versions_
    std::vector<FileTensor> inputs;
    FileTensor output = 0;
    tflite::BuiltinOptions type{};
    flatbuffers::Offset<void> options;
  };
  Tensor& at(FileTensor tensor) { return tensors_[static_cast<std::size_t>(tensor)]; }
  [[nodiscard]] const Tensor& at(FileTensor tensor) const {
    return tensors_[static_cast<std::size_t>(tensor)];
  }
  FileTensor add(Tensor tensor);
  std::uint32_t add_buffer(const std::uint8_t* data, std::size_t bytes);
  template <typename T>
  std::uint32_t add_buffer(const std::vector<T>& values) {
    return add_buffer(reinterpret_cast<const std::uint8_t*>(values.data()),
                      values.size() * sizeof(T));
  }
  static const OperatorVersion& version_of(tflite::BuiltinOperator code);
  void add_operator(const OperatorVersion& version, const std::vector<FileTensor>& inputs,
                    FileTensor output, tflite::BuiltinOptions type,
                    flatbuffers::Offset<void> options);
  // Moves tensors; the lists are of tensors, which get their new numbers.
  void put_first(const std::vector<FileTensor>& first, std::vector<FileTensor>& inputs,
                 std::vector<FileTensor>& outputs);
  flatbuffers::Offset<tflite::Tensor> written(const Tensor& tensor);
  flatbuffers::Offset<tflite::Operator> written(const Operator& op);
  // Of all operators.
  [[nodiscard]] std::string least_runtime_version() const;

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<Tensor> tensors_;
  std::vector<flatbuffers::Offset<tflite::Buffer>> buffers_;
  std::vector<Operator> operators_;
  std::vector<OperatorVersion> versions_;  // in the order in which operators first need them
};

}  // namespace patchnas
