#pragma once

// The files that a finished stage leaves for later ones and for the user, with checksums.
//
//   const ProductChecksums sums = product_checksums(run, StageId::kSearch);
//   const std::string damage = damaged_product(run, sums);      // some time later

#include <filesystem>
#include <map>
#include <string>

#include "search/run/stage_id.h"

namespace patchnas {

/// By path relative to the run directory, 32 hexadecimal digits. The checkpoints of training have
/// checksums of their own and are not among them.
using ProductChecksums = std::map<std::string, std::string>;

/// @throws InputError if a file cannot be read.
ProductChecksums product_checksums(const std::filesystem::path& run, StageId stage);

/// The first of these files that is missing or changed; "" if none is.
std::string damaged_product(const std::filesystem::path& run, const ProductChecksums& checksums);

/// Tells two files of different content apart. @throws InputError if it cannot be read.
std::string file_checksum(const std::filesystem::path& file);

}  // namespace patchnas
