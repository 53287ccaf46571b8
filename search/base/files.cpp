#include "search/base/files.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <iostream>
#include <optional>
#include <system_error>
#include <unistd.h>

#include <sys/stat.h>

#include "arch/base/error.h"
#include "arch/base/file_descriptor.h"
#include "arch/base/input_file.h"
#include "search/base/stop_signal.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const char* what, int error) {
  throw InputError(path.string() + ": " + what + ": " + std::strerror(error));
}

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
  const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a folder; the rename is atomic without it.
  if (directory.get() >= 0) {
    ::fsync(directory.get());
  }
}

/// What is to be written: `path`, or where its links lead.
struct Place {
  fs::path path;
  std::optional<mode_t> mode;  ///< of the file that is replaced
  bool is_written_to = false;  ///< as it is: a device, a pipe, an open file that has no name
};

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Links are followed even to a file that is not there yet.
fs::path end_of_links(const fs::path& path) {
  constexpr int kMostLinks = 40;
  fs::path end = path;
  std::error_code error;
  for (int links = 0; fs::is_symlink(end, error); ++links) {
    const fs::path target = fs::read_symlink(end, error);
    if (error || links == kMostLinks) {
      fail(path, "cannot write", error ? error.value() : ELOOP);
    }
    end = end.parent_path() / target;  // of an absolute path that path alone
  }
  return end;
}

Place place_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return {.path = end_of_links(path), .mode = {}};
  }
  if (!S_ISREG(status.st_mode)) {
    return {.path = path, .mode = {}, .is_written_to = true};
  }
  // Links in /proc lead to files that are open, whatever they are called.
  Place place{.path = end_of_links(path), .mode = status.st_mode & 07777};
  struct stat named {};
  if (::stat(place.path.c_str(), &named) != 0 || !is_same_file(named, status)) {
    return {.path = path, .mode = {}, .is_written_to = true};
  }
  return place;
}

/// The descriptor of standard output or error if `path` is just that: what is written must not
/// start at the file's begin again, nor replace the file that is open.
std::optional<int> standard_stream(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return std::nullopt;
  }
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat open {};
    if (::fstat(stream, &open) == 0 && is_same_file(open, status)) {
      return stream;
    }
  }
  return std::nullopt;
}

// 0, or the error number.
int write_through(const fs::path& path, std::string_view bytes) {
  if (const std::optional<int> stream = standard_stream(path)) {
    std::cout.flush();
    return write_all(*stream, bytes);
  }
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
  if (file.get() < 0) {
    return errno;
  }
  if (const int error = write_all(file.get(), bytes); error != 0) {
    return error;
  }
  return file.close() == 0 ? 0 : errno;
}

/// A new file beside `path`, under a name that nothing else has: what is there may be somebody's.
struct Temporary {
  std::string name;
  int file = -1;
};
Temporary make_temporary(const fs::path& path) {
  static std::atomic<int> count = 0;
  Temporary made;
  do {
    made.name = path.string() + "." + std::to_string(::getpid()) + "-" + std::to_string(count++) +
                std::string(kTemporarySuffix);
    made.file = ::open(made.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  } while (made.file < 0 && errno == EEXIST);
  return made;
}

// 0, or the error number.
int write_and_sync(int opened, std::optional<mode_t> mode, std::string_view bytes) {
  FileDescriptor file(opened);
  if (const int error = write_all(file.get(), bytes); error != 0) {
    return error;
  }
  if ((mode && ::fchmod(file.get(), *mode) != 0) || ::fsync(file.get()) != 0) {
    return errno;
  }
  return file.close() == 0 ? 0 : errno;
}

// 0, or the error number.
int replace(const Place& place, std::string_view bytes) {
  const Temporary temporary = make_temporary(place.path);
  if (temporary.file < 0) {
    return errno;
  }
  int error = write_and_sync(temporary.file, place.mode, bytes);
  if (error == 0 && ::rename(temporary.name.c_str(), place.path.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    ::unlink(temporary.name.c_str());
    return error;
  }
  sync_directory(place.path.has_parent_path() ? place.path.parent_path() : fs::path("."));
  return 0;
}

}  // namespace

std::string read_file(const fs::path& path) {
  return read_input(path, [] { throw_if_stopped(); });
}

void write_file(const fs::path& path, std::string_view bytes) {
  const Place place = place_of(path);
  const bool is_written_to = place.is_written_to || standard_stream(path).has_value();
  if (const int error = is_written_to ? write_through(path, bytes) : replace(place, bytes);
      error != 0) {
    fail(path, "cannot write", error);
  }
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
