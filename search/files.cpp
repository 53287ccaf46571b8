#include "search/files.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

#include <sys/stat.h>

#include "arch/error.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const char* what, int error) {
  throw InputError(path.string() + ": " + what + ": " + std::strerror(error));
}

/// Closes a descriptor, whatever happens.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  [[nodiscard]] int get() const { return value_; }
  /// Errors of a delayed write may surface only here.
  int close() {
    const int status = ::close(value_);
    value_ = -1;
    return status;
  }

 private:
  int value_;
};

/// 0, or the error number.
int write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

void sync_directory(const fs::path& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a folder; the rename is atomic without it.
  if (directory.get() >= 0) {
    ::fsync(directory.get());
  }
}

int write_and_sync(const fs::path& path, std::string_view bytes) {
  ::unlink(path.c_str());  // what a kill left, or a link to somewhere else
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (file.get() < 0) {
    return errno;
  }
  if (const int error = write_all(file.get(), bytes); error != 0) {
    return error;
  }
  if (::fsync(file.get()) != 0) {
    return errno;
  }
  return file.close() == 0 ? 0 : errno;
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    fail(path, "cannot open", errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) {
    fail(path, "cannot read", errno);
  }
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(status.st_size));
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count == 0) {
      return bytes;
    }
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail(path, "cannot read", errno);
    }
    bytes.append(buffer, static_cast<std::size_t>(count));
  }
}

void write_file(const fs::path& path, std::string_view bytes) {
  fs::path temporary = path;
  temporary += kTemporarySuffix;
  int error = write_and_sync(temporary, bytes);
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    ::unlink(temporary.c_str());
    fail(path, "cannot write", error);
  }
  sync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw InputError(path.string() + ": cannot create the folder: " + error.message());
  }
}

AppendFile::AppendFile(fs::path path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (file_ < 0) {
    fail(path_, "cannot open", errno);
  }
}

AppendFile::~AppendFile() { ::close(file_); }

void AppendFile::append(std::string_view bytes, Durability durability) {
  struct stat before {};
  if (::fstat(file_, &before) != 0) {
    fail(path_, "cannot write", errno);
  }
  int error = write_all(file_, bytes);
  if (error == 0 && durability == Durability::kSynced && ::fdatasync(file_) != 0) {
    error = errno;
  }
  if (error != 0) {
    // Best effort: a reader copes with a torn last line too.
    [[maybe_unused]] const int cut = ::ftruncate(file_, before.st_size);
    fail(path_, "cannot write", error);
  }
}

}  // namespace patchnas
