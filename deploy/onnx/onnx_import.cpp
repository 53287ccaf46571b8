#include "deploy/onnx/onnx_import.h"

#include "arch/margins.h"
#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_importer.h"
#include "deploy/onnx/onnx_integer_operators.h"
#include "deploy/quantise/requantisation.h"

namespace patchnas {
namespace {

constexpr const char* kFloatNumbers =
    "holds float32 numbers: quantise it first (nas_search quantise)";
constexpr const char* kQuantisedNumbers = "is quantised to int8 already";

const std::string kConstant = "Constant";

bool is_conversion(const OnnxNode& node) {
  return node.op == "QuantizeLinear" || node.op == "DequantizeLinear";
}

// int8 where numbers that depend on the inputs are quantised or dequantised: weights alone may be
// stored smaller than they are used.
OnnxNumbers numbers_of(const OnnxModel& model, const std::unordered_set<int>& needed) {
  std::unordered_set<std::string> computed;
  for (const OnnxDeclaration& input : model.inputs()) {
    computed.insert(input.name);
  }
  for (const OnnxNode& node : model.nodes()) {
    const bool depends =
        std::any_of(node.data->input().begin(), node.data->input().end(),
                    [&](const std::string& input) { return computed.contains(input); });
    if (depends && needed.contains(node.index) && is_conversion(node)) {
      return OnnxNumbers::kInt8;
    }
    if (depends) {
      computed.insert(node.data->output().begin(), node.data->output().end());
    }
  }
  return OnnxNumbers::kFloat32;
}

bool is_integer_operator(const std::string& op) {
  return op.find("QLinear") != std::string::npos || op.find("QGemm") != std::string::npos ||
         op == "ConvInteger" || op == "MatMulInteger" || op == "DynamicQuantizeLinear";
}

}  // namespace

OnnxImporter::OnnxImporter(const OnnxModel& model) : model_(model), needed_(needed_nodes(model)) {
  numbers_ = numbers_of(model, needed_);
}

FloatNetwork OnnxImporter::float_network() {
  if (is_quantised()) {
    obstacles_.add(kQuantisedNumbers);
  }
  read_layers("cannot be read");
  validate(network_);
  return {std::move(network_), std::move(float_layers_)};
}

QuantizedNetwork OnnxImporter::quantised_network() {
  if (!is_quantised()) {
    obstacles_.add(kFloatNumbers);
  }
  read_layers("cannot be run");
  return derive_arithmetic({.network = std::move(network_),
                            .tensors = all_quantisations(),
                            .layers = std::move(quantised_layers_),
                            .input_ends = std::move(input_ends_),
                            .output_ends = std::move(output_ends_)});
}

OnnxStructure OnnxImporter::structure() {
  read_layers("cannot be read");
  validate(network_);
  return {std::move(network_), numbers_};
}

std::vector<std::string> OnnxImporter::obstacles() {
  if (!is_quantised()) {
    obstacles_.add(kFloatNumbers);
  }
  const bool had_none = obstacles_.empty();
  try_to_read_layers();
  if (had_none && obstacles_.empty()) {
    try {
      derive_arithmetic({.network = network_,
                         .tensors = all_quantisations(),
                         .layers = quantised_layers_,
                         .input_ends = input_ends_,
                         .output_ends = output_ends_});
    } catch (const InputError& error) {
      obstacles_.add(error.what());
    }
  }
  return obstacles_.lines();
}

OnnxImporter::NodeImport OnnxImporter::import_of(const std::string& op) {
  static const std::unordered_map<std::string, NodeImport> imports = {
      {"Abs", &OnnxImporter::import_function},
      {"Add", &OnnxImporter::import_combination},
      {"AveragePool", &OnnxImporter::import_pool},
      {"BatchNormalization", &OnnxImporter::import_batch_norm},
      {"Cast", &OnnxImporter::import_cast},
      {"Clip", &OnnxImporter::import_clip},
      {"Concat", &OnnxImporter::import_concatenation},
      {"Conv", &OnnxImporter::import_convolution},
      {"ConvTranspose", &OnnxImporter::import_transposed_convolution},
      {"DepthToSpace", &OnnxImporter::import_depth_and_space},
      {"DequantizeLinear", &OnnxImporter::import_dequantise},
      {"Div", &OnnxImporter::import_combination},
      {"Dropout", &OnnxImporter::import_view},
      {"Elu", &OnnxImporter::import_function},
      {"Flatten", &OnnxImporter::import_view},
      {"Gather", &OnnxImporter::import_gather},
      {"Gemm", &OnnxImporter::import_gemm},
      {"GlobalAveragePool", &OnnxImporter::import_global_pool},
      {"GlobalMaxPool", &OnnxImporter::import_global_pool},
      {"HardSigmoid", &OnnxImporter::import_hard_sigmoid},
      {"HardSwish", &OnnxImporter::import_function},
      {"Identity", &OnnxImporter::import_view},
      {"LeakyRelu", &OnnxImporter::import_function},
      {"MatMul", &OnnxImporter::import_matmul},
      {"Max", &OnnxImporter::import_combination},
      {"MaxPool", &OnnxImporter::import_pool},
      {"Min", &OnnxImporter::import_combination},
      {"Mul", &OnnxImporter::import_combination},
      {"Neg", &OnnxImporter::import_negation},
      {"PRelu", &OnnxImporter::import_prelu},
      {"Pad", &OnnxImporter::import_pad},
      {"QuantizeLinear", &OnnxImporter::import_quantise},
      {"ReduceMax", &OnnxImporter::import_reduction},
      {"ReduceMean", &OnnxImporter::import_reduction},
      {"ReduceMin", &OnnxImporter::import_reduction},
      {"ReduceSum", &OnnxImporter::import_reduction},
      {"Relu", &OnnxImporter::import_relu},
      {"Reshape", &OnnxImporter::import_view},
      {"Resize", &OnnxImporter::import_resize},
      {"Shape", &OnnxImporter::import_shape},
      {"Sigmoid", &OnnxImporter::import_function},
      {"Slice", &OnnxImporter::import_slice},
      {"Softmax", &OnnxImporter::import_softmax},
      {"SpaceToDepth", &OnnxImporter::import_depth_and_space},
      {"Split", &OnnxImporter::import_split},
      {"Squeeze", &OnnxImporter::import_view},
      {"Sub", &OnnxImporter::import_combination},
      {"Tanh", &OnnxImporter::import_function},
      {"Transpose", &OnnxImporter::import_transpose},
      {"Unsqueeze", &OnnxImporter::import_view}};
  const auto found = imports.find(op);
  return found == imports.end() ? nullptr : found->second;
}

bool OnnxImporter::reads(const std::string& op) {
  return import_of(op) != nullptr || op == kConstant || op == "ConstantOfShape" ||
         is_taken_apart(op);
}

void OnnxImporter::read_layers(const char* purpose) {
  try_to_read_layers();
  if (!obstacles_.empty()) {
    throw InputError(model_.source() + ": " + purpose + ": " + obstacles_.text());
  }
}

void OnnxImporter::try_to_read_layers() {
  if (model_.opset() < kLeastOpset) {
    obstacles_.add("has version " + std::to_string(model_.opset()) +
                   " of ONNX's operators; allowed: from " + std::to_string(kLeastOpset) +
                   " on (torch.onnx.export(..., opset_version=17))");
  }
  if (model_.inputs().empty() || model_.outputs().empty()) {
    obstacles_.add("has no input or no output");
  }
  if (std::any_of(model_.nodes().begin(), model_.nodes().end(),
                  [](const OnnxNode& node) { return is_integer_operator(node.op); })) {
    obstacles_.add(
        "computes in integers in operators of their own; quantise it in QDQ form, statically "
        "(onnxruntime: quantize_static(..., quant_format=QuantFormat.QDQ))");
  }
  read_inputs();
  read_constants();
  for (const OnnxNode& node : model_.nodes()) {
    if (needed_.contains(node.index) && node.op != kConstant) {
      noting_obstacles(&node, [&] { import_node(node); });
    }
  }
  if (obstacles_.empty()) {
    noting_obstacles(nullptr, [&] { read_outputs(); });
    recognise_pads(network_);
  }
}

void OnnxImporter::assume_value(const std::string& tensor) {
  if (tensor.empty() || values_.contains(tensor) || constants_.contains(tensor)) {
    return;
  }
  const OnnxDeclaration* const declared = model_.declaration(tensor);
  if (declared == nullptr || !declared->dimensions) {
    unknown_.insert(tensor);
    return;
  }
  const OnnxLayout layout = usual_layout(*declared->dimensions);
  const TensorId id = add_layer({.output = layout.shape, .kernel = {}}, {}, tensor);
  quantisation(id) = TensorQuantisation{};
  values_[tensor] = {.id = id, .dimensions = *declared->dimensions, .view = layout.view};
}

void OnnxImporter::read_inputs() {
  const std::size_t count = std::max<std::size_t>(1, model_.inputs().size());
  input_ends_.assign(count, {});
  input_layouts_.assign(count, {});
  quantisations_.assign(1, std::nullopt);
  for (const OnnxDeclaration& input : model_.inputs()) {
    unknown_.insert(input.name);
  }
  for (std::size_t i = 0; i < model_.inputs().size(); ++i) {
    noting_obstacles(nullptr, [&] { read_input(model_.inputs()[i], static_cast<TensorId>(i)); });
  }
}

void OnnxImporter::read_input(const OnnxDeclaration& input, TensorId id) {
  // Whatever is wrong with it, the tensors behind it keep their numbers.
  if (id != kImage) {
    Layer layer;
    layer.kind = LayerKind::kInput;
    layer.output = {1, 1, 1};
    add_layer(layer, {}, input.name);
  }
  if (!input.dimensions) {
    model_.fail(nullptr, input.name,
                "is an input of dynamic shape; only the batch, in front, may be left open");
  }
  if (input.dimensions->size() == 4 && (*input.dimensions)[0] != 1) {
    model_.fail(
        nullptr, input.name,
        "has batch size " + std::to_string((*input.dimensions)[0]) + ", only 1 is supported");
  }
  OnnxValue value{.id = id,
                  .dimensions = *input.dimensions,
                  .view = OnnxView({{static_cast<int>(element_count(*input.dimensions)), 1}})};
  if (input.type == onnx::TensorProto::INT8 || input.type == onnx::TensorProto::UINT8) {
    value.stored = input.type == onnx::TensorProto::INT8 ? EndNumbers::kInt8 : EndNumbers::kUint8;
  } else if (input.type != onnx::TensorProto::FLOAT) {
    model_.fail(nullptr, input.name,
                "is an input of " + onnx_type_name(input.type) +
                    "; allowed: float32, and int8 or uint8 with a DequantizeLinear");
  }
  value.is_users_float = is_quantised() && !value.stored;
  (id == kImage ? network_.input : network_.layers[static_cast<std::size_t>(id) - 1].output) =
      usual_layout(value.dimensions).shape;
  unknown_.erase(input.name);
  values_[input.name] = std::move(value);
}

void OnnxImporter::read_constants() {
  for (const OnnxNode& node : model_.nodes()) {
    if (needed_.contains(node.index) && node.op == kConstant) {
      noting_obstacles(&node, [&] { import_node(node); });
    }
  }
}

void OnnxImporter::import_node(const OnnxNode& node) {
  const bool is_known = reads(node.op) && !is_taken_apart(node.op);
  if (!is_known) {
    model_.fail(node, kUnsupportedOperator);
  }
  for (const std::string& output : node.data->output()) {
    if (!output.empty() && (values_.contains(output) || constants_.contains(output) ||
                            model_.initialiser(output) != nullptr)) {
      model_.fail(&node, output, "is computed twice");
    }
  }
  if (node.output().empty()) {
    model_.fail(node, "has no output");
  }
  const OnnxConstants known = constants(node);
  const auto present = std::count_if(node.data->input().begin(), node.data->input().end(),
                                     [](const std::string& input) { return !input.empty(); });
  if (std::count(known.begin(), known.end(), nullptr) + present == node.data->input_size()) {
    if (std::optional<OnnxConstant> folded = fold(model_, node, known)) {
      constants_[node.output()] = std::move(*folded);
      return;
    }
  }
  const NodeImport import = import_of(node.op);
  if (import == nullptr) {
    any_value(node, 0);
    model_.fail(node, "is read of constants only");
  }
  (this->*import)(node);
}

void OnnxImporter::read_outputs() {
  std::vector<TensorId> tensors;
  for (const OnnxDeclaration& output : model_.outputs()) {
    const auto found = values_.find(output.name);
    if (found == values_.end()) {
      model_.fail(nullptr, output.name, "is an output that no node computes of the input");
    }
    OnnxValue value = found->second;
    const NetworkEnd end = output_end(output, value);
    const bool is_input = value.id < network_.input_count();
    const bool is_output = std::find(tensors.begin(), tensors.end(), value.id) != tensors.end();
    const OnnxLayout usual = usual_layout(value.dimensions);
    const bool is_plain = !is_input && (value.view == usual.view ||
                                        value.view == plain_layout(value.dimensions).view);
    if (!is_plain || is_output) {
      if (is_undecided(value)) {
        decide_as_declared(value.id);
      }
      value = add_copy(nullptr, value, view_in_layers(nullptr, value), value.dimensions, usual,
                       output.name);
    }
    output_ends_.push_back(end);
    tensors.push_back(value.id);
  }
  if (tensors != std::vector<TensorId>{network_.layer_count()}) {
    network_.outputs = tensors;
  }
}

FloatNetwork import_onnx_float(std::span<const std::uint8_t> bytes, const std::string& source) {
  const OnnxModel model(bytes, source);
  return naming_source(source, [&] { return OnnxImporter(model).float_network(); });
}

QuantizedNetwork import_onnx(std::span<const std::uint8_t> bytes, const std::string& source) {
  const OnnxModel model(bytes, source);
  return naming_source(source, [&] { return OnnxImporter(model).quantised_network(); });
}

OnnxStructure import_onnx_structure(std::span<const std::uint8_t> bytes,
                                    const std::string& source) {
  const OnnxModel model(bytes, source);
  return naming_source(source, [&] { return OnnxImporter(model).structure(); });
}

bool looks_like_onnx(std::span<const std::uint8_t> bytes) {
  // The version of the format in field 1, then a field of text, the graph or the operator sets.
  constexpr std::uint8_t kVersion = 0x08;
  constexpr std::uint8_t kNewestVersion = 0x7F;
  constexpr std::uint8_t kNext[] = {0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42};
  return bytes.size() > 3 && bytes[0] == kVersion && bytes[1] <= kNewestVersion &&
         std::find(std::begin(kNext), std::end(kNext), bytes[2]) != std::end(kNext);
}

}  // namespace patchnas
