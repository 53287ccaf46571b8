// QuantizeLinear and DequantizeLinear of what is computed: they say the scales of our tensors.

#include "deploy/onnx/onnx_importer.h"

namespace patchnas {
namespace {

constexpr std::int32_t kUint8Offset = 128;

}  // namespace

TensorQuantisation OnnxImporter::stated_quantisation(const OnnxNode& node,
                                                     const std::vector<int>& dimensions,
                                                     ConstantType type) {
  const ConstantQuantisation q = quantisation_of(model_, node, dimensions, constants(node));
  if (q.scales.size() != 1) {
    model_.fail(node, "what is computed must have one scale, not one per channel");
  }
  return {q.scales[0], q.zero_points[0] - (type == ConstantType::kUint8 ? kUint8Offset : 0)};
}

std::optional<TensorQuantisation> OnnxImporter::quantisation_ahead(const std::string& tensor) {
  for (const OnnxNode* const reader : model_.readers(tensor)) {
    if (reader->op == "QuantizeLinear" && reader->input(0) == tensor &&
        needed_.contains(reader->index)) {
      return stated_quantisation(*reader, {}, quantised_type(model_, *reader, constants(*reader)));
    }
  }
  return std::nullopt;
}

void OnnxImporter::import_quantise(const OnnxNode& node) {
  OnnxValue value = any_value(node, 0);
  if (value.stored) {
    model_.fail(node, "quantises what is quantised already");
  }
  const ConstantType type = quantised_type(model_, node, constants(node));
  const TensorQuantisation stated = stated_quantisation(node, value.dimensions, type);
  std::optional<TensorQuantisation>& known = quantisation(value.id);
  if (value.is_users_float) {
    if (known && known != stated) {
      model_.fail(node, "quantises the input to another scale or zero point than an earlier node");
    }
    known = stated;
    input_ends_[static_cast<std::size_t>(value.id)] = {.numbers = EndNumbers::kFloat32};
    value.is_users_float = false;
  } else if (!known) {
    known = stated;
  } else if (known != stated) {
    value = rescaled(node, settled(node, 0), stated);
  }
  value.stored = type == ConstantType::kUint8 ? EndNumbers::kUint8 : EndNumbers::kInt8;
  pass_on(node, std::move(value));
}

void OnnxImporter::import_dequantise(const OnnxNode& node) {
  OnnxValue value = any_value(node, 0);
  if (!value.stored) {
    model_.fail(node, "dequantises what no QuantizeLinear made");
  }
  const bool is_uint8 = value.stored == EndNumbers::kUint8;
  const TensorQuantisation stated = stated_quantisation(
      node, value.dimensions, is_uint8 ? ConstantType::kUint8 : ConstantType::kInt8);
  std::optional<TensorQuantisation>& known = quantisation(value.id);
  if (!known) {  // an input in the integers of its user
    known = stated;
    if (is_uint8) {
      input_ends_[static_cast<std::size_t>(value.id)] = {
          .numbers = EndNumbers::kUint8, .uint8 = {stated.scale, stated.zero_point + kUint8Offset}};
    }
  }
  if (known != stated) {
    model_.fail(node, "has another scale or zero point than the QuantizeLinear before it");
  }
  value.stored.reset();
  pass_on(node, std::move(value));
}

NetworkEnd OnnxImporter::output_end(const OnnxDeclaration& output, const OnnxValue& value) {
  if (!is_quantised()) {
    return {};
  }
  const std::optional<TensorQuantisation>& q = quantisation(value.id);
  if (!q || value.is_users_float) {
    model_.fail(nullptr, output.name,
                "is an output without a scale; a QuantizeLinear and a DequantizeLinear must stand "
                "behind the layer that computes it");
  }
  if (!value.stored) {
    return {.numbers = EndNumbers::kFloat32};
  }
  if (value.stored == EndNumbers::kInt8) {
    return {};
  }
  return {.numbers = EndNumbers::kUint8, .uint8 = {q->scale, q->zero_point + kUint8Offset}};
}

std::vector<TensorQuantisation> OnnxImporter::all_quantisations() const {
  std::vector<TensorQuantisation> result;
  for (std::size_t i = 0; i < quantisations_.size(); ++i) {
    if (!quantisations_[i]) {
      throw InputError("tensor '" + (i == 0 ? model_.inputs()[0].name : network_.names[i - 1]) +
                       "' has no scale; a QuantizeLinear must stand behind it");
    }
    result.push_back(*quantisations_[i]);
  }
  return result;
}

}  // namespace patchnas
