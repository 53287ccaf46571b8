#pragma once

// An .onnx file that is computed while it is written, as PyTorch traces a model.
//
//   TracedOnnx trace(stream);
//   const TracedTensor x = trace.input({1, 3, 8, 8});
//   trace.output(trace.node("Relu", {x}));
//   expect_same(trace);

#include <string>
#include <vector>

#include "arch/base/random.h"
#include "arch/float_network.h"
#include "tests/deploy/onnx/onnx_definitions.h"
#include "tests/deploy/support/onnx_builder.h"

namespace patchnas::testing {

struct TracedTensor {
  std::string name;
  NdArray array;
};

class TracedOnnx {
 public:
  explicit TracedOnnx(RandomStream& stream, int opset = 17) : stream_(stream), file_(opset) {}

  /// Of random values, as are those of all constants without any.
  TracedTensor input(const std::vector<int>& dimensions);
  TracedTensor constant(const std::vector<int>& dimensions);
  /// Such that sums over all dimensions but the first are about as large as what is added up.
  TracedTensor weights(const std::vector<int>& dimensions);
  /// Above 0, for variances and divisors.
  TracedTensor positive(const std::vector<int>& dimensions);
  TracedTensor constant(const std::vector<int>& dimensions, std::vector<float> values);
  TracedTensor integers(const Integers& values);
  /// An absent input.
  static TracedTensor none() { return {"", {{0}, {}}}; }
  TracedTensor node(const std::string& op, const std::vector<TracedTensor>& inputs,
                    const OnnxAttributes& attributes = {});
  void output(const TracedTensor& tensor);

  [[nodiscard]] OnnxBuilder& file() { return file_; }
  RandomStream& stream() { return stream_; }
  /// All inputs, and all outputs, one after the other, [H, W, C] where the file has [1, C, H, W].
  [[nodiscard]] const std::vector<float>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<float>& outputs() const { return outputs_; }

 private:
  RandomStream& stream_;
  OnnxBuilder file_;
  std::vector<float> inputs_, outputs_;
};

/// In the order of our networks: channels last.
std::vector<float> channels_last(const NdArray& array);

/// Imports the file and expects that its network computes the same. Returns the network.
FloatNetwork expect_same(TracedOnnx& trace);

}  // namespace patchnas::testing
