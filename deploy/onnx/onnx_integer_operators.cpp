#include "deploy/onnx/onnx_integer_operators.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace patchnas {
namespace {

const std::string kMicrosoft = "com.microsoft.";

// Where an operator has what; each scale is followed by its zero point.
struct Form {
  std::string real;           // the operator of real numbers
  std::vector<int> operands;  // inputs that are followed by their scale and zero point
  int scale = 0;              // of the output
  int bias = -1;              // int32, in the scale of the product of both operands'
  bool takes_all = false;     // operands are all inputs behind the output's scale
};

const std::unordered_map<std::string, Form>& forms() {
  static const std::unordered_map<std::string, Form> all = {
      {"QLinearConv", {.real = "Conv", .operands = {0, 3}, .scale = 6, .bias = 8}},
      {"QLinearMatMul", {.real = "MatMul", .operands = {0, 3}, .scale = 6}},
      {kMicrosoft + "QGemm", {.real = "Gemm", .operands = {0, 3}, .scale = 7, .bias = 6}},
      {kMicrosoft + "QLinearAdd", {.real = "Add", .operands = {0, 3}, .scale = 6}},
      {kMicrosoft + "QLinearMul", {.real = "Mul", .operands = {0, 3}, .scale = 6}},
      {kMicrosoft + "QLinearAveragePool", {.real = "AveragePool", .operands = {0}, .scale = 3}},
      {kMicrosoft + "QLinearGlobalAveragePool",
       {.real = "GlobalAveragePool", .operands = {0}, .scale = 3}},
      {kMicrosoft + "QLinearLeakyRelu", {.real = "LeakyRelu", .operands = {0}, .scale = 3}},
      {kMicrosoft + "QLinearSigmoid", {.real = "Sigmoid", .operands = {0}, .scale = 3}},
      {kMicrosoft + "QLinearConcat",
       {.real = "Concat", .operands = {}, .scale = 0, .takes_all = true}}};
  return all;
}

std::string full_name(const onnx::NodeProto& node) {
  const bool is_own = node.domain().empty() || node.domain() == "ai.onnx";
  return (is_own ? "" : node.domain() + ".") + node.op_type();
}

std::int64_t integer(const onnx::NodeProto& node, const std::string& name) {
  const auto found = std::find_if(node.attribute().begin(), node.attribute().end(),
                                  [&](const auto& attribute) { return attribute.name() == name; });
  return found == node.attribute().end() ? 0 : found->i();
}

struct Scale {
  std::string scale, zero_point;
};

class Graph {
 public:
  explicit Graph(onnx::GraphProto& graph) : graph_(graph) { old_.Swap(graph.mutable_node()); }

  std::vector<int> run() {
    for (int i = 0; i < old_.size(); ++i) {
      const onnx::NodeProto& node = old_.Get(i);
      if (const auto form = form_of(node)) {
        take_apart(node, *form);
      } else {
        keep(node);
      }
      origins_.resize(static_cast<std::size_t>(graph_.node_size()), i);
    }
    return std::move(origins_);
  }

 private:
  // Of what is as its definition says: one has its channels last where an attribute is set.
  static std::optional<Form> form_of(const onnx::NodeProto& node) {
    const auto found = forms().find(full_name(node));
    if (found == forms().end() || node.output_size() != 1 || integer(node, "channels_last") != 0) {
      return std::nullopt;
    }
    Form form = found->second;
    for (int at = form.scale + 2; form.takes_all && at + 2 < node.input_size(); at += 3) {
      form.operands.push_back(at);
    }
    const int last =
        form.operands.empty() ? form.scale : std::max(form.scale, form.operands.back() + 1);
    return last < node.input_size() ? std::optional(form) : std::nullopt;
  }

  static std::string input(const onnx::NodeProto& node, int at) {
    return at >= 0 && at < node.input_size() ? node.input(at) : "";
  }
  static Scale scale_at(const onnx::NodeProto& node, int at) {
    return {input(node, at), input(node, at + 1)};
  }

  onnx::NodeProto& add(const onnx::NodeProto& origin, const std::string& op,
                       const std::vector<std::string>& inputs, const std::string& output) {
    onnx::NodeProto& made = *graph_.add_node();
    made.set_name(origin.name());
    made.set_op_type(op);
    for (const std::string& name : inputs) {
      made.add_input(name);
    }
    made.add_output(output);
    return made;
  }

  static std::vector<std::string> with(const std::string& tensor, const Scale& scale) {
    std::vector<std::string> inputs{tensor, scale.scale};
    if (!scale.zero_point.empty()) {
      inputs.push_back(scale.zero_point);
    }
    return inputs;
  }

  std::string dequantised(const onnx::NodeProto& origin, const std::string& tensor,
                          const Scale& scale, int axis) {
    const std::string real = fresh(origin);
    onnx::AttributeProto& attribute =
        *add(origin, "DequantizeLinear", with(tensor, scale), real).add_attribute();
    attribute.set_name("axis");
    attribute.set_i(axis);
    return real;
  }

  void quantise(const onnx::NodeProto& origin, const std::string& real, const Scale& scale,
                const std::string& tensor) {
    add(origin, "QuantizeLinear", with(real, scale), tensor);
    stored_[tensor] = scale;
  }

  // A name of no other tensor: nobody writes a space and a number behind an output's.
  std::string fresh(const onnx::NodeProto& origin) {
    return origin.output(0) + " " + std::to_string(next_++);
  }

  // Scales of weights are by output channel: the first dimension of a convolution's and of a
  // transposed matrix, the last of others.
  static int channel_axis(const onnx::NodeProto& node, const Form& form, std::size_t operand) {
    const bool is_matrix = form.real == "MatMul" || form.real == "Gemm";
    return operand == 1 && is_matrix && integer(node, "transB") == 0 ? 1 : 0;
  }

  void take_apart(const onnx::NodeProto& node, const Form& form) {
    std::vector<std::string> inputs;
    for (std::size_t i = 0; i < form.operands.size(); ++i) {
      inputs.push_back(dequantised(node, input(node, form.operands[i]),
                                   scale_at(node, form.operands[i] + 1),
                                   channel_axis(node, form, i)));
    }
    if (const std::string bias = input(node, form.bias); !bias.empty()) {
      const std::string scale = fresh(node);
      add(node, "Mul", {input(node, form.operands[0] + 1), input(node, form.operands[1] + 1)},
          scale);
      inputs.push_back(dequantised(node, bias, {scale, ""}, 0));
    }
    const Scale scale = scale_at(node, form.scale);
    const bool ends_in_reals = scale.scale.empty();
    const std::string real = ends_in_reals ? node.output(0) : fresh(node);
    *add(node, form.real, inputs, real).mutable_attribute() = node.attribute();
    if (!ends_in_reals) {
      quantise(node, real, scale, node.output(0));
    }
  }

  void keep(const onnx::NodeProto& node) {
    static const std::unordered_set<std::string> views{"Flatten", "Identity",  "Reshape",
                                                       "Squeeze", "Transpose", "Unsqueeze"};
    static const std::unordered_set<std::string> movers{
        "DepthToSpace", "Gather", "MaxPool", "Resize", "Slice", "Split", "SpaceToDepth"};
    const std::string op = full_name(node);
    const auto found = node.input_size() > 0 ? stored_.find(node.input(0)) : stored_.end();
    if (op == "QuantizeLinear" && node.input_size() > 1 && node.output_size() > 0) {
      stored_[node.output(0)] = scale_at(node, 1);
    } else if (found != stored_.end() && views.contains(op) && node.output_size() > 0) {
      stored_[node.output(0)] = Scale(found->second);
    } else if (found != stored_.end() && movers.contains(op) && node.output_size() > 0) {
      return keep_between(node, Scale(found->second));
    }
    *graph_.add_node() = node;
  }

  void keep_between(const onnx::NodeProto& node, const Scale& scale) {
    const std::string read = dequantised(node, node.input(0), scale, 0);
    onnx::NodeProto made = node;
    made.set_input(0, read);
    for (std::string& output : *made.mutable_output()) {
      output = output.empty() ? "" : fresh(node);
    }
    *graph_.add_node() = made;
    for (int i = 0; i < node.output_size(); ++i) {
      if (!node.output(i).empty()) {
        quantise(node, made.output(i), scale, node.output(i));
      }
    }
  }

  onnx::GraphProto& graph_;
  google::protobuf::RepeatedPtrField<onnx::NodeProto> old_;
  std::vector<int> origins_;
  std::unordered_map<std::string, Scale> stored_;  // by tensors of integers
  int next_ = 0;
};

}  // namespace

bool is_taken_apart(const std::string& op) { return forms().contains(op); }

std::vector<int> take_integer_operators_apart(onnx::GraphProto& graph) {
  return Graph(graph).run();
}

}  // namespace patchnas
