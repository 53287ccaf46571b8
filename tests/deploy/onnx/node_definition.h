#pragma once

// What the definitions of ONNX's operators read of a node.

#include <string>
#include <vector>

#include "tests/deploy/onnx/onnx_definitions.h"

namespace patchnas::testing {

/// Whether the operator only moves elements.
bool moves_elements(const std::string& op);
/// The output of such a node.
NdArray moved(const std::string& op, const std::vector<NdArray>& inputs,
              const OnnxAttributes& attributes);

class NodeDefinition {
 public:
  NodeDefinition(const std::string& op, const std::vector<NdArray>& in,
                 const OnnxAttributes& attributes)
      : op_(op), in_(in), attributes_(attributes), from_(in.at(0).dimensions) {}

 protected:
  static Integers integers_of(const NdArray& array) {
    return {array.values.begin(), array.values.end()};
  }
  [[nodiscard]] std::int64_t integer(const std::string& name, std::int64_t absent) const {
    const auto found = attributes_.find(name);
    return found == attributes_.end() ? absent : std::get<std::int64_t>(found->second);
  }
  [[nodiscard]] double number(const std::string& name, float absent) const {
    const auto found = attributes_.find(name);
    return found == attributes_.end() ? absent : std::get<float>(found->second);
  }
  [[nodiscard]] std::string text(const std::string& name, const std::string& absent) const {
    const auto found = attributes_.find(name);
    return found == attributes_.end() ? absent : std::get<std::string>(found->second);
  }
  [[nodiscard]] Integers list(const std::string& name, const Integers& absent) const {
    const auto found = attributes_.find(name);
    return found == attributes_.end() ? absent : std::get<Integers>(found->second);
  }
  [[nodiscard]] int axis(std::int64_t absent) const {
    const std::int64_t stated = integer("axis", absent);
    return static_cast<int>(stated < 0 ? stated + static_cast<std::int64_t>(from_.size()) : stated);
  }

  const std::string& op_;
  const std::vector<NdArray>& in_;
  const OnnxAttributes& attributes_;
  const std::vector<int>& from_;
};

}  // namespace patchnas::testing
