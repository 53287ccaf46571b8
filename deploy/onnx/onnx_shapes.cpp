#include "deploy/onnx/onnx_shapes.h"

#include <algorithm>

#include "deploy/import/dimensions.h"
#include "deploy/import/file_obstacles.h"

namespace patchnas {
namespace {

constexpr std::int64_t kLargestInteger = std::int64_t{1} << 53;

std::vector<int> checked(const OnnxModel& model, const OnnxNode& node,
                         const std::vector<std::int64_t>& dimensions, std::int64_t elements) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : dimensions) {
    if (dimension < 0 || dimension > kMostElements || (count *= dimension) > kMostElements) {
      model.fail(node, "its output has a negative dimension, or too many elements");
    }
  }
  if (count != elements) {
    model.fail(node, "its output has " + std::to_string(count) + " elements, its input " +
                         std::to_string(elements));
  }
  return {dimensions.begin(), dimensions.end()};
}

// 0 stands for the input's dimension, one -1 for what is left.
std::vector<int> reshaped(const OnnxModel& model, const OnnxNode& node,
                          const std::vector<int>& from, std::vector<std::int64_t> to) {
  const bool zero_is_zero = model.integer(node, "allowzero", 0) != 0;
  std::int64_t known = 1;
  std::int64_t* open = nullptr;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (to[i] == 0 && !zero_is_zero && i < from.size()) {
      to[i] = from[i];
    }
    if (to[i] == -1 && open == nullptr) {
      open = &to[i];
    } else if (to[i] < 0 || to[i] > kMostElements || (known *= to[i]) > kMostElements) {
      model.fail(node, "its shape has a negative dimension, or too many elements");
    }
  }
  const std::int64_t elements = element_count(from);
  if (open != nullptr) {
    *open = known == 0 ? 0 : elements / known;
  }
  return checked(model, node, to, elements);
}

std::vector<std::int64_t> flattened(const OnnxModel& model, const OnnxNode& node,
                                    const std::vector<int>& from) {
  const std::int64_t axis = model.integer(node, "axis", 1);
  const auto rank = static_cast<std::int64_t>(from.size());
  const std::int64_t split = axis < 0 ? axis + rank : axis;
  if (split < 0 || split > rank) {
    model.fail(node, "names axis " + std::to_string(axis) + " of " + std::to_string(rank));
  }
  const std::vector<int> before(from.begin(), from.begin() + split);
  const std::vector<int> behind(from.begin() + split, from.end());
  return {element_count(before), element_count(behind)};
}

std::vector<std::int64_t> squeezed(const OnnxModel& model, const OnnxNode& node,
                                   const std::vector<int>& from,
                                   const std::optional<std::vector<std::int64_t>>& axes) {
  std::vector<bool> dropped(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    dropped[i] = !axes && from[i] == 1;
  }
  for (const std::int64_t axis : axes.value_or(std::vector<std::int64_t>{})) {
    const std::size_t i = axis_of(model, node, axis, from.size());
    if (from[i] != 1) {
      model.fail(node, "drops axis " + std::to_string(i) + ", which is longer than 1");
    }
    dropped[i] = true;
  }
  std::vector<std::int64_t> to;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!dropped[i]) {
      to.push_back(from[i]);
    }
  }
  return to;
}

std::vector<std::int64_t> unsqueezed(const OnnxModel& model, const OnnxNode& node,
                                     const std::vector<int>& from,
                                     const std::vector<std::int64_t>& axes) {
  constexpr std::size_t kMostDimensions = 16;
  const std::size_t rank = from.size() + axes.size();
  if (rank > kMostDimensions) {
    model.fail(node, "makes a tensor of " + std::to_string(rank) + " dimensions");
  }
  std::vector<std::int64_t> to(rank, 0);
  for (const std::int64_t axis : axes) {
    std::int64_t& added = to[axis_of(model, node, axis, rank)];
    if (added == 1) {
      model.fail(node, "names an axis twice");
    }
    added = 1;
  }
  auto next = from.begin();
  for (std::int64_t& dimension : to) {
    dimension = dimension == 1 ? 1 : *next++;
  }
  return to;
}

}  // namespace

std::size_t axis_of(const OnnxModel& model, const OnnxNode& node, std::int64_t axis,
                    std::size_t rank) {
  const auto dimensions = static_cast<std::int64_t>(rank);
  if (axis < -dimensions || axis >= dimensions) {
    model.fail(node, "names axis " + std::to_string(axis) + " of " + std::to_string(rank));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + dimensions : axis);
}

std::optional<std::vector<std::int64_t>> integer_input(const OnnxModel& model, const OnnxNode& node,
                                                       const OnnxConstants& constants,
                                                       std::size_t position) {
  if (!node.has_input(position)) {
    return std::nullopt;
  }
  if (position >= constants.size() || constants[position] == nullptr) {
    model.fail(&node, node.input(position), "must be a constant");
  }
  std::vector<std::int64_t> result;
  for (const double value : constants[position]->values) {
    if (!(value >= -static_cast<double>(kLargestInteger))) {
      result.push_back(-kLargestInteger);
    } else {
      result.push_back(value > static_cast<double>(kLargestInteger)
                           ? kLargestInteger
                           : static_cast<std::int64_t>(value));
    }
  }
  return result;
}

std::optional<std::vector<std::int64_t>> integers_of(const OnnxModel& model, const OnnxNode& node,
                                                     const OnnxConstants& constants,
                                                     std::size_t position, std::string_view name) {
  const auto attribute = model.integers(node, name);
  return attribute ? attribute : integer_input(model, node, constants, position);
}

std::vector<int> viewed_dimensions(const OnnxModel& model, const OnnxNode& node,
                                   const std::vector<int>& from, const OnnxConstants& constants) {
  const std::int64_t elements = element_count(from);
  if (node.op == "Reshape") {
    const auto to = integer_input(model, node, constants, 1);
    if (!to) {
      model.fail(node, "has no shape");
    }
    return reshaped(model, node, from, *to);
  }
  if (node.op == "Flatten") {
    return checked(model, node, flattened(model, node, from), elements);
  }
  if (node.op == "Squeeze" || node.op == "Unsqueeze") {
    const auto axes = integers_of(model, node, constants, 1, "axes");
    if (node.op == "Squeeze") {
      return checked(model, node, squeezed(model, node, from, axes), elements);
    }
    if (!axes) {
      model.fail(node, "has no axes");
    }
    return checked(model, node, unsqueezed(model, node, from, *axes), elements);
  }
  return from;
}

std::vector<std::size_t> transposed_order(const OnnxModel& model, const OnnxNode& node,
                                          std::size_t rank) {
  std::vector<std::size_t> order;
  if (const auto stated = model.integers(node, "perm")) {
    for (const std::int64_t axis : *stated) {
      order.push_back(axis_of(model, node, axis, rank));
    }
  } else {
    for (std::size_t i = rank; i-- > 0;) {
      order.push_back(i);
    }
  }
  std::vector<std::size_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.size() != rank || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    model.fail(node, "perm is not a permutation of its input's axes");
  }
  return order;
}

OnnxSlice slice_of(const OnnxModel& model, const OnnxNode& node, const std::vector<int>& from,
                   const OnnxConstants& constants) {
  const auto begins = integers_of(model, node, constants, 1, "starts");
  const auto ends = integers_of(model, node, constants, 2, "ends");
  const auto axes = integers_of(model, node, constants, 3, "axes");
  const auto steps = integer_input(model, node, constants, 4);
  if (!begins || !ends || begins->size() != ends->size() || begins->size() > from.size() ||
      (axes && axes->size() != begins->size()) || (steps && steps->size() != begins->size())) {
    model.fail(node, "needs one begin and end for each of its axes, and as many steps");
  }
  OnnxSlice slice{.begins = std::vector<int>(from.size(), 0),
                  .counts = from,
                  .steps = std::vector<int>(from.size(), 1)};
  for (std::size_t i = 0; i < begins->size(); ++i) {
    const std::size_t axis =
        axis_of(model, node, axes ? (*axes)[i] : static_cast<std::int64_t>(i), from.size());
    const auto inside = [&](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + from[axis] : at, 0, from[axis]);
    };
    const std::int64_t begin = inside((*begins)[i]);
    const std::int64_t end = inside((*ends)[i]);
    const std::int64_t step = steps ? (*steps)[i] : 1;
    if (step < 1 || begin >= end) {
      model.fail(node, "takes nothing of axis " + std::to_string(axis) + ", or in reverse");
    }
    slice.begins[axis] = static_cast<int>(begin);
    slice.counts[axis] = static_cast<int>((end - begin - 1) / step + 1);
    slice.steps[axis] = slice.counts[axis] == 1 ? 1 : static_cast<int>(step);
  }
  return slice;
}

std::optional<std::vector<int>> broadcast(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> to(std::max(a.size(), b.size()), 1);
  std::int64_t elements = 1;
  for (std::size_t i = 1; i <= to.size(); ++i) {
    const int of_a = i <= a.size() ? a[a.size() - i] : 1;
    const int of_b = i <= b.size() ? b[b.size() - i] : 1;
    if (of_a != of_b && of_a != 1 && of_b != 1) {
      return std::nullopt;
    }
    to[to.size() - i] = of_a == 1 ? of_b : of_a;
    if ((elements *= to[to.size() - i]) > kMostElements) {
      return std::nullopt;
    }
  }
  return to;
}

std::optional<std::size_t> only_axis(const std::vector<int>& constant, const std::vector<int>& to) {
  if (broadcast(constant, to) != to) {
    return std::nullopt;
  }
  std::optional<std::size_t> axis;
  for (std::size_t i = 0; i < constant.size(); ++i) {
    if (constant[i] > 1) {
      if (axis) {
        return std::nullopt;
      }
      axis = to.size() - constant.size() + i;
    }
  }
  return axis.value_or(to.empty() ? 0 : to.size() - 1);
}

std::vector<int> repeated_strides(const std::vector<int>& from, const std::vector<int>& strides,
                                  const std::vector<int>& to) {
  std::vector<int> result(to.size(), 0);
  const std::size_t absent = to.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i) {
    result[absent + i] = from[i] == 1 ? 0 : strides[i];
  }
  return result;
}

}  // namespace patchnas
