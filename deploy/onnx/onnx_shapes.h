#pragma once

// What nodes that compute nothing make of their input's dimensions, be it a constant or not.

#include <cstdint>
#include <optional>
#include <vector>

#include "deploy/onnx/onnx_model.h"

namespace patchnas {

/// The inputs of a node that are constants; null for the others, and where one is absent.
using OnnxConstants = std::vector<const OnnxConstant*>;

/// Every `steps`th of `counts` elements from `begins` on along each dimension.
struct OnnxSlice {
  std::vector<int> begins, counts, steps;
};

// All throw a FileObstacle naming the node for what it may not say.

/// An axis, which may count from the end.
std::size_t axis_of(const OnnxModel& model, const OnnxNode& node, std::int64_t axis,
                    std::size_t rank);

/// The integers of a constant input; nothing where it is absent.
std::optional<std::vector<std::int64_t>> integer_input(const OnnxModel& model, const OnnxNode& node,
                                                       const OnnxConstants& constants,
                                                       std::size_t position);

/// The same, of an input that older operator sets have as an attribute.
std::optional<std::vector<std::int64_t>> integers_of(const OnnxModel& model, const OnnxNode& node,
                                                     const OnnxConstants& constants,
                                                     std::size_t position, std::string_view name);

/// Of Reshape, Flatten, Squeeze, Unsqueeze, and of those that leave them.
std::vector<int> viewed_dimensions(const OnnxModel& model, const OnnxNode& node,
                                   const std::vector<int>& from, const OnnxConstants& constants);

/// Of Transpose.
std::vector<std::size_t> transposed_order(const OnnxModel& model, const OnnxNode& node,
                                          std::size_t rank);

/// Of Slice.
OnnxSlice slice_of(const OnnxModel& model, const OnnxNode& node, const std::vector<int>& from,
                   const OnnxConstants& constants);

/// Of two tensors that are combined; nothing if they do not go together.
std::optional<std::vector<int>> broadcast(const std::vector<int>& a, const std::vector<int>& b);

/// Along which dimension of `to` a constant of these dimensions holds different numbers; nothing if
/// along several, or if it does not go with `to`. The last if along none.
std::optional<std::size_t> only_axis(const std::vector<int>& constant, const std::vector<int>& to);

/// `strides` of a tensor as if it had the dimensions `to`: 0 where it is repeated.
std::vector<int> repeated_strides(const std::vector<int>& from, const std::vector<int>& strides,
                                  const std::vector<int>& to);

}  // namespace patchnas
