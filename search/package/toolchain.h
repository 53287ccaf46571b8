#pragma once

// Compilers and emulators: how C becomes a program for this machine or for an emulated Cortex-M,
// and how that is started.
//
//   require_tools(target);
//   const Toolchain tools(target);
//   write_board(folder);
//   tools.compile({"main.c", "-o", "main.o", "-c"}, folder, "the program");

#include <filesystem>
#include <string>
#include <vector>

#include "search/report/run_target.h"  // IWYU pragma: export

namespace patchnas {

/// @throws InputError naming the Debian package of what is missing to run on `target`.
void require_tools(RunTarget target);

class Toolchain {
 public:
  explicit Toolchain(RunTarget target);

  /// Runs the compiler with its flags (for a core those for which the flash of the kernels was
  /// measured) and these words, in `folder`.
  /// @throws InputError with the compiler's first complaint about `what`.
  void compile(const std::vector<std::string>& words, const std::filesystem::path& folder,
               const std::string& what) const;

  /// What linking a whole program needs besides: unused functions are left out. The folder has the
  /// files of runtime/boards/.
  [[nodiscard]] std::vector<std::string> link_options() const;

  /// Starts the program of that name in the working folder.
  /// @param serial QEMU's device for the board's first UART: "none", "stdio", "pty"
  [[nodiscard]] std::vector<std::string> start_command(const std::string& program,
                                                       const std::string& serial) const;

  /// "arm-none-eabi-gcc (…) 12.2.1 …": the first line of what it says of itself.
  [[nodiscard]] std::string compiler_version() const;
  [[nodiscard]] std::string flags() const;

 private:
  RunTarget target_;
  std::vector<std::string> command_;  // the compiler and its flags
};

/// Writes runtime/boards/: start-up code and linker scripts of the emulated boards.
/// @throws InputError with path and reason.
void write_board(const std::filesystem::path& folder);

/// "runtime/add.c" -> "runtime_add.o"
std::string object_name(std::string source);

}  // namespace patchnas
