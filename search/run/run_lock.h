#pragma once

// One writer at a time in a run directory.

#include <filesystem>
#include <optional>
#include <string>

namespace patchnas {

/// Holds an advisory lock (flock) on a file for as long as it lives; a killed process leaves none
/// behind. The file names its holder.
class RunLock {
 public:
  /// @throws InputError naming the process that holds the lock, or the reason why there can be
  /// none.
  explicit RunLock(const std::filesystem::path& path);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

  /// "process 17 on host" if another one holds it. Takes no lock and changes nothing.
  static std::optional<std::string> holder(const std::filesystem::path& path);
  /// @throws InputError as the constructor if another process holds it.
  static void require_free(const std::filesystem::path& path);

 private:
  int file_;
};

}  // namespace patchnas
