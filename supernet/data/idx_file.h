#pragma once

// IDX, the format of MNIST: big-endian header (magic number, one extent per dimension), then bytes.
// Plain or gzip.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace patchnas {

/// How many dimensions an IDX file of bytes has: labels 1, images 3.
enum class IdxContent { kLabels = 1, kImages = 3 };

struct IdxHeader {
  std::vector<int> extents;  ///< the first is the number of items
  [[nodiscard]] std::size_t bytes() const;
};

struct IdxFile {
  IdxHeader header;
  std::vector<std::uint8_t> bytes;
};

/// `folder`/`name` or, where that does not exist, `folder`/`name`.gz.
/// @throws InputError if neither exists.
std::filesystem::path find_idx_file(const std::filesystem::path& folder, const std::string& name);

/// @throws InputError: unreadable, wrong magic number, empty or implausible extents.
IdxHeader read_idx_header(const std::filesystem::path& path, IdxContent content);

/// @throws InputError, also where data are missing or left over.
IdxFile read_idx_file(const std::filesystem::path& path, IdxContent content);

}  // namespace patchnas
