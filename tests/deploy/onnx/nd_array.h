#pragma once

// Arrays in the order of files.

#include <functional>
#include <vector>

namespace patchnas::testing {

using Index = std::vector<int>;

/// Row-major.
struct NdArray {
  std::vector<int> dimensions;
  std::vector<float> values;
};

NdArray filled(const std::vector<int>& dimensions, const std::function<double(const Index&)>& at);

/// Of an index that may have more dimensions; one of 1 is repeated.
double at(const NdArray& array, const Index& index);

}  // namespace patchnas::testing
