#pragma once

// Checked reading of a .tflite file that a stranger made: verified as a FlatBuffer first, every
// index and size bounded where it is used. Private to the importer (it includes the generated
// header).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "arch/network.h"
#include "arch/quantized_network.h"
#include "deploy/tflite/tflite_tensor.h"
#include "tflite_generated.h"

namespace patchnas {

struct FileOperator {
  int index = 0;
  tflite::BuiltinOperator code{};
  std::string name;
  const tflite::Operator* data = nullptr;
  std::vector<FileTensor> inputs;
  std::vector<FileTensor> outputs;

  /// -1 where it is absent.
  [[nodiscard]] FileTensor input(std::size_t position) const {
    return position < inputs.size() ? inputs[position] : -1;
  }
};

class TfliteModel {
 public:
  /// @throws InputError if the bytes are not a model of schema version 3 with one subgraph.
  TfliteModel(std::span<const std::uint8_t> bytes, std::string source);

  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] const std::vector<FileOperator>& operators() const { return operators_; }
  /// Of the graph.
  [[nodiscard]] const std::vector<FileTensor>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<FileTensor>& outputs() const { return outputs_; }

  // Properties of a tensor; `at` is named in errors and may be null.
  [[nodiscard]] std::string tensor_name(FileTensor tensor) const;
  [[nodiscard]] std::vector<int> dimensions(FileTensor tensor, const FileOperator* at) const;
  [[nodiscard]] tflite::TensorType type(FileTensor tensor, const FileOperator* at) const;
  /// Fails unless the tensor has this type.
  void require_type(FileTensor tensor, tflite::TensorType type, const FileOperator* at) const;
  /// Where the tensor's data is: weights may be stored smaller than they are used, with a
  /// DEQUANTIZE between. Else the tensor itself.
  [[nodiscard]] FileTensor stored(FileTensor tensor) const;
  /// Whether the tensor's data are known: the file has them, or is_computed().
  [[nodiscard]] bool is_constant(FileTensor tensor) const;
  /// Whether an operator makes the tensor of nothing but constants and shapes
  /// (tflite_constants.h).
  [[nodiscard]] bool is_computed(FileTensor tensor) const { return computed_.contains(tensor); }
  /// Of an activation, which must have `type`: INT8 or UINT8.
  [[nodiscard]] TensorQuantisation activation_quantisation(
      FileTensor tensor, const FileOperator* at,
      tflite::TensorType type = tflite::TensorType::INT8) const;
  /// The same of a tensor of any type, unchecked, where the file says one.
  [[nodiscard]] std::optional<TensorQuantisation> stated_quantisation(FileTensor tensor) const;
  /// The first scale, 0 without one: as TensorFlow Lite Micro reads it where it wants only one.
  [[nodiscard]] float first_scale(FileTensor tensor) const;
  /// Scales of constant weights with zero point 0: one, or one per slice of `channel_axis`. They
  /// may be 0 or negative.
  [[nodiscard]] std::vector<float> weight_scales(FileTensor tensor, int channel_axis,
                                                 const FileOperator& at) const;
  /// Constant data, its size checked against the tensor's shape.
  [[nodiscard]] std::vector<std::int8_t> int8_data(FileTensor tensor, const FileOperator& at) const;
  [[nodiscard]] std::vector<std::int32_t> int32_data(FileTensor tensor,
                                                     const FileOperator& at) const;
  [[nodiscard]] std::vector<float> float_data(FileTensor tensor, const FileOperator& at) const;
  /// Constant data of INT8, INT32 or FLOAT32, its size checked against the tensor's shape; what is
  /// FLOAT32 may be stored as FLOAT16.
  std::span<const std::uint8_t> constant(FileTensor tensor, tflite::TensorType type,
                                         const FileOperator& at) const;

  /// The operator's options, which the file must give in the type that belongs to it.
  template <typename Options>
  [[nodiscard]] const Options& options(const FileOperator& op) const {
    const Options* const found = op.data->builtin_options_as<Options>();
    if (found == nullptr) {
      fail(op, "has no options");
    }
    return *found;
  }

  /// Throws a FileObstacle.
  [[noreturn]] void fail(const FileOperator* at, FileTensor tensor, const std::string& what) const;
  [[noreturn]] void fail(const FileOperator& at, const std::string& what) const {
    fail(&at, -1, what);
  }

 private:
  [[nodiscard]] const tflite::Tensor& tensor(FileTensor tensor, const FileOperator* at) const;
  void read_operators();
  void compute_constants();
  [[nodiscard]] std::vector<FileTensor> indices(const flatbuffers::Vector<std::int32_t>* list,
                                                bool optional, const std::string& what) const;

  std::vector<std::uint8_t> bytes_;
  std::string source_;
  const tflite::Model* model_ = nullptr;
  const tflite::SubGraph* graph_ = nullptr;
  std::vector<FileOperator> operators_;
  std::unordered_map<FileTensor, FileTensor> stored_;  // by what is used
  std::vector<FileTensor> inputs_;
  std::vector<FileTensor> outputs_;
  std::unordered_map<FileTensor, std::vector<std::uint8_t>> computed_;
};

/// Indices of the operators that the graph's outputs depend on. What is computed while the file is
/// read does not count, nor what only computes the shape of a RESHAPE: the file declares what that
/// comes to.
std::unordered_set<int> needed_operators(const TfliteModel& model);

}  // namespace patchnas
