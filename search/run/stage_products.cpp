#include "search/run/stage_products.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "arch/base/checksum.h"
#include "arch/base/error.h"
#include "search/base/files.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

/// Files and folders, relative to the run directory.
std::vector<fs::path> places_of(StageId stage) {
  switch (stage) {
    case StageId::kTrainLargest:
    case StageId::kTrainSupernet:
      return {};
    case StageId::kSearch:
      return {"search", "best/candidate.json"};
    case StageId::kFinetune:
      return {"best/weights.ckpt"};
    case StageId::kQuantise:
      return {"best/quantised.ckpt"};
    case StageId::kExport:
      return {"export"};
  }
  return {};
}

/// A stranger's run.json may name any file.
bool is_within(const fs::path& file) {
  return file.is_relative() && std::find(file.begin(), file.end(), "..") == file.end();
}

}  // namespace

// A CRC over a file that ends in its own CRC, as checkpoints do, is the same for all such files:
// the end has one of its own.
std::string file_checksum(const fs::path& file) {
  const std::string text = read_file(file);
  const std::string_view all = text;
  const std::size_t end = all.size() - std::min<std::size_t>(8, all.size());
  return to_hex(crc64(all.substr(0, end))) + to_hex(crc64(all.substr(end)));
}

ProductChecksums product_checksums(const fs::path& run, StageId stage) {
  ProductChecksums checksums;
  const auto add = [&](const fs::path& file) {
    checksums[file.lexically_relative(run).string()] = file_checksum(file);
  };
  for (const fs::path& place : places_of(stage)) {
    if (!fs::is_directory(run / place)) {
      add(run / place);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(run / place)) {
      if (entry.is_regular_file()) {
        add(entry.path());
      }
    }
  }
  return checksums;
}

std::string damaged_product(const fs::path& run, const ProductChecksums& checksums) {
  for (const auto& [file, checksum] : checksums) {
    try {
      if (is_within(file) && file_checksum(run / file) == checksum) {
        continue;
      }
    } catch (const InputError&) {
      // As good as missing.
    }
    return file;
  }
  return "";
}

}  // namespace patchnas
