#include "deploy/onnx/onnx_model.h"

#include <algorithm>

#include "deploy/import/dimensions.h"
#include "deploy/import/file_obstacles.h"
#include "deploy/onnx/onnx_integer_operators.h"

namespace patchnas {
namespace {

const std::string kNoName;

bool is_onnx_domain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

std::string operator_of(const onnx::NodeProto& node) {
  const std::string domain = is_onnx_domain(node.domain()) ? "" : node.domain() + ".";
  return printable(domain + node.op_type());
}

// A batch that is left open is one image.
std::optional<std::vector<int>> dimensions_of(const onnx::TypeProto::Tensor& type) {
  if (!type.has_shape()) {
    return std::nullopt;
  }
  std::vector<int> result;
  std::int64_t elements = 1;
  for (int i = 0; i < type.shape().dim_size(); ++i) {
    const onnx::TensorShapeProto::Dimension& dimension = type.shape().dim(i);
    const bool is_open = !dimension.has_dim_value() || dimension.dim_value() < 1;
    if (is_open && i > 0) {
      return std::nullopt;
    }
    const std::int64_t value = is_open ? 1 : dimension.dim_value();
    if (value > kMostElements || (elements *= value) > kMostElements) {
      return std::nullopt;
    }
    result.push_back(static_cast<int>(value));
  }
  return result;
}

OnnxDeclaration declared(const onnx::ValueInfoProto& info) {
  return {.name = info.name(),
          .type = info.type().tensor_type().elem_type(),
          .dimensions = dimensions_of(info.type().tensor_type())};
}

}  // namespace

const std::string& OnnxNode::input(std::size_t position) const {
  return position < static_cast<std::size_t>(data->input_size())
             ? data->input(static_cast<int>(position))
             : kNoName;
}

const std::string& OnnxNode::output(std::size_t position) const {
  return position < static_cast<std::size_t>(data->output_size())
             ? data->output(static_cast<int>(position))
             : kNoName;
}

OnnxModel::OnnxModel(std::span<const std::uint8_t> bytes, std::string source)
    : source_(std::move(source)) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  if (bytes.size() > kMostBytes ||
      !model_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model_.has_graph() ||
      model_.graph().node_size() == 0) {
    throw InputError(source_ + ": is not an ONNX model, or damaged");
  }
  read_opset();
  for (const onnx::TensorProto& tensor : model_.graph().initializer()) {
    initialisers_[tensor.name()] = &tensor;
  }
  read_nodes();
  read_ends();
}

void OnnxModel::read_opset() {
  // Without operators of ONNX's own their version does not matter.
  opset_ = model_.opset_import_size() > 0 ? kLeastOpset : 0;
  for (const onnx::OperatorSetIdProto& set : model_.opset_import()) {
    if (is_onnx_domain(set.domain())) {
      opset_ = static_cast<int>(std::clamp<std::int64_t>(set.version(), 0, 1 << 20));
    }
  }
}

void OnnxModel::read_nodes() {
  constexpr int kMostNodes = 1 << 16;
  onnx::GraphProto& graph = *model_.mutable_graph();
  if (graph.node_size() > kMostNodes) {
    throw InputError(source_ + ": has " + std::to_string(graph.node_size()) +
                     " nodes; allowed: up to " + std::to_string(kMostNodes));
  }
  for (const onnx::NodeProto& data : graph.node()) {
    operators_.push_back(operator_of(data));
  }
  const std::vector<int> origins = take_integer_operators_apart(graph);
  nodes_.reserve(static_cast<std::size_t>(graph.node_size()));
  for (const onnx::NodeProto& data : graph.node()) {
    nodes_.push_back({.index = static_cast<int>(nodes_.size()),
                      .index_in_file = origins[nodes_.size()],
                      .op = operator_of(data),
                      .data = &data});
  }
  for (const OnnxNode& node : nodes_) {
    for (const std::string& input : node.data->input()) {
      readers_[input].push_back(&node);
    }
  }
}

void OnnxModel::read_ends() {
  const onnx::GraphProto& graph = model_.graph();
  for (const onnx::ValueInfoProto& info : graph.input()) {
    if (!initialisers_.contains(info.name())) {
      inputs_.push_back(declared(info));
    }
  }
  for (const onnx::ValueInfoProto& info : graph.output()) {
    outputs_.push_back(declared(info));
    output_names_.insert(info.name());
  }
  for (const onnx::ValueInfoProto& info : graph.value_info()) {
    declarations_[info.name()] = declared(info);
  }
}

const OnnxDeclaration* OnnxModel::declaration(const std::string& tensor) const {
  const auto found = declarations_.find(tensor);
  return found == declarations_.end() ? nullptr : &found->second;
}

const onnx::TensorProto* OnnxModel::initialiser(const std::string& tensor) const {
  const auto found = initialisers_.find(tensor);
  return found == initialisers_.end() ? nullptr : found->second;
}

const std::vector<const OnnxNode*>& OnnxModel::readers(const std::string& tensor) const {
  static const std::vector<const OnnxNode*> none;
  const auto found = readers_.find(tensor);
  return found == readers_.end() ? none : found->second;
}

const onnx::AttributeProto* OnnxModel::attribute(const OnnxNode& node,
                                                 std::string_view name) const {
  for (const onnx::AttributeProto& attribute : node.data->attribute()) {
    if (attribute.name() == name) {
      return &attribute;
    }
  }
  return nullptr;
}

std::int64_t OnnxModel::integer(const OnnxNode& node, std::string_view name,
                                std::int64_t absent) const {
  const onnx::AttributeProto* const found = attribute(node, name);
  return found == nullptr ? absent : found->i();
}

float OnnxModel::number(const OnnxNode& node, std::string_view name, float absent) const {
  const onnx::AttributeProto* const found = attribute(node, name);
  return found == nullptr ? absent : found->f();
}

std::string OnnxModel::text(const OnnxNode& node, std::string_view name,
                            std::string_view absent) const {
  const onnx::AttributeProto* const found = attribute(node, name);
  return found == nullptr ? std::string(absent) : printable(found->s());
}

std::optional<std::vector<std::int64_t>> OnnxModel::integers(const OnnxNode& node,
                                                             std::string_view name) const {
  const onnx::AttributeProto* const found = attribute(node, name);
  if (found == nullptr) {
    return std::nullopt;
  }
  return std::vector<std::int64_t>(found->ints().begin(), found->ints().end());
}

void OnnxModel::fail(const OnnxNode* at, const std::string& tensor, const std::string& what) const {
  std::string place;
  if (at != nullptr) {
    place = "node " + std::to_string(at->index_in_file);
    if (!at->data->name().empty()) {
      place += " '" + printable(at->data->name()) + "'";
    }
  }
  const std::string& named = at != nullptr && tensor.empty() ? at->output() : tensor;
  if (!named.empty()) {
    place += (place.empty() ? "tensor '" : ", tensor '") + printable(named) + "'";
  }
  const std::string op =
      at == nullptr ? "" : operators_[static_cast<std::size_t>(at->index_in_file)];
  throw FileObstacle(op, place, what);
}

std::unordered_set<int> needed_nodes(const OnnxModel& model) {
  std::unordered_map<std::string, const OnnxNode*> writers;
  for (const OnnxNode& node : model.nodes()) {
    for (const std::string& output : node.data->output()) {
      writers.emplace(output, &node);
    }
  }
  std::vector<const OnnxNode*> open;
  std::unordered_set<int> needed;
  const auto need = [&](const std::string& tensor) {
    const auto writer = writers.find(tensor);
    if (!tensor.empty() && writer != writers.end() && needed.insert(writer->second->index).second) {
      open.push_back(writer->second);
    }
  };
  for (const OnnxDeclaration& output : model.outputs()) {
    need(output.name);
  }
  while (!open.empty()) {
    const OnnxNode* const node = open.back();
    open.pop_back();
    std::for_each(node->data->input().begin(), node->data->input().end(), need);
  }
  return needed;
}

std::string dimensions_text(const std::vector<int>& dimensions) {
  std::string text = "[";
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(dimensions[i]);
  }
  return text + "]";
}

}  // namespace patchnas
