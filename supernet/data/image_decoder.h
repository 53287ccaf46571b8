#pragma once

// JPEG and PNG files as 8-bit images.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "supernet/data/image_store.h"

namespace patchnas {

/// @throws InputError with path and reason, also if it is no file (require_file).
std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path);

/// Grey, CMYK, 16-bit, transparent and EXIF-rotated files become what is asked for: RGB or grey,
/// 8 bits, upright, colours under a transparency as they are stored. A JPEG is decoded at a half, a
/// quarter or an eighth of its size where `least_scale` allows.
/// @param channels 1 or 3
/// @param name for messages
/// @throws CorruptImageError
StoredImage decode_image(std::span<const std::uint8_t> bytes, int channels, const std::string& name,
                         const LeastScale& least_scale);

/// The same image with a shorter side of `side` pixels, areas averaged; itself if it is no larger.
StoredImage shrunk(const StoredImage& image, int side);

/// Keeps OpenCV to the thread that calls it, in this process: images are many, and the callers' own
/// threads share them.
void decode_in_calling_thread();

}  // namespace patchnas
