#pragma once

// What the tests of search/ share: a folder that goes away again, a small space, a small
// configuration.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include <sys/resource.h>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "search/config/config.h"

namespace patchnas {

class TestFolder {
 public:
  TestFolder() {
    // In memory where possible: the tests sync thousands of small files.
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    const std::filesystem::path parent =
        in_memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "patchnas_test_XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw std::runtime_error("cannot make a temporary folder");
    }
    path_ = pattern;
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Makes every file larger than `bytes` fail to grow, as a full disk would.
class FullDisk {
 public:
  explicit FullDisk(std::size_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void overwrite(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// The message of the error that `call` throws; "" if it throws none.
template <typename ErrorType = InputError>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "";
}

inline constexpr const char* kSmallConfig = R"(name: small
data: {kind: fashion_mnist}
space:
  input_channels: 1
  classes: 10
  resolution: [16, 20]
  stem: {width: 8, stride: 1}
  width_multiplier: [1.0]
  stages:
    - {stride: 1, depth: [1, 2], kernel_size: [3, 5], expand_ratio: [1, 2, 3], widths: [8, 12]}
    - {stride: 2, depth: [1, 2], kernel_size: [3, 5], expand_ratio: [1, 2, 3], widths: [16, 24]}
  patches: [1, 2, 3]
target: {sram_bytes: 16KiB, flash_bytes: 64KiB}
search: {population: 20, parents: 6, crossover: 10, mutation: 10, iterations: 5}
)";

inline Config small_config() {
  return parse_config(YamlReader::parse_text(kSmallConfig, "small.yaml"), "small");
}

}  // namespace patchnas
