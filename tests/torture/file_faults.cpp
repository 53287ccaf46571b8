// A library to be preloaded: counts what a program does to the files of one folder, and makes the
// N-th operation the last one, or fail together with all later ones.
//
//   FILE_FAULTS_FOLDER   the folder, without symbolic links in its path
//   FILE_FAULTS_LOG      appends a line for each operation: its name and the file
//   FILE_FAULTS_AT       N, from 1
//   FILE_FAULTS_DO       kill: SIGKILL before it; tear: SIGKILL after it, of a write after its
//   first
//                        half; or the number of the error with which it and all later ones fail

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

#include <dlfcn.h>

namespace {

constexpr int kMostFiles = 1024;

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

const char* folder() {
  static const char* const value = std::getenv("FILE_FAULTS_FOLDER");
  return value;
}

bool is_inside(const char* path) {
  const std::size_t length = folder() == nullptr ? 0 : std::strlen(folder());
  return length > 0 && path != nullptr && std::strncmp(path, folder(), length) == 0 &&
         (path[length] == '/' || path[length] == '\0');
}

// Whether the descriptor was opened inside the folder.
std::array<std::atomic<bool>, kMostFiles> tracked{};

bool is_tracked(int file) {
  return file >= 0 && file < kMostFiles && tracked[static_cast<std::size_t>(file)];
}

void log(const char* operation, const char* path) {
  static const char* const log_path = std::getenv("FILE_FAULTS_LOG");
  if (log_path == nullptr) {
    return;
  }
  static const int file = next<int(const char*, int, ...)>("open")(
      log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  std::array<char, 4096> line{};
  const int length = std::snprintf(line.data(), line.size(), "%s %s\n", operation, path);
  static auto* const write_it = next<ssize_t(int, const void*, std::size_t)>("write");
  [[maybe_unused]] const ssize_t written =
      write_it(file, line.data(), static_cast<std::size_t>(length));
}

enum class Fate { kHappens, kTears, kFails };

/// Counts one operation.
Fate fate_of(const char* operation, const char* path) {
  static std::atomic<long> count{0};
  static const char* const at_text = std::getenv("FILE_FAULTS_AT");
  static const long at = at_text == nullptr ? 0 : std::atol(at_text);
  static const char* const what = std::getenv("FILE_FAULTS_DO");
  log(operation, path);
  const long number = ++count;
  if (at == 0 || what == nullptr || number < at) {
    return Fate::kHappens;
  }
  if (std::strcmp(what, "kill") == 0) {
    ::raise(SIGKILL);
  }
  if (std::strcmp(what, "tear") == 0) {
    return Fate::kTears;
  }
  errno = std::atoi(what);
  return Fate::kFails;
}

/// Calls `happen` unless the operation fails, and ends the program after it if it tears.
template <typename Happen>
auto meet_fate(const char* operation, const char* path, const Happen& happen)
    -> decltype(happen()) {
  const Fate fate = fate_of(operation, path);
  if (fate == Fate::kFails) {
    return -1;
  }
  const auto result = happen();
  if (fate == Fate::kTears) {
    ::raise(SIGKILL);
  }
  return result;
}

ssize_t meet_fate_of_write(const char* operation, std::size_t size, auto happen) {
  const Fate fate = fate_of(operation, "");
  if (fate == Fate::kHappens) {
    return happen(size);
  }
  const int error = errno;
  const bool is_full = fate == Fate::kFails && error == ENOSPC && size > 1;
  if (fate == Fate::kTears || is_full) {
    const ssize_t part = happen(size / 2);  // as a disk that fills up on the way
    if (fate == Fate::kTears) {
      ::raise(SIGKILL);
    }
    return part;
  }
  errno = error;
  return -1;
}

int open_tracked(const char* path, int flags, mode_t mode) {
  static auto* const original = next<int(const char*, int, ...)>("open");
  if (!is_inside(path)) {
    return original(path, flags, mode);
  }
  const bool modifies = (flags & (O_CREAT | O_TRUNC)) != 0;
  const auto happen = [&] { return original(path, flags, mode); };
  const int file = modifies ? meet_fate("open", path, happen) : happen();
  if (file >= 0 && file < kMostFiles) {
    tracked[static_cast<std::size_t>(file)] = true;
  }
  return file;
}

mode_t mode_of(int flags, va_list list) {
  return (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_tracked(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_tracked(path, flags, mode);
}

int close(int file) {
  static auto* const original = next<int(int)>("close");
  if (is_tracked(file)) {
    tracked[static_cast<std::size_t>(file)] = false;
  }
  return original(file);
}

ssize_t write(int file, const void* bytes, std::size_t size) {
  static auto* const original = next<ssize_t(int, const void*, std::size_t)>("write");
  if (!is_tracked(file)) {
    return original(file, bytes, size);
  }
  return meet_fate_of_write("write", size,
                            [&](std::size_t part) { return original(file, bytes, part); });
}

ssize_t pwrite(int file, const void* bytes, std::size_t size, off_t offset) {
  static auto* const original = next<ssize_t(int, const void*, std::size_t, off_t)>("pwrite");
  if (!is_tracked(file)) {
    return original(file, bytes, size, offset);
  }
  return meet_fate_of_write("pwrite", size,
                            [&](std::size_t part) { return original(file, bytes, part, offset); });
}

int fsync(int file) {
  static auto* const original = next<int(int)>("fsync");
  const auto happen = [&] { return original(file); };
  return is_tracked(file) ? meet_fate("fsync", "", happen) : happen();
}

int fdatasync(int file) {
  static auto* const original = next<int(int)>("fdatasync");
  const auto happen = [&] { return original(file); };
  return is_tracked(file) ? meet_fate("fdatasync", "", happen) : happen();
}

int ftruncate(int file, off_t size) noexcept {
  static auto* const original = next<int(int, off_t)>("ftruncate");
  const auto happen = [&] { return original(file, size); };
  return is_tracked(file) ? meet_fate("ftruncate", "", happen) : happen();
}

int rename(const char* from, const char* to) noexcept {
  static auto* const original = next<int(const char*, const char*)>("rename");
  const auto happen = [&] { return original(from, to); };
  return is_inside(to) ? meet_fate("rename", to, happen) : happen();
}

int unlink(const char* path) noexcept {
  static auto* const original = next<int(const char*)>("unlink");
  const auto happen = [&] { return original(path); };
  return is_inside(path) ? meet_fate("unlink", path, happen) : happen();
}

int remove(const char* path) noexcept {
  static auto* const original = next<int(const char*)>("remove");
  const auto happen = [&] { return original(path); };
  return is_inside(path) ? meet_fate("remove", path, happen) : happen();
}

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const original = next<int(const char*, mode_t)>("mkdir");
  const auto happen = [&] { return original(path, mode); };
  return is_inside(path) ? meet_fate("mkdir", path, happen) : happen();
}

}  // extern "C"
