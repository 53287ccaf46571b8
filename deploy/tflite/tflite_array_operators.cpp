#include "deploy/tflite/tflite_array_operators.h"

#include <algorithm>
#include <numeric>

namespace patchnas {

using tflite::BuiltinOperator;

FileTensor ArrayOperators::reshaped(FileTensor tensor, const std::vector<int>& dimensions) const {
  return dimensions == writer_.dimensions(tensor) ? tensor : copied(tensor, dimensions);
}

FileTensor ArrayOperators::copied(FileTensor tensor, const std::vector<int>& dimensions) const {
  if (tensor == image_) {
    return copied(sliced(tensor), dimensions);
  }
  const FileTensor output = add_output("reshape", dimensions);
  const auto shape = writer_.options().CreateVector(dimensions);
  writer_.add_operator(BuiltinOperator::RESHAPE, {tensor}, output,
                       tflite::CreateReshapeOptions(writer_.options(), shape));
  return output;
}

FileTensor ArrayOperators::restated(FileTensor tensor) const {
  return writer_.quantisation(tensor) == quantisation_ ? tensor
                                                       : copied(tensor, writer_.dimensions(tensor));
}

FileTensor ArrayOperators::sliced(FileTensor tensor, const std::vector<int>& begins,
                                  const std::vector<int>& counts,
                                  const std::vector<int>& steps) const {
  if (counts == writer_.dimensions(tensor)) {
    return tensor;
  }
  if (std::all_of(steps.begin(), steps.end(), [](int step) { return step == 1; })) {
    return add_slice(tensor, begins, counts);
  }
  std::vector<int> ends = begins;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    ends[i] += (counts[i] - 1) * steps[i] + 1;
  }
  const FileTensor first = add_numbers("slice/begins", begins);
  const FileTensor last = add_numbers("slice/ends", ends);
  const FileTensor strides = add_numbers("slice/strides", steps);
  const FileTensor output = add_output("slice", counts);
  writer_.add_operator(BuiltinOperator::STRIDED_SLICE, {tensor, first, last, strides}, output,
                       tflite::CreateStridedSliceOptions(writer_.options()));
  return output;
}

FileTensor ArrayOperators::sliced(FileTensor tensor) const {
  const std::vector<int> counts = writer_.dimensions(tensor);
  return add_slice(tensor, std::vector<int>(counts.size(), 0), counts);
}

FileTensor ArrayOperators::add_slice(FileTensor tensor, const std::vector<int>& begins,
                                     const std::vector<int>& counts) const {
  const FileTensor first = add_numbers("slice/begins", begins);
  const FileTensor sizes = add_numbers("slice/sizes", counts);
  const FileTensor output = add_output("slice", counts);
  writer_.add_operator(BuiltinOperator::SLICE, {tensor, first, sizes}, output);
  return output;
}

FileTensor ArrayOperators::part(FileTensor tensor, std::size_t axis, int begin, int end) const {
  std::vector<int> counts = writer_.dimensions(tensor);
  std::vector<int> begins(counts.size(), 0);
  begins[axis] = begin;
  counts[axis] = end - begin;
  return sliced(tensor, begins, counts, std::vector<int>(counts.size(), 1));
}

FileTensor ArrayOperators::padded(FileTensor tensor, const std::vector<int>& before,
                                  const std::vector<int>& after, std::int8_t value) const {
  const auto is_zero = [](int amount) { return amount == 0; };
  const bool changes_nothing = std::all_of(before.begin(), before.end(), is_zero) &&
                               std::all_of(after.begin(), after.end(), is_zero);
  return changes_nothing ? tensor : with_pad_operator(tensor, before, after, value);
}

FileTensor ArrayOperators::with_pad_operator(FileTensor tensor, const std::vector<int>& before,
                                             const std::vector<int>& after,
                                             std::int8_t value) const {
  std::vector<int> dimensions = writer_.dimensions(tensor);
  std::vector<int> amounts;
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    dimensions[i] += before[i] + after[i];
    amounts.insert(amounts.end(), {before[i], after[i]});
  }
  const FileTensor input = restated(tensor);
  const int rank = static_cast<int>(dimensions.size());
  const FileTensor paddings = writer_.add_numbers(name_ + "/pad/paddings", {rank, 2}, amounts);
  const FileTensor output = add_output("pad", dimensions);
  if (value == quantisation_.zero_point) {
    writer_.add_operator(BuiltinOperator::PAD, {input, paddings}, output,
                         tflite::CreatePadOptions(writer_.options()));
  } else {
    const FileTensor fill = writer_.add_constant(name_ + "/pad/value", {}, {value}, quantisation_);
    writer_.add_operator(BuiltinOperator::PADV2, {input, paddings, fill}, output);
  }
  return output;
}

FileTensor ArrayOperators::padded(FileTensor tensor, std::size_t axis, int before, int after,
                                  std::int8_t value) const {
  std::vector<int> all_before(writer_.dimensions(tensor).size(), 0);
  std::vector<int> all_after = all_before;
  all_before[axis] = before;
  all_after[axis] = after;
  return padded(tensor, all_before, all_after, value);
}

FileTensor ArrayOperators::transposed(FileTensor tensor, const std::vector<int>& order) const {
  if (std::is_sorted(order.begin(), order.end())) {
    return tensor;
  }
  std::vector<int> dimensions;
  for (const int axis : order) {
    dimensions.push_back(writer_.dimensions(tensor)[static_cast<std::size_t>(axis)]);
  }
  const FileTensor numbers = add_numbers("transpose/order", order);
  const FileTensor output = add_output("transpose", dimensions);
  writer_.add_operator(BuiltinOperator::TRANSPOSE, {tensor, numbers}, output);
  return output;
}

FileTensor ArrayOperators::repeated(FileTensor tensor, const std::vector<int>& dimensions) const {
  if (dimensions == writer_.dimensions(tensor)) {
    return tensor;
  }
  const FileTensor shape = add_numbers("repeat/shape", dimensions);
  const FileTensor output = add_output("repeat", dimensions);
  writer_.add_operator(BuiltinOperator::BROADCAST_TO, {tensor, shape}, output);
  return output;
}

FileTensor ArrayOperators::concatenated(const std::vector<FileTensor>& parts,
                                        std::size_t axis) const {
  constexpr std::size_t kMostParts = 10;  // of one operator in TensorFlow Lite Micro
  if (parts.size() == 1) {
    return parts.front();
  }
  if (parts.size() > kMostParts) {
    std::vector<FileTensor> groups;
    for (std::size_t i = 0; i < parts.size(); i += kMostParts) {
      const auto first = parts.begin() + static_cast<std::ptrdiff_t>(i);
      const auto count = std::min(kMostParts, parts.size() - i);
      groups.push_back(concatenated({first, first + static_cast<std::ptrdiff_t>(count)}, axis));
    }
    return concatenated(groups, axis);
  }
  std::vector<FileTensor> inputs;
  std::transform(parts.begin(), parts.end(), std::back_inserter(inputs),
                 [this](FileTensor part) { return restated(part); });
  std::vector<int> dimensions = writer_.dimensions(parts.front());
  dimensions[axis] = std::accumulate(parts.begin(), parts.end(), 0, [&](int sum, FileTensor part) {
    return sum + writer_.dimensions(part)[axis];
  });
  const FileTensor output = add_output("concatenation", dimensions);
  writer_.add_operator(
      BuiltinOperator::CONCATENATION, inputs, output,
      tflite::CreateConcatenationOptions(writer_.options(), static_cast<int>(axis)));
  return output;
}

}  // namespace patchnas
