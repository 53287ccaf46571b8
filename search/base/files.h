#pragma once

// Files that a kill or a full disk cannot leave half-written.
//
//   write_file(path, bytes);                     // the old content or the new one, never a mixture
//   AppendFile log(path);
//   log.append("a whole line\n");                // on disk when it returns

#include <filesystem>
#include <string>
#include <string_view>

namespace patchnas {

/// A file's, or a pipe's until its other end is closed: read_input().
/// @throws InputError with path and reason; InterruptedError if a stop is requested meanwhile.
std::string read_file(const std::filesystem::path& path);

/// Regular files and new ones: temporary name, write, sync, rename, sync of the folder; links are
/// followed, and the file keeps its permissions. If anything fails the temporary is removed and
/// the old file stays. Anything else (a device, a pipe, standard output by name) is written to.
/// @throws InputError with path and reason (unwritable folder, full disk).
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// @throws InputError with path and reason.
void make_directory(const std::filesystem::path& path);

/// Ending of temporary names; what a killed process left under it can be removed.
inline constexpr std::string_view kTemporarySuffix = ".tmp";

enum class Durability { kWritten, kSynced };

/// A file that only grows.
class AppendFile {
 public:
  /// Creates the file if it is absent. @throws InputError with path and reason.
  explicit AppendFile(std::filesystem::path path);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  /// kWritten survives a kill of this process, kSynced a power cut too. If the write fails, the
  /// part that was written is cut off again. @throws InputError with path and reason.
  void append(std::string_view bytes, Durability durability);

 private:
  std::filesystem::path path_;
  int file_;
};

}  // namespace patchnas
