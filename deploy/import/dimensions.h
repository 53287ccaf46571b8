#pragma once

// Dimensions of a file's tensors, row-major as all files have them.

#include <cstdint>
#include <optional>
#include <vector>

#include "arch/network.h"

namespace patchnas {

std::int64_t element_count(const std::vector<int>& dimensions);

/// Elements between neighbours along each dimension.
std::vector<int> strides_of(const std::vector<int>& dimensions);

/// Of the elements that lie `from_strides` apart to where they lie `to_strides` apart, as many as
/// `counts` along each dimension; empty where they move along more than three dimensions.
std::optional<StridedCopy> strided_copy(const std::vector<int>& counts,
                                        const std::vector<int>& from_strides,
                                        const std::vector<int>& to_strides);

}  // namespace patchnas
