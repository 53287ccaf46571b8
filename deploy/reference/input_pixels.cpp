#include "deploy/reference/input_pixels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <sstream>

namespace patchnas {
namespace {

constexpr int kPixels = 256;
constexpr double kStepsOfTolerance = 2.0;
constexpr int kLowest = -128;  // of int8
constexpr int kHighest = 127;

using Table = std::array<std::int8_t, kPixels>;

/// What a network reads for each pixel, given the numbers of the file's own type.
Table table_of(const std::vector<std::uint8_t>& numbers, const EndFormat& input,
               Arithmetic arithmetic) {
  const std::vector<std::int8_t> stored = to_int8(numbers, input.end, input.int8, arithmetic);
  Table table{};
  std::copy(stored.begin(), stored.end(), table.begin());
  return table;
}

/// Real numbers of all pixels, as a float32 input has them.
std::vector<std::uint8_t> real_numbers(const ChannelNormalisation& channel) {
  std::vector<std::uint8_t> numbers;
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    const auto real = static_cast<float>((pixel - channel.mean) / channel.stddev);
    const auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof(real)>>(real);
    numbers.insert(numbers.end(), bytes.begin(), bytes.end());
  }
  return numbers;
}

/// The same as the input's own bytes, quantised as TensorFlow Lite Micro quantises.
std::vector<std::uint8_t> quantised_numbers(const ChannelNormalisation& channel,
                                            const EndFormat& input) {
  const NetworkEnd reals{.numbers = EndNumbers::kFloat32};
  const bool is_uint8 = input.end.numbers == EndNumbers::kUint8;
  TensorQuantisation to = is_uint8 ? input.end.uint8 : input.int8;
  to.zero_point += is_uint8 ? kLowest : 0;
  std::vector<std::uint8_t> bytes;
  for (const std::int8_t value : to_int8(real_numbers(channel), reals, to)) {
    bytes.push_back(static_cast<std::uint8_t>(is_uint8 ? value - kLowest : value));
  }
  return bytes;
}

std::vector<std::uint8_t> numbers_of(const ChannelNormalisation& channel, const EndFormat& input) {
  return input.end.numbers == EndNumbers::kFloat32 ? real_numbers(channel)
                                                   : quantised_numbers(channel, input);
}

/// Pixels themselves, or less 128 for int8.
std::vector<std::uint8_t> pixel_bytes(const EndFormat& input) {
  std::vector<std::uint8_t> bytes;
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    bytes.push_back(static_cast<std::uint8_t>(
        input.end.numbers == EndNumbers::kInt8 ? pixel + kLowest : pixel));
  }
  return bytes;
}

std::string text_of(double number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

std::string text_of(const ChannelNormalisation& channel) {
  return "(pixel - " + text_of(channel.mean) + ") / " + text_of(channel.stddev);
}

std::string text_of(const TensorQuantisation& quantisation) {
  return "scale " + text_of(quantisation.scale) + " and zero point " +
         std::to_string(quantisation.zero_point);
}

std::string describe(const EndFormat& input, const PixelRange& range) {
  switch (input.end.numbers) {
    case EndNumbers::kInt8:
      return "int8 = pixel - 128, which is " + range.name + " by the input's " +
             text_of(input.int8);
    case EndNumbers::kUint8:
      return "uint8 = pixel";
    case EndNumbers::kFloat32:
      return "float32 = " + text_of(range.normalisation) + ", which is " + range.name +
             ", by the " + text_of(input.int8) + " behind it";
  }
  return "";
}

std::string describe(const EndFormat& input, std::span<const ChannelNormalisation> channels) {
  std::string text = std::string(to_string(input.end.numbers)) + " of ";
  for (const ChannelNormalisation& channel : channels) {
    text += (&channel == channels.data() ? "" : ", ") + text_of(channel);
  }
  return text;
}

double steps_from_ends(const ChannelNormalisation& normalisation, const TensorQuantisation& input) {
  const auto stored = [&](double pixel) {
    return (pixel - normalisation.mean) / normalisation.stddev / double{input.scale} +
           input.zero_point;
  };
  return std::max(std::abs(stored(0) - kLowest), std::abs(stored(kPixels - 1) - kHighest));
}

}  // namespace

bool fills_int8(const ChannelNormalisation& normalisation, const TensorQuantisation& input) {
  return steps_from_ends(normalisation, input) <= kStepsOfTolerance;
}

std::optional<PixelRange> usual_range(const EndFormat& input) {
  static const std::vector<PixelRange> ranges{{"[0, 1]", {0.0, 255.0}},
                                              {"[-1, 1]", {127.5, 127.5}},
                                              {"[0, 255]", {0.0, 1.0}},
                                              {"[-128, 127]", {128.0, 1.0}}};
  if (input.end.numbers == EndNumbers::kUint8) {
    return PixelRange{"[0, 255]", {0.0, 1.0}};
  }
  const auto usual = std::find_if(ranges.begin(), ranges.end(), [&](const PixelRange& range) {
    return fills_int8(range.normalisation, input.int8);
  });
  return usual == ranges.end() ? std::nullopt : std::optional(*usual);
}

PixelEncoder::PixelEncoder(const EndFormat& input, const PixelRange& range, Arithmetic arithmetic)
    : tables_{table_of(input.end.numbers == EndNumbers::kFloat32 ? real_numbers(range.normalisation)
                                                                 : pixel_bytes(input),
                       input, arithmetic)},
      description_(describe(input, range)) {}

PixelEncoder::PixelEncoder(const EndFormat& input, std::span<const ChannelNormalisation> channels,
                           Arithmetic arithmetic)
    : description_(describe(input, channels)) {
  for (const ChannelNormalisation& channel : channels) {
    tables_.push_back(table_of(numbers_of(channel, input), input, arithmetic));
  }
}

std::vector<std::int8_t> PixelEncoder::operator()(std::span<const std::uint8_t> pixels) const {
  std::vector<std::int8_t> stored;
  stored.reserve(pixels.size());
  std::size_t channel = 0;
  for (const std::uint8_t pixel : pixels) {
    stored.push_back(tables_[channel][pixel]);
    channel = channel + 1 == tables_.size() ? 0 : channel + 1;
  }
  return stored;
}

}  // namespace patchnas
