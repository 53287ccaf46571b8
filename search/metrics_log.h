#pragma once

// metrics.jsonl: numbers over time, one record a line, each with its stage and step.
//
//   metrics.rewind("train_supernet", 1200);     // resuming: forget what came after the restored
//   step metrics.write("train_supernet", 1201, {{"loss", 1.2}});

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "search/files.h"

namespace patchnas {

class MetricsLog {
 public:
  /// Keeps nothing: of a rank that writes no files.
  MetricsLog() = default;
  /// @throws InputError if the file cannot be opened.
  explicit MetricsLog(std::filesystem::path path);

  /// Drops the stage's records after `step`, and lines that are not whole, so that the file of a
  /// resumed run reads as that of an undisturbed one. Stages run one after the other: other stages'
  /// records stay.
  void rewind(std::string_view stage, std::int64_t step);

  using Values = std::vector<std::pair<std::string_view, double>>;
  void write(std::string_view stage, std::int64_t step, const Values& values);

 private:
  std::filesystem::path path_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace patchnas
