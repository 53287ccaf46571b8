#include "tests/deploy/support/onnx_builder.h"

namespace patchnas::testing {
namespace {

void set(onnx::AttributeProto& attribute, std::int64_t value) { attribute.set_i(value); }
void set(onnx::AttributeProto& attribute, float value) { attribute.set_f(value); }
void set(onnx::AttributeProto& attribute, const std::string& value) { attribute.set_s(value); }
void set(onnx::AttributeProto& attribute, const Integers& values) {
  attribute.mutable_ints()->Assign(values.begin(), values.end());
}

}  // namespace

OnnxBuilder::OnnxBuilder(int opset) {
  model_.set_ir_version(8);
  model_.set_producer_name("test");
  model_.mutable_graph()->set_name("graph");
  model_.add_opset_import()->set_version(opset);
}

std::string OnnxBuilder::next_name() {
  std::string name = std::to_string(next_++);
  name.insert(name.begin(), 't');
  return name;
}

std::string OnnxBuilder::input(const std::vector<int>& dimensions, int type) {
  onnx::ValueInfoProto& info = *model_.mutable_graph()->add_input();
  info.set_name(next_name());
  info.mutable_type()->mutable_tensor_type()->set_elem_type(type);
  for (const int dimension : dimensions) {
    info.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(
        dimension);
  }
  return info.name();
}

std::string OnnxBuilder::raw(const std::vector<int>& dimensions, int type, const void* data,
                             std::size_t size) {
  onnx::TensorProto& tensor = *model_.mutable_graph()->add_initializer();
  tensor.set_name(next_name());
  tensor.mutable_dims()->Assign(dimensions.begin(), dimensions.end());
  tensor.set_data_type(type);
  tensor.set_raw_data(data, size);
  return tensor.name();
}

std::string OnnxBuilder::constant(const std::vector<int>& dimensions,
                                  const std::vector<float>& values) {
  return raw(dimensions, onnx::TensorProto::FLOAT, values.data(), values.size() * sizeof(float));
}

std::string OnnxBuilder::integers(const Integers& values) {
  return raw({static_cast<int>(values.size())}, onnx::TensorProto::INT64, values.data(),
             values.size() * sizeof(std::int64_t));
}

std::string OnnxBuilder::int8s(const std::vector<int>& dimensions,
                               const std::vector<std::int8_t>& values) {
  return raw(dimensions, onnx::TensorProto::INT8, values.data(), values.size());
}

std::string OnnxBuilder::uint8s(const std::vector<int>& dimensions,
                                const std::vector<std::uint8_t>& values) {
  return raw(dimensions, onnx::TensorProto::UINT8, values.data(), values.size());
}

std::string OnnxBuilder::int32s(const std::vector<int>& dimensions,
                                const std::vector<std::int32_t>& values) {
  return raw(dimensions, onnx::TensorProto::INT32, values.data(),
             values.size() * sizeof(std::int32_t));
}

std::string OnnxBuilder::node(const std::string& op, const std::vector<std::string>& inputs,
                              const OnnxAttributes& attributes) {
  return nodes(op, inputs, attributes, 1).front();
}

std::vector<std::string> OnnxBuilder::nodes(const std::string& op,
                                            const std::vector<std::string>& inputs,
                                            const OnnxAttributes& attributes, int outputs) {
  onnx::NodeProto& node = *model_.mutable_graph()->add_node();
  node.set_op_type(op);
  node.set_name("/" + op);
  for (const std::string& input : inputs) {
    node.add_input(input);
  }
  for (const auto& [name, value] : attributes) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    std::visit([&](const auto& held) { set(attribute, held); }, value);
  }
  std::vector<std::string> names;
  for (int i = 0; i < outputs; ++i) {
    names.push_back(next_name());
    node.add_output(names.back());
  }
  return names;
}

void OnnxBuilder::output(const std::string& tensor, int type) {
  onnx::ValueInfoProto& info = *model_.mutable_graph()->add_output();
  info.set_name(tensor);
  info.mutable_type()->mutable_tensor_type()->set_elem_type(type);
}

std::vector<std::uint8_t> OnnxBuilder::bytes() const {
  const std::string text = model_.SerializeAsString();
  return {text.begin(), text.end()};
}

}  // namespace patchnas::testing
