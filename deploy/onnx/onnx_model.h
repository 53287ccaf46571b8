#pragma once

// Checked reading of an .onnx file that a stranger made: sizes and names are bounded where they are
// used. Private to the importer (it includes the generated header).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "deploy/onnx/onnx_constant.h"
#include "onnx.pb.h"

namespace patchnas {

struct OnnxNode {
  int index = 0;
  int index_in_file = 0;  ///< of the node that it comes from (onnx_integer_operators.h)
  std::string op;         ///< "Conv"; with its domain, where that is not ONNX's own
  const onnx::NodeProto* data = nullptr;

  /// The tensor's name; empty where it is absent.
  [[nodiscard]] const std::string& input(std::size_t position) const;
  [[nodiscard]] const std::string& output(std::size_t position = 0) const;
  [[nodiscard]] bool has_input(std::size_t position) const { return !input(position).empty(); }
};

/// A tensor as the file declares it: an input, an output, or one in between.
struct OnnxDeclaration {
  std::string name;
  int type = 0;                                ///< onnx::TensorProto::DataType
  std::optional<std::vector<int>> dimensions;  ///< nothing where they are dynamic
};

/// The lowest version of ONNX's operators that is read.
inline constexpr int kLeastOpset = 7;

class OnnxModel {
 public:
  /// @throws InputError if the bytes are no ONNX model.
  OnnxModel(std::span<const std::uint8_t> bytes, std::string source);

  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] int opset() const { return opset_; }
  [[nodiscard]] const std::vector<OnnxNode>& nodes() const { return nodes_; }
  /// Of the nodes that the file has: those above may stand for others.
  [[nodiscard]] const std::vector<std::string>& operators_in_file() const { return operators_; }
  /// Of the graph; initialisers, which old files list as inputs, are none.
  [[nodiscard]] const std::vector<OnnxDeclaration>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<OnnxDeclaration>& outputs() const { return outputs_; }
  /// Of a tensor in between, or null.
  [[nodiscard]] const OnnxDeclaration* declaration(const std::string& tensor) const;
  /// Data of the file, or null.
  [[nodiscard]] const onnx::TensorProto* initialiser(const std::string& tensor) const;
  /// Who reads the tensor.
  [[nodiscard]] const std::vector<const OnnxNode*>& readers(const std::string& tensor) const;
  [[nodiscard]] bool is_output(const std::string& tensor) const {
    return output_names_.contains(tensor);
  }

  // Attributes, and what they are if absent.
  [[nodiscard]] const onnx::AttributeProto* attribute(const OnnxNode& node,
                                                      std::string_view name) const;
  [[nodiscard]] std::int64_t integer(const OnnxNode& node, std::string_view name,
                                     std::int64_t absent) const;
  [[nodiscard]] float number(const OnnxNode& node, std::string_view name, float absent) const;
  [[nodiscard]] std::string text(const OnnxNode& node, std::string_view name,
                                 std::string_view absent) const;
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(const OnnxNode& node,
                                                                  std::string_view name) const;

  /// The file's data as numbers, their count checked against the dimensions.
  [[nodiscard]] OnnxConstant constant(const onnx::TensorProto& tensor, const std::string& name,
                                      const OnnxNode* at) const;

  /// Throws a FileObstacle.
  /// @param at may be null, `tensor` empty
  [[noreturn]] void fail(const OnnxNode* at, const std::string& tensor,
                         const std::string& what) const;
  [[noreturn]] void fail(const OnnxNode& at, const std::string& what) const { fail(&at, "", what); }

 private:
  void read_opset();
  void read_nodes();
  void read_ends();

  std::string source_;
  onnx::ModelProto model_;
  int opset_ = 0;
  std::vector<OnnxNode> nodes_;
  std::vector<std::string> operators_;
  std::vector<OnnxDeclaration> inputs_, outputs_;
  std::unordered_set<std::string> output_names_;
  std::unordered_map<std::string, OnnxDeclaration> declarations_;
  std::unordered_map<std::string, const onnx::TensorProto*> initialisers_;
  std::unordered_map<std::string, std::vector<const OnnxNode*>> readers_;
};

/// Indices of the nodes that the graph's outputs depend on.
std::unordered_set<int> needed_nodes(const OnnxModel& model);

/// "[1, 3, 8, 8]"
std::string dimensions_text(const std::vector<int>& dimensions);

/// "float32", or "type 99".
std::string onnx_type_name(int type);

}  // namespace patchnas
