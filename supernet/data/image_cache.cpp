#include "supernet/data/image_cache.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <utility>

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "arch/base/checksum.h"
#include "supernet/data/image_cache_file.h"
#include "supernet/data/image_cache_writer.h"
#include "supernet/data/image_decoder.h"
#include "supernet/data/image_header.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;
using image_cache::Entry;
using image_cache::Header;

/// Not a cache, or not this one.
class UnusableCache : public Error {
 public:
  using Error::Error;
};

class MappedFile {
 public:
  explicit MappedFile(const fs::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
      throw UnusableCache(std::strerror(errno));
    }
    struct stat status {};
    const bool known = ::fstat(file, &status) == 0 && status.st_size > 0;
    void* const address = known ? ::mmap(nullptr, static_cast<std::size_t>(status.st_size),
                                         PROT_READ, MAP_SHARED, file, 0)
                                : MAP_FAILED;
    ::close(file);
    if (address == MAP_FAILED) {
      throw UnusableCache("it is empty or cannot be mapped");
    }
    bytes_ = {static_cast<const std::uint8_t*>(address), static_cast<std::size_t>(status.st_size)};
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size()); }  // NOLINT

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
};

std::string_view text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class CachedImages : public ImageStore {
 public:
  /// @throws UnusableCache saying why.
  CachedImages(const fs::path& path, const ImageList& list, const CacheFormat& format,
               std::uint64_t key)
      : file_(path), list_(list), channels_(format.channels) {
    const std::span<const std::uint8_t> bytes = file_.bytes();
    Header header;
    if (bytes.size() < sizeof header) {
      throw UnusableCache("it is cut short");
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != image_cache::kMagic || header.byte_order != image_cache::kByteOrder) {
      throw UnusableCache("it is no image cache of this program");
    }
    if (header.header_checksum !=
        crc64(text(bytes.first(sizeof header - sizeof header.header_checksum)))) {
      throw UnusableCache("its header is damaged");
    }
    if (header.key != key || header.images != static_cast<std::uint64_t>(list.size()) ||
        header.channels != static_cast<std::uint32_t>(channels_)) {
      throw UnusableCache("it is of other images");
    }
    const std::uint64_t index_bytes = header.images * sizeof(Entry);
    if (header.index_offset > bytes.size() || bytes.size() - header.index_offset != index_bytes) {
      throw UnusableCache("it is cut short");
    }
    const auto index = bytes.subspan(header.index_offset);
    if (header.index_checksum != crc64(text(index))) {
      throw UnusableCache("its index is damaged");
    }
    entries_.resize(header.images);
    std::memcpy(entries_.data(), index.data(), index.size());
    for (const Entry& entry : entries_) {
      if (entry.offset > header.index_offset ||
          header.index_offset - entry.offset < size_of(entry)) {
        throw UnusableCache("its index is damaged");
      }
    }
  }

  [[nodiscard]] int size() const override { return list_.size(); }
  [[nodiscard]] int channels() const override { return channels_; }
  [[nodiscard]] int classes() const override { return static_cast<int>(list_.class_names.size()); }
  [[nodiscard]] std::int32_t label(int index) const override {
    return list_.labels[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] std::string name(int index) const override {
    return list_.files[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] StoredImage image(int index, const LeastScale& /*least_scale*/) const override {
    const Entry& entry = entries_[static_cast<std::size_t>(index)];
    if (entry.height == 0) {
      throw CorruptImageError(list_.path(index).string() + " is corrupt");
    }
    return {static_cast<int>(entry.height),
            static_cast<int>(entry.width),
            channels_,
            label(index),
            file_.bytes().subspan(entry.offset, size_of(entry)),
            nullptr};
  }

  /// Counts the images that were corrupt when the cache was built, and names them once more.
  void report(CorruptImages& corrupt) const {
    for (int i = 0; i < size(); ++i) {
      if (entries_[static_cast<std::size_t>(i)].height == 0) {
        corrupt.add(CorruptImageError(list_.path(i).string() + " is corrupt"));
      }
    }
  }

 private:
  [[nodiscard]] std::uint64_t size_of(const Entry& entry) const {
    return std::uint64_t{entry.height} * entry.width * static_cast<std::uint64_t>(channels_);
  }

  MappedFile file_;
  ImageList list_;
  int channels_;
  std::vector<Entry> entries_;
};

/// Held while a cache is built, so that another process waits instead of doing the same work.
/// Where a file system has no locks both build, each under a name of its own.
class BuildLock {
 public:
  /// @param images that the cache is to hold
  BuildLock(const fs::path& path, int images, const DataObserver& observer)
      : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (file_ < 0) {
      throw InputError(path.string() + ": cannot be created: " + std::strerror(errno) +
                       "; data.cache names another folder");
    }
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
      return;
    }
    observer.say(path.string() + ": waiting for another process that decodes the same images");
    try {
      wait(images, observer);
    } catch (...) {
      ::close(file_);
      throw;
    }
  }
  BuildLock(const BuildLock&) = delete;
  BuildLock& operator=(const BuildLock&) = delete;
  ~BuildLock() { ::close(file_); }

 private:
  /// The observer may stop it.
  void wait(int images, const DataObserver& observer) const {
    constexpr std::chrono::milliseconds kPatience(100);
    while (::flock(file_, LOCK_EX | LOCK_NB) != 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
      if (observer.progress) {
        observer.progress(0, images);
      }
      std::this_thread::sleep_for(kPatience);
    }
  }

  int file_;
};

}  // namespace

std::uint64_t cache_key(const ImageList& list, const CacheFormat& format) {
  std::string text = fs::weakly_canonical(list.folder).string();
  text.append("\n").append(std::to_string(format.channels));
  text.append(" ").append(std::to_string(format.shorter_side)).append("\n");
  for (int i = 0; i < list.size(); ++i) {
    struct stat status {};
    if (::stat(list.path(i).c_str(), &status) != 0) {
      throw InputError(list.path(i).string() + ": " + std::strerror(errno));
    }
    text.append(list.files[static_cast<std::size_t>(i)]).append("\n");
    text.append(std::to_string(status.st_size)).append(" ");
    text.append(std::to_string(status.st_mtim.tv_sec)).append(".");
    text.append(std::to_string(status.st_mtim.tv_nsec)).append("\n");
  }
  return crc64(text);
}

std::int64_t estimated_cache_bytes(const ImageList& list, const CacheFormat& format) {
  constexpr int kSamples = 64;
  const int samples = std::min(kSamples, list.size());
  double sum = 0.0;
  int counted = 0;
  for (int i = 0; i < samples; ++i) {
    const auto index = static_cast<int>(std::int64_t{list.size()} * i / samples);
    const std::string path = list.path(index).string();
    try {
      const ImageHeader header = read_image_header(read_bytes(path), path);
      const double scale = std::min(
          1.0, static_cast<double>(format.shorter_side) / std::min(header.height, header.width));
      sum += scale * header.height * scale * header.width * format.channels;
      ++counted;
    } catch (const CorruptImageError&) {
      continue;  // counted when it is decoded
    }
  }
  return counted == 0 ? 0 : static_cast<std::int64_t>(sum / counted * list.size());
}

std::unique_ptr<const ImageStore> open_image_cache(const ImageList& list, const CacheFormat& format,
                                                   const CacheFolders& folders,
                                                   std::shared_ptr<CorruptImages> corrupt,
                                                   const DataObserver& observer) {
  std::error_code error;
  const std::uint64_t key = cache_key(list, format);
  const std::string name = to_hex(key) + ".images";
  const auto open = [&](const fs::path& folder,
                        const char* otherwise) -> std::unique_ptr<CachedImages> {
    const fs::path path = folder / name;
    if (folder.empty() || !fs::exists(path, error)) {
      return nullptr;
    }
    try {
      auto images = std::make_unique<CachedImages>(path, list, format, key);
      images->report(*corrupt);
      return images;
    } catch (const UnusableCache& unusable) {
      observer.say(path.string() + ": " + unusable.what() + otherwise);
      return nullptr;
    }
  };
  std::unique_ptr<CachedImages> images = open(folders.own, "; it is built again");
  for (const fs::path& folder : folders.read_only) {
    if (!images) {
      images = open(folder, "; it is not used");
    }
  }
  if (images || folders.own.empty()) {
    return images;
  }
  fs::create_directories(folders.own, error);
  const BuildLock lock(folders.own / (to_hex(key) + ".lock"), list.size(), observer);
  images = open(folders.own, "");  // another process may have built it meanwhile
  if (!images) {
    const fs::path path = folders.own / name;
    write_image_cache(path, list, format, key, corrupt, observer);  // reports corrupt ones itself
    images = std::make_unique<CachedImages>(path, list, format, key);
  }
  return images;
}

}  // namespace patchnas
