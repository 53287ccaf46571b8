#include "supernet/data/idx_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <zlib.h>

#include "arch/base/error.h"
#include "arch/base/input_file.h"

namespace patchnas {
namespace {

constexpr std::uint32_t kUnsignedBytes = 0x0800;  // type field of the magic number
constexpr std::uint32_t kMaxItems = 50'000'000;
constexpr std::uint32_t kMaxExtent = 4096;

// zlib reads plain files as they are.
class GzipReader {
 public:
  explicit GzipReader(const std::filesystem::path& path) : path_(path), file_(open(path)) {
    if (file_ == nullptr) {
      throw InputError(path.string() + ": cannot be opened: " + std::strerror(errno));
    }
    gzbuffer(file_.get(), 1 << 18);
  }

  // Fewer bytes than asked for only at the end of the file.
  std::size_t read(std::uint8_t* target, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      const auto part = static_cast<unsigned>(std::min<std::size_t>(size - done, 1U << 30));
      const int count = gzread(file_.get(), target + done, part);
      if (count < 0) {
        int code = 0;
        const char* message = gzerror(file_.get(), &code);
        fail(code == Z_BUF_ERROR ? "is cut short" : std::string("is damaged: ") + message);
      }
      if (count == 0) {
        break;
      }
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(path_.string() + ": " + what);
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  static gzFile open(const std::filesystem::path& path) {
    require_file(path);
    return gzopen(path.c_str(), "rb");
  }
  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

std::uint32_t read_word(GzipReader& reader) {
  std::array<std::uint8_t, 4> bytes{};
  if (reader.read(bytes.data(), bytes.size()) != bytes.size()) {
    reader.fail("is cut short: its IDX header is incomplete");
  }
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

std::string hex(std::uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", value);
  return text.data();
}

IdxHeader read_header(GzipReader& reader, IdxContent content) {
  const auto dimensions = static_cast<std::uint32_t>(content);
  const std::uint32_t expected = kUnsignedBytes | dimensions;
  const std::uint32_t magic = read_word(reader);
  if (magic != expected) {
    reader.fail("is not an IDX file of " +
                std::string(content == IdxContent::kImages ? "images" : "labels") +
                ": magic number " + hex(magic) + ", expected " + hex(expected));
  }
  IdxHeader header;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const std::uint32_t extent = read_word(reader);
    const std::uint32_t limit = i == 0 ? kMaxItems : kMaxExtent;
    if (extent == 0 || extent > limit) {
      reader.fail("has extent " + std::to_string(extent) + " in dimension " + std::to_string(i) +
                  " of its IDX header; allowed are 1 to " + std::to_string(limit));
    }
    header.extents.push_back(static_cast<int>(extent));
  }
  return header;
}

}  // namespace

std::size_t IdxHeader::bytes() const {
  std::size_t product = 1;
  for (const int extent : extents) {
    product *= static_cast<std::size_t>(extent);
  }
  return product;
}

std::filesystem::path find_idx_file(const std::filesystem::path& folder, const std::string& name) {
  for (const char* suffix : {"", ".gz"}) {
    std::filesystem::path path = folder / (name + suffix);
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) {
      return path;
    }
  }
  throw InputError((folder / name).string() + ": not found, nor with .gz");
}

IdxHeader read_idx_header(const std::filesystem::path& path, IdxContent content) {
  GzipReader reader(path);
  return read_header(reader, content);
}

IdxFile read_idx_file(const std::filesystem::path& path, IdxContent content) {
  GzipReader reader(path);
  IdxFile file;
  file.header = read_header(reader, content);
  const std::size_t expected = file.header.bytes();
  // Grown while reading: a header that lies must not allocate what the file does not hold.
  constexpr std::size_t kChunk = std::size_t{1} << 24;
  while (file.bytes.size() < expected) {
    const std::size_t before = file.bytes.size();
    const std::size_t wanted = std::min(kChunk, expected - before);
    file.bytes.resize(before + wanted);
    const std::size_t count = reader.read(file.bytes.data() + before, wanted);
    if (count < wanted) {
      reader.fail("is cut short: " + std::to_string(before + count) + " of " +
                  std::to_string(expected) + " bytes of data");
    }
  }
  std::uint8_t surplus = 0;
  if (reader.read(&surplus, 1) != 0) {
    reader.fail("holds more than the " + std::to_string(expected) + " bytes its header names");
  }
  return file;
}

}  // namespace patchnas
