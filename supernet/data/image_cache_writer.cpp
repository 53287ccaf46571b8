#include "supernet/data/image_cache_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <sys/stat.h>

#include "arch/base/checksum.h"
#include "arch/base/parallel.h"
#include "supernet/data/image_cache_file.h"
#include "supernet/data/image_decoder.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;
using image_cache::Entry;
using image_cache::Header;

/// How many decoded images wait for the disk at a time.
constexpr int kImagesAtATime = 512;

/// A file under a name of its own until it is finished.
class NewFile {
 public:
  explicit NewFile(const fs::path& path) : path_(path), name_(path.string() + ".XXXXXX.tmp") {
    file_ = ::mkstemps(name_.data(), 4);
    if (file_ < 0) {
      fail();
    }
    ::fchmod(file_, 0644);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (file_ >= 0) {
      ::close(file_);
      ::unlink(name_.c_str());
    }
  }

  void write(const void* data, std::size_t size, std::uint64_t offset) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::pwrite(file_, bytes, size, static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) {
        continue;
      }
      if (written <= 0) {
        fail();
      }
      bytes += written;
      offset += static_cast<std::uint64_t>(written);
      size -= static_cast<std::size_t>(written);
    }
  }

  void finish() {
    if (::fsync(file_) != 0 || ::rename(name_.c_str(), path_.c_str()) != 0) {
      fail();
    }
    ::close(file_);
    file_ = -1;
  }

 private:
  [[noreturn]] void fail() const {
    throw InputError(path_.string() + ": cannot be written: " + std::strerror(errno) +
                     "; data.cache names another folder, data.cache_size: 0 does without");
  }

  fs::path path_;
  std::string name_;
  int file_ = -1;
};

/// What a killed process left.
void remove_leftovers(const fs::path& path) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(path.filename().string() + ".") && name.ends_with(".tmp")) {
      fs::remove(entry.path(), error);
    }
  }
}

/// Images [begin, end); none in the place of a corrupt one.
std::vector<std::optional<StoredImage>> decode(const ImageFiles& files, int begin, int end,
                                               int shorter_side) {
  std::vector<std::optional<StoredImage>> images(static_cast<std::size_t>(end - begin));
  const LeastScale least_scale = [&](int height, int width) {
    return std::min(1.0, static_cast<double>(shorter_side) / std::min(height, width));
  };
  parallel_each(end - begin, [&](int, int i) {
    try {
      images[static_cast<std::size_t>(i)] =
          shrunk(files.image(begin + i, least_scale), shorter_side);
    } catch (const CorruptImageError&) {
      return;  // the store has reported it
    }
  });
  return images;
}

}  // namespace

void write_image_cache(const fs::path& path, const ImageList& list, const CacheFormat& format,
                       std::uint64_t key, const std::shared_ptr<CorruptImages>& corrupt,
                       const DataObserver& observer) {
  remove_leftovers(path);
  const ImageFiles files(list, format.channels, corrupt);
  NewFile file(path);
  std::vector<Entry> entries;
  std::uint64_t offset = sizeof(Header);
  for (int begin = 0; begin < list.size(); begin += kImagesAtATime) {
    const int end = std::min(list.size(), begin + kImagesAtATime);
    for (const std::optional<StoredImage>& image : decode(files, begin, end, format.shorter_side)) {
      Entry& entry = entries.emplace_back(Entry{offset, 0, 0});
      if (image) {
        entry.height = static_cast<std::uint32_t>(image->height);
        entry.width = static_cast<std::uint32_t>(image->width);
        file.write(image->pixels.data(), image->pixels.size(), offset);
        offset += image->pixels.size();
      }
    }
    if (observer.progress) {
      observer.progress(end, list.size());
    }
  }
  const std::string_view index(reinterpret_cast<const char*>(entries.data()),
                               entries.size() * sizeof(Entry));
  file.write(index.data(), index.size(), offset);
  Header header;
  header.channels = static_cast<std::uint32_t>(format.channels);
  header.images = entries.size();
  header.key = key;
  header.index_offset = offset;
  header.index_checksum = crc64(index);
  header.header_checksum = crc64(
      {reinterpret_cast<const char*>(&header), sizeof header - sizeof header.header_checksum});
  file.write(&header, sizeof header, 0);
  file.finish();
}

}  // namespace patchnas
