#include "tests/deploy/onnx/traced_onnx.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "deploy/float/float.h"
#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_import.h"

namespace patchnas::testing {
namespace {

std::vector<float> uniform(const std::vector<int>& dimensions, double low, double high,
                           RandomStream& stream) {
  std::vector<float> values(static_cast<std::size_t>(element_count(dimensions)));
  std::generate(values.begin(), values.end(),
                [&] { return static_cast<float>(low + (high - low) * stream.uniform()); });
  return values;
}

}  // namespace

std::vector<float> channels_last(const NdArray& array) {
  const std::size_t rank = array.dimensions.size();
  if ((rank != 3 && rank != 4) || array.dimensions[0] != 1) {
    return array.values;
  }
  return computed("Transpose", {array},
                  {{"perm", rank == 4 ? Integers{0, 2, 3, 1} : Integers{0, 2, 1}}})
      .values;
}

TracedTensor TracedOnnx::input(const std::vector<int>& dimensions) {
  NdArray array{dimensions, uniform(dimensions, -2, 2, stream_)};
  const std::vector<float> values = channels_last(array);
  inputs_.insert(inputs_.end(), values.begin(), values.end());
  return {file_.input(dimensions), std::move(array)};
}

TracedTensor TracedOnnx::constant(const std::vector<int>& dimensions) {
  return constant(dimensions, uniform(dimensions, -1, 1, stream_));
}

TracedTensor TracedOnnx::weights(const std::vector<int>& dimensions) {
  const double terms = static_cast<double>(element_count(dimensions)) / dimensions.front();
  const double spread = std::sqrt(3 / terms);
  return constant(dimensions, uniform(dimensions, -spread, spread, stream_));
}

TracedTensor TracedOnnx::positive(const std::vector<int>& dimensions) {
  return constant(dimensions, uniform(dimensions, 0.3, 1.5, stream_));
}

TracedTensor TracedOnnx::constant(const std::vector<int>& dimensions, std::vector<float> values) {
  std::string name = file_.constant(dimensions, values);
  return {std::move(name), {dimensions, std::move(values)}};
}

TracedTensor TracedOnnx::integers(const Integers& values) {
  return {file_.integers(values),
          {{static_cast<int>(values.size())}, {values.begin(), values.end()}}};
}

TracedTensor TracedOnnx::node(const std::string& op, const std::vector<TracedTensor>& inputs,
                              const OnnxAttributes& attributes) {
  std::vector<std::string> names;
  std::vector<NdArray> arrays;
  for (const TracedTensor& input : inputs) {
    names.push_back(input.name);
    arrays.push_back(input.array);
  }
  return {file_.node(op, names, attributes), computed(op, arrays, attributes)};
}

void TracedOnnx::output(const TracedTensor& tensor) {
  file_.output(tensor.name);
  const std::vector<float> values = channels_last(tensor.array);
  outputs_.insert(outputs_.end(), values.begin(), values.end());
}

FloatNetwork expect_same(TracedOnnx& trace) {
  FloatNetwork network = import_onnx_float(trace.file().bytes(), "traced.onnx");
  const std::vector<float> outputs =
      outputs_of(network.network, run_float_layers(network, trace.inputs()));
  EXPECT_EQ(outputs.size(), trace.outputs().size());
  float largest = 1;
  for (const float value : trace.outputs()) {
    largest = std::max(largest, std::abs(value));
  }
  for (std::size_t i = 0; i < std::min(outputs.size(), trace.outputs().size()); ++i) {
    if (std::abs(outputs[i] - trace.outputs()[i]) > 1e-4F * largest) {
      ADD_FAILURE() << "output " << i << " is " << outputs[i] << ", not " << trace.outputs()[i];
      break;
    }
  }
  return network;
}

}  // namespace patchnas::testing
