#include "search/run/run_lock.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <sys/file.h>

#include "arch/base/error.h"
#include "search/base/files.h"

namespace patchnas {
namespace {

std::string this_process() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return "process " + std::to_string(::getpid()) + " on " + host;
}

std::string named_holder(const std::filesystem::path& path) {
  const std::string name = read_file(path);
  return name.empty() ? "another process" : name;
}

[[noreturn]] void fail_in_use(const std::filesystem::path& path, const std::string& holder) {
  throw InputError(path.parent_path().string() + ": this run directory is in use by " + holder);
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& path)
    : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (file_ < 0) {
    throw InputError(path.string() + ": cannot open: " + std::strerror(errno));
  }
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(file_);
    if (error != EWOULDBLOCK)
      throw InputError(path.string() + ": cannot lock: " + std::strerror(error));
    fail_in_use(path, named_holder(path));
  }
  const std::string self = this_process();
  // The name is for people; the lock holds without it, so a full disk is not an error here.
  [[maybe_unused]] const bool named =
      ::ftruncate(file_, 0) == 0 &&
      ::pwrite(file_, self.data(), self.size(), 0) == static_cast<ssize_t>(self.size());
}

RunLock::~RunLock() { ::close(file_); }

std::optional<std::string> RunLock::holder(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const bool in_use = file >= 0 && ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (file >= 0) {
    ::close(file);
  }
  return in_use ? std::optional(named_holder(path)) : std::nullopt;
}

void RunLock::require_free(const std::filesystem::path& path) {
  if (const std::optional<std::string> other = holder(path)) {
    fail_in_use(path, *other);
  }
}

}  // namespace patchnas
