#pragma once

// 8-bit pixels as what a network reads, as firmware makes it of them.
//
//   const EndFormat input = input_formats(network).front();
//   const PixelEncoder encode(input, *usual_range(input));
//   const std::vector<std::int8_t> images = encode(pixels);

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/reference/end_numbers.h"

namespace patchnas {

/// real = (pixel - mean) / stddev.
struct ChannelNormalisation {
  double mean = 0.0;
  double stddev = 1.0;
  bool operator==(const ChannelNormalisation&) const = default;
};

/// Real numbers that pixels from 0 to 255 become, evenly, and that an int8 input is scaled for:
/// then its stored values are the pixels less 128, and nobody computes.
struct PixelRange {
  std::string name;  ///< "[-1, 1]"
  ChannelNormalisation normalisation;
  bool operator==(const PixelRange&) const = default;
};

/// Whether pixels 0 and 255 become the ends of int8, within two steps: calibration seldom finds
/// them exactly.
bool fills_int8(const ChannelNormalisation& normalisation, const TensorQuantisation& input);

/// Which of the usual ranges an input's int8 scale and zero point are made for: [0, 1], [-1, 1],
/// [0, 255] or [-128, 127]. Nothing if none. A uint8 input reads the pixels themselves, in whatever
/// range it says they are.
std::optional<PixelRange> usual_range(const EndFormat& input);

/// From pixels to a network's int8 image, through the numbers that its file has at the input.
class PixelEncoder {
 public:
  /// int8 reads the pixel less 128, uint8 the pixel, float32 its real number in `range`.
  PixelEncoder(const EndFormat& input, const PixelRange& range,
               Arithmetic arithmetic = Arithmetic::kTfliteMicro);
  /// All read the real number, int8 and uint8 through the input's scale and zero point.
  /// @param channels one for all channels, or one each
  PixelEncoder(const EndFormat& input, std::span<const ChannelNormalisation> channels,
               Arithmetic arithmetic = Arithmetic::kTfliteMicro);

  /// @param pixels [N, H, W, C]
  [[nodiscard]] std::vector<std::int8_t> operator()(std::span<const std::uint8_t> pixels) const;
  /// For people: "pixel - 128, ...".
  [[nodiscard]] const std::string& description() const { return description_; }

 private:
  std::vector<std::array<std::int8_t, 256>> tables_;  ///< by channel
  std::string description_;
};

}  // namespace patchnas
