#include "tests/deploy/onnx/nd_array.h"

#include "deploy/import/dimensions.h"

namespace patchnas::testing {

NdArray filled(const std::vector<int>& dimensions, const std::function<double(const Index&)>& at) {
  NdArray result{dimensions, {}};
  Index index(dimensions.size(), 0);
  for (std::int64_t i = 0; i < element_count(dimensions); ++i) {
    result.values.push_back(static_cast<float>(at(index)));
    for (std::size_t d = dimensions.size(); d-- > 0;) {
      if (++index[d] < dimensions[d]) {
        break;
      }
      index[d] = 0;
    }
  }
  return result;
}

double at(const NdArray& array, const Index& index) {
  const std::vector<int> strides = strides_of(array.dimensions);
  const std::size_t absent = index.size() - array.dimensions.size();
  std::size_t place = 0;
  for (std::size_t d = 0; d < array.dimensions.size(); ++d) {
    const int i = array.dimensions[d] == 1 ? 0 : index[absent + d];
    place += static_cast<std::size_t>(i) * static_cast<std::size_t>(strides[d]);
  }
  return array.values.at(place);
}

}  // namespace patchnas::testing
