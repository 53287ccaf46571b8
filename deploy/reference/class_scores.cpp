#include "deploy/reference/class_scores.h"

#include <algorithm>
#include <optional>

#include "arch/base/error.h"

namespace patchnas {
namespace {

constexpr float kDecision = 0.5F;

std::string name_of(const Network& network, TensorId tensor) {
  return tensor == kImage ? "image" : network.layer_name(tensor - 1);
}

std::string names_of(const Network& network, std::span<const TensorId> outputs) {
  std::string names;
  for (const TensorId tensor : outputs) {
    names += (names.empty() ? "'" : ", '") + name_of(network, tensor) + "'";
  }
  return names;
}

}  // namespace

ClassScores::ClassScores(const QuantizedNetwork& network, const std::string& output) {
  const std::vector<TensorId> outputs = network.network.output_tensors();
  const auto wanted = [&](TensorId tensor) {
    return output.empty() ? network.network.shape(tensor).elements() > 1
                          : name_of(network.network, tensor) == output;
  };
  auto found = std::find_if(outputs.begin(), outputs.end(), wanted);
  if (found == outputs.end() && !output.empty()) {
    throw InputError("no output '" + output + "'; there are " + names_of(network.network, outputs));
  }
  found = found == outputs.end() ? outputs.begin() : found;
  for (auto before = outputs.begin(); before != found; ++before) {
    first_ += static_cast<std::size_t>(network.network.shape(*before).elements());
  }
  name_ = name_of(network.network, *found);
  values_ = static_cast<int>(network.network.shape(*found).elements());
  quantisation_ = network.output_quantisation(static_cast<std::size_t>(found - outputs.begin()));
}

std::string ClassScores::description() const {
  return "'" + name_ + "', " +
         (values_ == 1 ? "one value, the probability of the second class"
                       : std::to_string(values_) + " values, the largest is the answer");
}

int ClassScores::answer(std::span<const std::int8_t> outputs) const {
  const auto scores = outputs.subspan(first_, static_cast<std::size_t>(values_));
  if (values_ == 1) {
    const int steps = scores.front() - quantisation_.zero_point;
    return quantisation_.scale * static_cast<float>(steps) >= kDecision ? 1 : 0;
  }
  return static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

int ClassScores::rank(std::span<const std::int8_t> outputs, int class_index) const {
  if (values_ == 1) {
    return answer(outputs) == class_index ? 0 : 1;
  }
  const auto scores = outputs.subspan(first_, static_cast<std::size_t>(values_));
  const auto own = scores.begin() + class_index;
  return static_cast<int>(
      std::count_if(scores.begin(), own, [&](std::int8_t score) { return score >= *own; }) +
      std::count_if(own, scores.end(), [&](std::int8_t score) { return score > *own; }));
}

}  // namespace patchnas
