#pragma once

// Other programs: compilers and emulators.
//
//   const ProcessResult result = run_process({"cc", "--version"}, "/tmp");

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace patchnas {

struct ProcessResult {
  int exit_code = 0;   ///< 128 + the signal's number if one ended it
  std::string output;  ///< standard output and error
};

/// Runs words[0], found through PATH, in `folder`, without a shell, and waits for it.
/// @param limit when it is killed if it has not ended
/// @throws Error if it cannot be started or does not end in time, InterruptedError if a stop is
/// requested (stop_signal.h), which ends it.
ProcessResult run_process(const std::vector<std::string>& words,
                          const std::filesystem::path& folder, std::chrono::seconds limit);

/// Another program that runs beside this one, with pipes to its standard input and output; killed
/// when this goes, or this process (by setpriv, of util-linux).
class ChildProcess {
 public:
  /// As run_process().
  ChildProcess(const std::vector<std::string>& words, const std::filesystem::path& folder);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  /// What the program writes, and reads.
  [[nodiscard]] int output() const { return output_; }
  [[nodiscard]] int input() const { return input_; }

 private:
  int process_ = 0;
  int output_ = -1;
  int input_ = -1;
};

/// Whether PATH has an executable file of this name.
bool has_program(const std::string& name);

/// A new folder, removed with everything in it when this goes.
class TemporaryFolder {
 public:
  /// @throws Error if there can be none.
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace patchnas
