#include "supernet/data/image_header.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "supernet/data/image_store.h"

namespace patchnas {
namespace {

constexpr std::array<std::uint8_t, 8> kPngSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

// Markers of JPEG (T.81, table B.1).
constexpr int kStartOfImage = 0xD8;
constexpr int kEndOfImage = 0xD9;

/// Big-endian reads that end in an error at the end of the file.
class Bytes {
 public:
  Bytes(std::span<const std::uint8_t> bytes, const std::string& name)
      : bytes_(bytes), name_(name) {}

  std::uint32_t number(int size) {
    require(static_cast<std::size_t>(size));
    std::uint32_t value = 0;
    for (int i = 0; i < size; ++i) {
      value = value << 8 | bytes_[at_++];
    }
    return value;
  }
  void skip(std::size_t size) {
    require(size);
    at_ += size;
  }
  void skip_to(std::uint8_t value) {
    const void* found =
        at_ < bytes_.size() ? std::memchr(&bytes_[at_], value, bytes_.size() - at_) : nullptr;
    if (found == nullptr) {
      fail("is cut short");
    }
    at_ = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - bytes_.data());
  }
  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] bool starts_with(std::span<const std::uint8_t> magic) const {
    return bytes_.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes_.begin());
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw CorruptImageError(name_ + " " + what);
  }

 private:
  void require(std::size_t size) const {
    if (bytes_.size() - at_ < size) {
      fail("is cut short");
    }
  }

  std::span<const std::uint8_t> bytes_;
  const std::string& name_;
  std::size_t at_ = 0;
};

bool has_no_segment(int marker) {
  return marker == 0x01 || (marker >= 0xD0 && marker <= kStartOfImage);  // TEM, RSTn, SOI
}

bool is_start_of_frame(int marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

ImageHeader read_jpeg(Bytes& bytes) {
  ImageHeader header{ImageFormat::kJpeg, 0, 0};
  while (true) {
    bytes.skip_to(0xFF);  // through the compressed data of a scan
    int marker = 0xFF;
    while (marker == 0xFF) {
      marker = static_cast<int>(bytes.number(1));
    }
    if (marker == kEndOfImage) {
      if (header.width == 0 || header.height == 0) {
        bytes.fail("is a JPEG file without an image");
      }
      return header;
    }
    if (marker == 0 || has_no_segment(marker)) {  // 0: a byte FF of the data
      continue;
    }
    const std::size_t length = bytes.number(2);
    if (length < 2) {
      bytes.fail("is a damaged JPEG file: a segment of length " + std::to_string(length));
    }
    const std::size_t end = bytes.position() + length - 2;
    if (is_start_of_frame(marker) && length >= 8) {
      bytes.skip(1);
      header.height = static_cast<int>(bytes.number(2));
      header.width = static_cast<int>(bytes.number(2));
    }
    bytes.skip(end - bytes.position());
  }
}

ImageHeader read_png(Bytes& bytes) {
  constexpr std::uint32_t kHeader = 0x49484452;  // "IHDR"
  constexpr std::uint32_t kEnd = 0x49454E44;     // "IEND"
  constexpr std::uint32_t kMaxExtent = 1U << 30;
  ImageHeader header{ImageFormat::kPng, 0, 0};
  bytes.skip(kPngSignature.size());
  while (true) {
    const std::size_t length = bytes.number(4);
    const std::uint32_t type = bytes.number(4);
    const std::size_t end = bytes.position() + length;
    if (type == kHeader && length >= 8) {
      header.width = static_cast<int>(std::min(bytes.number(4), kMaxExtent));
      header.height = static_cast<int>(std::min(bytes.number(4), kMaxExtent));
    }
    bytes.skip(end - bytes.position() + 4);  // and the checksum
    if (type == kEnd) {
      if (header.width == 0 || header.height == 0) {
        bytes.fail("is a PNG file without an image");
      }
      return header;
    }
  }
}

}  // namespace

ImageHeader read_image_header(std::span<const std::uint8_t> bytes, const std::string& name) {
  constexpr std::array<std::uint8_t, 3> kJpegSignature{0xFF, kStartOfImage, 0xFF};
  Bytes reader(bytes, name);
  if (reader.starts_with(kJpegSignature)) {
    return read_jpeg(reader);
  }
  if (reader.starts_with(kPngSignature)) {
    return read_png(reader);
  }
  reader.fail(bytes.empty() ? "is empty" : "is neither a JPEG nor a PNG file");
}

}  // namespace patchnas
