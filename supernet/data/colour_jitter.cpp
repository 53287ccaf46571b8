#include "supernet/data/colour_jitter.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace patchnas {
namespace {

// Luma of ITU-R BT.601, as JPEG and OpenCV weigh it.
constexpr std::array kLuma{0.299F, 0.587F, 0.114F};

float grey(const std::uint8_t* pixel) {
  return kLuma[0] * static_cast<float>(pixel[0]) + kLuma[1] * static_cast<float>(pixel[1]) +
         kLuma[2] * static_cast<float>(pixel[2]);
}

float mean_grey(int channels, std::span<const std::uint8_t> pixels) {
  double sum = 0.0;
  const auto step = static_cast<std::size_t>(channels);
  for (std::size_t i = 0; i < pixels.size(); i += step) {
    sum += channels == 3 ? grey(&pixels[i]) : static_cast<float>(pixels[i]);
  }
  return static_cast<float>(sum / static_cast<double>(pixels.size() / step));
}

std::uint8_t to_pixel(float value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 255.0F)));
}

}  // namespace

ColourJitter draw_colour_jitter(double brightness, double contrast, double saturation,
                                RandomStream& stream) {
  const auto draw = [&](double range) {
    return range > 0.0 ? 1.0 + range * (2.0 * stream.uniform() - 1.0) : 1.0;
  };
  ColourJitter jitter;
  jitter.brightness = draw(brightness);
  jitter.contrast = draw(contrast);
  jitter.saturation = draw(saturation);
  return jitter;
}

void apply(const ColourJitter& jitter, int channels, std::span<std::uint8_t> pixels) {
  if (jitter == ColourJitter{}) {
    return;
  }
  // Brightness and contrast are one straight line: value -> gain * value + offset.
  const auto contrast = static_cast<float>(jitter.contrast);
  const auto brightness = static_cast<float>(jitter.brightness);
  const float gain = contrast * brightness;
  const float offset = (1.0F - contrast) * brightness * mean_grey(channels, pixels);
  const auto saturation = static_cast<float>(channels == 3 ? jitter.saturation : 1.0);
  if (saturation == 1.0F) {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
      table[i] = to_pixel(gain * static_cast<float>(i) + offset);
    }
    for (std::uint8_t& pixel : pixels) {
      pixel = table[pixel];
    }
    return;
  }
  for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) {
    const float about = (1.0F - saturation) * (gain * grey(&pixels[i]) + offset);
    for (std::size_t c = 0; c < 3; ++c) {
      pixels[i + c] =
          to_pixel(saturation * (gain * static_cast<float>(pixels[i + c]) + offset) + about);
    }
  }
}

}  // namespace patchnas
