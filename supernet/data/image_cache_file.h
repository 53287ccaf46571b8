#pragma once

// The form of a cache file (image_cache.h), for those who write and read it.

#include <array>
#include <cstdint>

namespace patchnas::image_cache {

inline constexpr std::array<char, 8> kMagic{'P', 'N', 'A', 'S', 'I', 'M', 'G', '1'};
inline constexpr std::uint32_t kByteOrder = 0x01020304;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t byte_order = kByteOrder;
  std::uint32_t channels = 0;
  std::uint64_t images = 0;
  std::uint64_t key = 0;
  std::uint64_t index_offset = 0;  ///< where the pixels end
  std::uint64_t index_checksum = 0;
  std::uint64_t header_checksum = 0;  ///< of what is before it
};
static_assert(sizeof(Header) == 56);

struct Entry {
  std::uint64_t offset = 0;
  std::uint32_t height = 0;  ///< 0: the image is corrupt
  std::uint32_t width = 0;
};
static_assert(sizeof(Entry) == 16);

}  // namespace patchnas::image_cache
