// Operators of QDQ files compute what ONNX defines, to the steps of their output.

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx.h"
#include "deploy/reference/reference_executor.h"
#include "tests/deploy/onnx/traced_onnx.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas::testing {
namespace {

constexpr TensorQuantisation kIn{0.05F, 3};
constexpr TensorQuantisation kConstant{0.02F, -11};

struct Case {
  std::string op;
  OnnxAttributes attributes{};
  std::vector<std::vector<int>> constants{};  // of int8 numbers behind a DequantizeLinear
  std::vector<Integers> integers{};           // further inputs
  std::vector<float> numbers{};
};

class QuantisedOperator {
 public:
  QuantisedOperator(const Case& c, RandomStream& stream) : case_(c), stream_(stream) {}

  // The largest difference, in steps of the output.
  double run() {
    const std::vector<int> dimensions{1, 4, 3, 5};
    const std::vector<std::int8_t> stored = random_bytes(element_count(dimensions), stream_);
    NdArray image{dimensions, {}};
    for (const std::int8_t value : stored) {
      image.values.push_back(kIn.scale * static_cast<float>(value - kIn.zero_point));
    }
    inputs_.push_back(image);
    // So that the first layer reads [H, W, C].
    names_.push_back(file_.node("MaxPool", {through(file_.input(dimensions), kIn)},
                                {{"kernel_shape", Integers{1, 1}}}));
    add_operands();
    const NdArray expected = computed(case_.op, inputs_, case_.attributes);
    float largest = 0.1F;
    for (const float value : expected.values) {
      largest = std::max(largest, std::abs(value));
    }
    const TensorQuantisation out{largest / 120, 2};
    const std::string y = file_.node(case_.op, names_, case_.attributes);
    file_.output(file_.node("Reshape", {through(y, out), file_.integers({-1})}));
    return largest_difference(channels_last_bytes(stored, dimensions), expected, out);
  }

 private:
  std::string through(const std::string& real, const TensorQuantisation& q) {
    const std::string scale = file_.constant({}, {q.scale});
    const std::string zero = file_.int8s({}, {static_cast<std::int8_t>(q.zero_point)});
    return file_.node("DequantizeLinear",
                      {file_.node("QuantizeLinear", {real, scale, zero}), scale, zero});
  }

  void add_operands() {
    for (const std::vector<int>& dimensions : case_.constants) {
      const std::vector<std::int8_t> values = random_bytes(element_count(dimensions), stream_);
      NdArray array{dimensions, {}};
      for (const std::int8_t value : values) {
        array.values.push_back(kConstant.scale * static_cast<float>(value - zero_point()));
      }
      const std::string scale = file_.constant({}, {kConstant.scale});
      const std::string zero = file_.int8s({}, {static_cast<std::int8_t>(zero_point())});
      names_.push_back(
          file_.node("DequantizeLinear", {file_.int8s(dimensions, values), scale, zero}));
      inputs_.push_back(std::move(array));
    }
    for (const Integers& numbers : case_.integers) {
      names_.push_back(file_.integers(numbers));
      inputs_.push_back({{static_cast<int>(numbers.size())}, {numbers.begin(), numbers.end()}});
    }
    for (const float number : case_.numbers) {
      names_.push_back(file_.constant({}, {number}));
      inputs_.push_back({{}, {number}});
    }
  }

  // Weights are symmetric.
  [[nodiscard]] std::int32_t zero_point() const {
    return case_.op == "ConvTranspose" ? 0 : kConstant.zero_point;
  }

  static std::vector<std::int8_t> channels_last_bytes(const std::vector<std::int8_t>& bytes,
                                                      const std::vector<int>& dimensions) {
    const std::vector<float> values =
        channels_last({dimensions, std::vector<float>(bytes.begin(), bytes.end())});
    return {values.begin(), values.end()};
  }

  double largest_difference(const std::vector<std::int8_t>& image, const NdArray& expected,
                            const TensorQuantisation& out) {
    const QuantizedNetwork network = import_onnx(file_.bytes(), "it.onnx");
    EXPECT_EQ(import_onnx_structure(file_.bytes(), "it.onnx").network, network.network);
    const std::vector<std::int8_t> made = run_layer_by_layer(network, image);
    EXPECT_EQ(made.size(), expected.values.size());
    EXPECT_EQ(network.output_quantisation(), out);
    double largest = 0;
    for (std::size_t i = 0; i < std::min(made.size(), expected.values.size()); ++i) {
      const double steps = expected.values[i] / out.scale + out.zero_point;
      largest = std::max(largest, std::abs(made[i] - std::clamp(steps, -128.0, 127.0)));
    }
    return largest;
  }

  const Case& case_;
  RandomStream& stream_;
  OnnxBuilder file_{18};
  std::vector<std::string> names_;
  std::vector<NdArray> inputs_;
};

TEST(OnnxQuantisedOperators, ComputeWhatOnnxDefines) {
  RandomStream stream(12, "quantised operators");
  const std::vector<int> map{4, 3, 5};
  for (const Case& c : std::vector<Case>{
           {.op = "Abs"},
           {.op = "Elu"},
           {.op = "Neg"},
           {.op = "Clip", .numbers = {-1, 1}},
           {.op = "Clip", .numbers = {-0.7F, 2.3F}},
           {.op = "PRelu", .constants = {{4, 1, 1}}},
           {.op = "Add", .constants = {map}},
           {.op = "Add", .constants = {{3, 5}}},
           {.op = "Sub", .constants = {{4, 1, 5}}},
           {.op = "Mul", .constants = {map}},
           {.op = "Max", .constants = {map}},
           {.op = "Min", .constants = {{4, 1, 1}}},
           {.op = "Max", .constants = {{}}},
           {.op = "ReduceMean", .integers = {{1}}},
           {.op = "ReduceMax", .integers = {{1, 3}}},
           {.op = "ReduceMin", .integers = {{2, 3}}},
           {.op = "ReduceMin", .integers = {{1}}},
           {.op = "ReduceSum", .integers = {{1, 2}}},
           {.op = "GlobalMaxPool"},
           {.op = "Gather", .attributes = {{"axis", std::int64_t{1}}}, .integers = {{3, 0, 2}}},
           {.op = "Gather", .attributes = {{"axis", std::int64_t{3}}}, .integers = {{1, 1, 0}}},
           {.op = "DepthToSpace", .attributes = {{"blocksize", std::int64_t{2}}}},
           {.op = "ConvTranspose",
           .attributes = {{"strides", Integers{2, 2}}, {"pads", Integers{1, 0, 0, 1}}},
           .constants = {{4, 3, 3, 2}}}}) {
    SCOPED_TRACE(c.op);
    // Half a step of the output, and of one that an extra table or a comparison rounds to.
    EXPECT_LT(QuantisedOperator(c, stream).run(), 0.8);
  }
}

}  // namespace
}  // namespace patchnas::testing
