#include "tests/deploy/support/integer_file.h"

#include <string>

#include "arch/base/random.h"
#include "arch/quantized_network.h"
#include "tests/deploy/support/onnx_builder.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas::testing {
namespace {

const std::string kMicrosoft = "com.microsoft";

// The same graph in either form.
class Writer {
 public:
  Writer(IntegerForm form, bool is_uint8, std::uint64_t seed)

      : of_integers_(form == IntegerForm::kOperators),
        is_uint8_(is_uint8),
        stream_(seed, "integer operators") {}

  struct Stored {
    std::string name;
    TensorQuantisation q;
  };

  std::vector<std::uint8_t> write() {
    const Stored image = quantised(file_.input({1, 3, 8, 8}), drawn(0.03F));
    const Stored a = weighted("Conv", image, {6, 3, 3, 3}, {{"pads", Integers{1, 1, 1, 1}}}, true);
    const Stored b =
        moved("MaxPool", a, {{"kernel_shape", Integers{2, 2}}, {"strides", Integers{2, 2}}});
    const Stored c = weighted("Conv", b, {6, 1, 3, 3},
                              {{"pads", Integers{1, 1, 1, 1}}, {"group", std::int64_t{6}}}, false);
    const Stored d = combined("Add", "QLinearAdd", b, c);
    const Stored e = combined("Mul", "QLinearMul", d, c);
    const Stored f = function("Sigmoid", "QLinearSigmoid", e, {});
    const Stored g = function("LeakyRelu", "QLinearLeakyRelu", e, {{"alpha", 0.2F}});
    const Stored h = joined({f, g, d});
    const Stored i =
        function("AveragePool", "QLinearAveragePool", h, {{"kernel_shape", Integers{2, 2}}});
    const Stored j = function("GlobalAveragePool", "QLinearGlobalAveragePool", i, {});
    const Stored k = {file_.node("Flatten", {j.name}), j.q};
    const Stored l = weighted("Gemm", k, {10, 18}, {{"transB", std::int64_t{1}}}, true);
    const Stored m = weighted("MatMul", l, {10, 4}, {}, false);
    file_.output(real(m));
    return file_.bytes();
  }

 private:
  TensorQuantisation drawn(float scale) {
    return {scale * static_cast<float>(0.5 + stream_.uniform()),
            static_cast<std::int32_t>(stream_.below(60)) - 30};
  }
  std::vector<std::string> scales(const TensorQuantisation& q) {
    return {file_.constant({}, {q.scale}),
            is_uint8_ ? file_.uint8s({}, {static_cast<std::uint8_t>(q.zero_point + 128)})
                      : file_.int8s({}, {static_cast<std::int8_t>(q.zero_point)})};
  }
  void add(std::vector<std::string>& inputs, const Stored& tensor) {
    inputs.push_back(tensor.name);
    add(inputs, tensor.q);
  }
  void add(std::vector<std::string>& inputs, const TensorQuantisation& q) {
    const std::vector<std::string> both = scales(q);
    inputs.insert(inputs.end(), both.begin(), both.end());
  }
  std::string real(const Stored& tensor) {
    std::vector<std::string> inputs;
    add(inputs, tensor);
    return file_.node("DequantizeLinear", inputs);
  }
  Stored quantised(const std::string& tensor, const TensorQuantisation& q) {
    std::vector<std::string> inputs{tensor};
    add(inputs, q);
    return {file_.node("QuantizeLinear", inputs), q};
  }
  std::string of_microsoft(const std::string& op, const std::vector<std::string>& inputs,
                           const OnnxAttributes& attributes) {
    const std::string output = file_.node(op, inputs, attributes);
    onnx::GraphProto& graph = *file_.model().mutable_graph();
    graph.mutable_node(graph.node_size() - 1)->set_domain(kMicrosoft);
    return output;
  }

  // MaxPool reads integers as they are.
  Stored moved(const std::string& op, const Stored& x, const OnnxAttributes& attributes) {
    return of_integers_ ? Stored{file_.node(op, {x.name}, attributes), x.q}
                        : quantised(file_.node(op, {real(x)}, attributes), x.q);
  }

  Stored function(const std::string& op, const std::string& integer_op, const Stored& x,
                  const OnnxAttributes& attributes) {
    const TensorQuantisation q = drawn(0.02F);
    if (!of_integers_) {
      return quantised(file_.node(op, {real(x)}, attributes), q);
    }
    std::vector<std::string> inputs;
    add(inputs, x);
    add(inputs, q);
    return {of_microsoft(integer_op, inputs, attributes), q};
  }

  Stored combined(const std::string& op, const std::string& integer_op, const Stored& a,
                  const Stored& b) {
    const TensorQuantisation q = drawn(0.05F);
    if (!of_integers_) {
      const std::string first = real(a);
      return quantised(file_.node(op, {first, real(b)}), q);
    }
    std::vector<std::string> inputs;
    add(inputs, a);
    add(inputs, b);
    add(inputs, q);
    return {of_microsoft(integer_op, inputs, {}), q};
  }

  Stored joined(const std::vector<Stored>& parts) {
    const TensorQuantisation q = drawn(0.04F);
    const OnnxAttributes axis{{"axis", std::int64_t{1}}};
    std::vector<std::string> inputs;
    if (!of_integers_) {
      for (const Stored& part : parts) {
        inputs.push_back(real(part));
      }
      return quantised(file_.node("Concat", inputs, axis), q);
    }
    add(inputs, q);
    for (const Stored& part : parts) {
      add(inputs, part);
    }
    return {of_microsoft("QLinearConcat", inputs, axis), q};
  }

  // Weights with a scale for each output, or one; a matrix of MatMul has its outputs last.
  Stored weighted(const std::string& op, const Stored& x, const std::vector<int>& shape,
                  const OnnxAttributes& attributes, bool has_bias) {
    const std::int64_t axis = op == "MatMul" ? 1 : 0;
    const int outputs = shape[static_cast<std::size_t>(axis)];
    int count = 1;
    for (const int extent : shape) {
      count *= extent;
    }
    std::vector<float> per_output;
    std::vector<float> of_bias;
    std::vector<std::int32_t> biases;
    for (int i = 0; i < outputs; ++i) {
      per_output.push_back(static_cast<float>(0.002 + 0.004 * stream_.uniform()));
      of_bias.push_back(x.q.scale * per_output.back());
      biases.push_back(static_cast<std::int32_t>(stream_.below(2000)) - 1000);
    }
    const std::string weights = file_.int8s(shape, random_bytes(count, stream_));
    const std::string scale = file_.constant({outputs}, per_output);
    const std::string zeros =
        file_.int8s({outputs}, std::vector<std::int8_t>(static_cast<std::size_t>(outputs), 0));
    const std::string bias = has_bias ? file_.int32s({outputs}, biases) : "";
    const TensorQuantisation q = drawn(0.03F);
    if (!of_integers_) {
      std::vector<std::string> inputs{
          real(x), file_.node("DequantizeLinear", {weights, scale, zeros}, {{"axis", axis}})};
      if (has_bias) {
        inputs.push_back(file_.node("DequantizeLinear", {bias, file_.constant({outputs}, of_bias)},
                                    {{"axis", std::int64_t{0}}}));
      }
      return quantised(file_.node(op, inputs, attributes), q);
    }
    std::vector<std::string> inputs;
    add(inputs, x);
    inputs.insert(inputs.end(), {weights, scale, zeros});
    if (op == "Gemm") {
      inputs.push_back(bias);
      add(inputs, q);
      return {of_microsoft("QGemm", inputs, attributes), q};
    }
    add(inputs, q);
    if (has_bias) {
      inputs.push_back(bias);
    }
    return {file_.node(op == "Conv" ? "QLinearConv" : "QLinearMatMul", inputs, attributes), q};
  }

  bool of_integers_;
  bool is_uint8_;
  RandomStream stream_;
  OnnxBuilder file_;
};

}  // namespace

std::vector<std::uint8_t> integer_file(IntegerForm form, bool is_uint8, std::uint64_t seed) {
  return Writer(form, is_uint8, seed).write();
}

}  // namespace patchnas::testing
