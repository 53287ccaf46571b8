#pragma once

// C packages, compiled by the host's C compiler and loaded into the test.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "arch/tile_geometry.h"
#include "deploy/package/c_package.h"
#include "deploy/reference/arena_executor.h"

namespace patchnas::testing {

/// A new folder, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void write_package(const CPackage& package, const std::filesystem::path& folder);

struct CommandResult {
  int status = 0;
  std::string output;  ///< standard output and error
};
CommandResult run_command(const std::string& command);

bool has_c_compiler();

/// The flags with which packages must compile without a warning.
inline constexpr const char* kPackageFlags =
    "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror";

/// Whether packages lie in one folder, with the kernels of the last one, or each in one of its own
/// with its own kernels.
enum class PackageFolders { kShared, kOwn };

/// Several packages with different names in one shared library.
class CompiledPackages {
 public:
  explicit CompiledPackages(const std::vector<CPackage>& packages, const std::string& flags = "",
                            PackageFolders folders = PackageFolders::kShared);
  CompiledPackages(const CompiledPackages&) = delete;
  CompiledPackages& operator=(const CompiledPackages&) = delete;
  ~CompiledPackages();

  /// Empty if the compiler accepted everything, else what it said.
  [[nodiscard]] const std::string& errors() const { return errors_; }

  /// Runs NAME_invoke on an image in its place in the arena, or delivered by callback; `memory`
  /// begins with the arena.
  std::vector<std::int8_t> run_resident(const std::string& name, std::span<const std::int8_t> image,
                                        std::span<std::int8_t> memory,
                                        std::int64_t output_bytes) const;
  std::vector<std::int8_t> run_streamed(const std::string& name, const ImageSource& image,
                                        int channels, std::span<std::int8_t> memory,
                                        std::int64_t output_bytes) const;

  template <typename Function>
  [[nodiscard]] Function* function(const std::string& name) const {
    return reinterpret_cast<Function*>(symbol(name));
  }

 private:
  [[nodiscard]] void* symbol(const std::string& name) const;

  TemporaryFolder folder_;
  std::string errors_;
  void* library_ = nullptr;
};

// The interfaces of packages, in C.
using ReadFunction = void(void*, std::int32_t, std::int32_t, std::int32_t, std::int32_t,
                          std::int8_t*);
using InvokeResident = int(std::int8_t*, const std::int8_t*, std::int8_t*);
using InvokeStreamed = int(std::int8_t*, ReadFunction*, void*, std::int8_t*);
using PlaceFunction = std::int8_t*(std::int8_t*);

}  // namespace patchnas::testing
