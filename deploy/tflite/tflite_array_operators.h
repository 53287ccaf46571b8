#pragma once

// Operators of a .tflite file that move elements. Each function returns what its operator writes,
// or its input where there is nothing to do.

#include <cstdint>
#include <string>
#include <vector>

#include "deploy/tflite/tflite_writer.h"

namespace patchnas {

class ArrayOperators {
 public:
  static constexpr FileTensor kNoImage = -1;

  /// Outputs are named after `name` and have this scale and zero point, whatever the inputs have:
  /// bytes are copied.
  /// @param image that no RESHAPE is to read, because that is read as another shape or scale of the
  /// image itself
  ArrayOperators(TfliteWriter& writer, std::string name, const TensorQuantisation& quantisation,
                 FileTensor image = kNoImage)
      : writer_(writer), name_(std::move(name)), quantisation_(quantisation), image_(image) {}

  [[nodiscard]] std::vector<int> dimensions(FileTensor tensor) const {
    return writer_.dimensions(tensor);
  }

  /// The same elements in their order.
  FileTensor reshaped(FileTensor tensor, const std::vector<int>& dimensions) const;
  /// The same, even where nothing changes.
  FileTensor copied(FileTensor tensor, const std::vector<int>& dimensions) const;
  /// Along each dimension `counts` elements from `begins` on, `steps` apart. With steps above 1 at
  /// most four dimensions.
  FileTensor sliced(FileTensor tensor, const std::vector<int>& begins,
                    const std::vector<int>& counts, const std::vector<int>& steps) const;
  /// All of it, by an operator that slices.
  FileTensor sliced(FileTensor tensor) const;
  /// The elements [begin, end) along one dimension.
  FileTensor part(FileTensor tensor, std::size_t axis, int begin, int end) const;
  /// With so many elements of `value` before and after it along each dimension.
  FileTensor padded(FileTensor tensor, const std::vector<int>& before,
                    const std::vector<int>& after, std::int8_t value) const;
  FileTensor padded(FileTensor tensor, std::size_t axis, int before, int after,
                    std::int8_t value) const;
  /// The same, even where that is by nothing.
  FileTensor with_pad_operator(FileTensor tensor, const std::vector<int>& before,
                               const std::vector<int>& after, std::int8_t value) const;
  /// @param order of the input's dimensions in the output
  FileTensor transposed(FileTensor tensor, const std::vector<int>& order) const;
  /// Along the dimensions in which it has one element.
  FileTensor repeated(FileTensor tensor, const std::vector<int>& dimensions) const;
  FileTensor concatenated(const std::vector<FileTensor>& parts, std::size_t axis) const;

 private:
  FileTensor add_slice(FileTensor tensor, const std::vector<int>& begins,
                       const std::vector<int>& counts) const;
  FileTensor add_output(const std::string& what, std::vector<int> dimensions) const {
    return writer_.add_activation(name_ + "/" + what, std::move(dimensions), quantisation_);
  }
  FileTensor add_numbers(const std::string& what, const std::vector<int>& values) const {
    return writer_.add_numbers(name_ + "/" + what, values);
  }
  // PAD and CONCATENATION want one scale and zero point in their inputs and output.
  FileTensor restated(FileTensor tensor) const;

  TfliteWriter& writer_;
  std::string name_;
  TensorQuantisation quantisation_;
  FileTensor image_;
};

}  // namespace patchnas
