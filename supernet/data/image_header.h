#pragma once

// What the bytes of a JPEG or PNG file say without being decoded.

#include <cstdint>
#include <span>
#include <string>

namespace patchnas {

enum class ImageFormat { kJpeg, kPng };

struct ImageHeader {
  ImageFormat format = ImageFormat::kJpeg;
  int height = 0;  ///< as stored: an EXIF orientation may turn the image
  int width = 0;
};

/// Reads the header, and follows the file's structure to its end.
/// @param name for messages
/// @throws CorruptImageError if it is neither format, or is cut short: no EOI (JPEG, ITU-T T.81
/// B.1.1.3) or no IEND (PNG). Decoders fill what is missing with grey and call it a success.
ImageHeader read_image_header(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace patchnas
