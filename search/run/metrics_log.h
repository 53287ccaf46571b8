#pragma once

// metrics.jsonl: numbers over time, one record a line, each with its stage, step and checksum.
//
//   metrics.rewind("train_supernet", 1200);     // resuming: forget what came after that step
//   metrics.write("train_supernet", 1201, {{"loss", 1.2}});

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "search/base/files.h"
#include "search/run/stage_id.h"

namespace patchnas {

class MetricsLog {
 public:
  /// Keeps nothing: of a rank that writes no files.
  MetricsLog() = default;
  /// Drops lines that are damaged or come from another run; `warning()` says so.
  /// @param run run_identity() of the configuration
  /// @throws InputError if the file cannot be read or written.
  MetricsLog(std::filesystem::path path, std::string run);

  /// "" if all lines were intact, or only the last one was torn by a kill.
  [[nodiscard]] const std::string& warning() const { return warning_; }

  /// Drops the stage's records after `step`, so that the file of a resumed run reads as that of an
  /// undisturbed one. Other stages' records stay.
  void rewind(std::string_view stage, std::int64_t step);

  /// Brings the records into the order of the stages, where one was run again.
  void arrange(std::span<const StageId> stages);

  using Values = std::vector<std::pair<std::string_view, double>>;
  void write(std::string_view stage, std::int64_t step, const Values& values);

 private:
  void replace(const std::string& text);

  std::filesystem::path path_;
  std::string run_;
  std::string warning_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace patchnas
