#include "arch/base/input_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

#include <poll.h>

#include "arch/base/error.h"
#include "arch/base/file_descriptor.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr int kPatienceMs = 100;
constexpr std::size_t kMostOfAPipe = std::size_t{1} << 30;

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw InputError(path.string() + ": " + what);
}

const char* name_of(mode_t mode) {
  return S_ISDIR(mode)    ? "a folder"
         : S_ISFIFO(mode) ? "a FIFO"
         : S_ISSOCK(mode) ? "a socket"
                          : "a device";
}

/// Until there is something to read, or the other end was closed.
void wait_for_pipe(int file, const std::function<void()>& while_waiting) {
  pollfd readable{file, POLLIN, 0};
  while (::poll(&readable, 1, kPatienceMs) <= 0) {
    if (while_waiting) {
      while_waiting();
    }
  }
}

}  // namespace

void require_file(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    fail(path, std::string("is ") + name_of(status.st_mode) + ", not a file");
  }
}

std::string read_input(const fs::path& path, const std::function<void()>& while_waiting) {
  // Without waiting for whoever writes to a FIFO.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    const int error = errno;
    require_file(path);  // a socket cannot be opened
    fail(path, std::string("cannot open: ") + std::strerror(error));
  }
  const bool is_pipe = S_ISFIFO(status.st_mode);
  if (!is_pipe && !S_ISREG(status.st_mode)) {
    fail(path, std::string("is ") + name_of(status.st_mode) + ", not a file");
  }
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(status.st_size));
  char buffer[1 << 16];
  while (true) {
    if (is_pipe) {
      wait_for_pipe(file.get(), while_waiting);
    }
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count == 0) {
      return bytes;
    }
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) {
        continue;
      }
      fail(path, std::string("cannot read: ") + std::strerror(errno));
    }
    bytes.append(buffer, static_cast<std::size_t>(count));
    if (is_pipe && bytes.size() > kMostOfAPipe) {
      fail(path, "is a pipe that gives more than 1 GiB");
    }
  }
}

}  // namespace patchnas
