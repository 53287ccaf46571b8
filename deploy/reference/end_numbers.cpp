#include "deploy/reference/end_numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "arch/base/error.h"
#include "deploy/reference/reference_kernels.h"

namespace patchnas {
namespace {

static_assert(std::endian::native == std::endian::little && sizeof(float) == 4);

// As its AffineQuantize does: in single precision, ties away from zero.
std::int8_t quantised(float real, const TensorQuantisation& tensor) {
  constexpr float kBeyond = 512.0F;  // from here on every zero point leads to an end of int8
  const float steps = real / tensor.scale;
  const float bounded = steps > -kBeyond ? std::min(steps, kBeyond) : -kBeyond;
  const auto stored = static_cast<std::int32_t>(std::round(bounded)) + tensor.zero_point;
  return static_cast<std::int8_t>(std::clamp(stored, -128, 127));
}

float real(std::int8_t value, const TensorQuantisation& tensor) {
  return tensor.scale * static_cast<float>(value - tensor.zero_point);
}

// Brings stored values from one scale and zero point to another.
template <typename To>
class Requantiser {
 public:
  Requantiser(const TensorQuantisation& from, const TensorQuantisation& to, Arithmetic arithmetic)
      : from_(from),
        to_(to),
        by_(quantise_multiplier(double{from.scale} / double{to.scale})),
        arithmetic_(arithmetic) {}

  To operator()(std::int32_t value) const {
    const std::int32_t result =
        requantise(value - from_.zero_point, by_, arithmetic_) + to_.zero_point;
    return static_cast<To>(std::clamp<std::int32_t>(result, std::numeric_limits<To>::min(),
                                                    std::numeric_limits<To>::max()));
  }

 private:
  TensorQuantisation from_;
  TensorQuantisation to_;
  Requantisation by_;
  Arithmetic arithmetic_;
};

}  // namespace

std::string_view to_string(EndNumbers numbers) {
  switch (numbers) {
    case EndNumbers::kInt8:
      return "int8";
    case EndNumbers::kUint8:
      return "uint8";
    case EndNumbers::kFloat32:
      return "float32";
  }
  return "";
}

std::size_t bytes_of(EndNumbers numbers) {
  return numbers == EndNumbers::kFloat32 ? sizeof(float) : 1;
}

std::vector<EndFormat> input_formats(const QuantizedNetwork& network) {
  std::vector<EndFormat> formats;
  for (std::size_t i = 0; i < network.input_ends.size(); ++i) {
    formats.push_back({network.input_ends[i], network.input_quantisation(i),
                       network.network.shape(static_cast<TensorId>(i)).elements()});
  }
  return formats;
}

std::vector<EndFormat> output_formats(const QuantizedNetwork& network) {
  std::vector<EndFormat> formats;
  for (const TensorId tensor : network.network.output_tensors()) {
    const std::size_t i = formats.size();
    formats.push_back({network.output_ends[i], network.output_quantisation(i),
                       network.network.shape(tensor).elements()});
  }
  return formats;
}

std::size_t bytes_of(std::span<const EndFormat> formats) {
  std::size_t bytes = 0;
  for (const EndFormat& format : formats) {
    bytes += static_cast<std::size_t>(format.elements) * bytes_of(format.end.numbers);
  }
  return bytes;
}

std::int64_t elements_of(std::span<const EndFormat> formats) {
  std::int64_t elements = 0;
  for (const EndFormat& format : formats) {
    elements += format.elements;
  }
  return elements;
}

std::vector<std::int8_t> to_int8(std::span<const std::uint8_t> bytes,
                                 std::span<const EndFormat> formats, Arithmetic arithmetic) {
  std::vector<std::int8_t> result;
  for (const EndFormat& format : formats) {
    const std::size_t size = bytes_of(std::span(&format, 1));
    const auto part = to_int8(bytes.first(size), format.end, format.int8, arithmetic);
    result.insert(result.end(), part.begin(), part.end());
    bytes = bytes.subspan(size);
  }
  return result;
}

std::vector<std::uint8_t> from_int8(std::span<const std::int8_t> values,
                                    std::span<const EndFormat> formats, Arithmetic arithmetic) {
  std::vector<std::uint8_t> result;
  for (const EndFormat& format : formats) {
    const auto size = static_cast<std::size_t>(format.elements);
    const auto part = from_int8(values.first(size), format.end, format.int8, arithmetic);
    result.insert(result.end(), part.begin(), part.end());
    values = values.subspan(size);
  }
  return result;
}

std::vector<std::int8_t> to_int8(std::span<const std::uint8_t> bytes, const NetworkEnd& end,
                                 const TensorQuantisation& tensor, Arithmetic arithmetic) {
  const std::size_t size = bytes_of(end.numbers);
  if (bytes.size() % size != 0) {
    throw InputError("input has " + std::to_string(bytes.size()) + " bytes, which are no " +
                     std::string(to_string(end.numbers)) + " numbers");
  }
  std::vector<std::int8_t> result(bytes.size() / size);
  switch (end.numbers) {
    case EndNumbers::kInt8:
      std::transform(bytes.begin(), bytes.end(), result.begin(),
                     [](std::uint8_t byte) { return static_cast<std::int8_t>(byte); });
      break;
    case EndNumbers::kUint8:
      std::transform(bytes.begin(), bytes.end(), result.begin(),
                     Requantiser<std::int8_t>(end.uint8, tensor, arithmetic));
      break;
    case EndNumbers::kFloat32:
      for (std::size_t i = 0; i < result.size(); ++i) {
        float number = 0;
        std::memcpy(&number, bytes.data() + i * size, size);
        result[i] = quantised(number, tensor);
      }
      break;
  }
  return result;
}

std::vector<std::uint8_t> from_int8(std::span<const std::int8_t> values, const NetworkEnd& end,
                                    const TensorQuantisation& tensor, Arithmetic arithmetic) {
  const std::size_t size = bytes_of(end.numbers);
  std::vector<std::uint8_t> result(values.size() * size);
  switch (end.numbers) {
    case EndNumbers::kInt8:
      std::transform(values.begin(), values.end(), result.begin(),
                     [](std::int8_t value) { return static_cast<std::uint8_t>(value); });
      break;
    case EndNumbers::kUint8:
      std::transform(values.begin(), values.end(), result.begin(),
                     Requantiser<std::uint8_t>(tensor, end.uint8, arithmetic));
      break;
    case EndNumbers::kFloat32:
      for (std::size_t i = 0; i < values.size(); ++i) {
        const float number = real(values[i], tensor);
        std::memcpy(result.data() + i * size, &number, size);
      }
      break;
  }
  return result;
}

}  // namespace patchnas
