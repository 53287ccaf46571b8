#include "deploy/import/dimensions.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>

namespace patchnas {

std::int64_t element_count(const std::vector<int>& dimensions) {
  return std::accumulate(dimensions.begin(), dimensions.end(), std::int64_t{1},
                         std::multiplies<>());
}

std::vector<int> strides_of(const std::vector<int>& dimensions) {
  std::vector<int> strides(dimensions.size(), 1);
  for (std::size_t i = dimensions.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * dimensions[i];
  }
  return strides;
}

std::optional<StridedCopy> strided_copy(const std::vector<int>& counts,
                                        const std::vector<int>& from_strides,
                                        const std::vector<int>& to_strides) {
  StridedCopy copy;
  const auto longer_than_one =
      std::count_if(counts.begin(), counts.end(), [](int count) { return count > 1; });
  const bool all_fit = longer_than_one <= static_cast<std::ptrdiff_t>(copy.counts.size());
  std::size_t axis = copy.counts.size();
  for (std::size_t i = counts.size(); i-- > 0;) {
    if (counts[i] == 1) {
      continue;
    }
    const bool continues = !all_fit && axis < copy.counts.size() &&
                           from_strides[i] == copy.counts[axis] * copy.from_strides[axis] &&
                           to_strides[i] == copy.counts[axis] * copy.to_strides[axis];
    if (continues) {
      copy.counts[axis] *= counts[i];
      continue;
    }
    if (axis == 0) {
      return std::nullopt;
    }
    --axis;
    copy.counts[axis] = counts[i];
    copy.from_strides[axis] = from_strides[i];
    copy.to_strides[axis] = to_strides[i];
  }
  return copy;
}

}  // namespace patchnas
