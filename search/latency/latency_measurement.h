#pragma once

// A latency table in the making: what was measured is on disk at once, and is not measured again.
//
//   LatencyMeasurement measurement("cortex-m4.txt", origin);
//   measurement.measure_overheads(line);
//   for (const OperatorKey& key : keys) measurement.measure(line, key);
//   measurement.save();

#include <filesystem>
#include <memory>

#include "latency_models/latency_table.h"
#include "latency_models/measuring_line.h"
#include "search/base/files.h"

namespace patchnas {

class LatencyMeasurement {
 public:
  /// Continues the table in `file`, and what an interrupted run left beside it in FILE.journal.
  /// @throws InputError if either is damaged, or from another target, compiler or version of the
  /// kernels.
  LatencyMeasurement(std::filesystem::path file, const LatencyOrigin& origin);

  [[nodiscard]] const LatencyTable& table() const { return table_; }
  [[nodiscard]] bool has(const OperatorKey& key) const { return table_.find(key) != nullptr; }

  /// Unless it has been.
  /// @return false if the operator does not fit the target's memory
  bool measure(MeasuringLine& line, const OperatorKey& key);

  /// Measures what programs execute beside their kernels.
  void measure_overheads(MeasuringLine& line);

  /// Writes the table, whole or not at all, and removes the journal.
  void save();

 private:
  [[nodiscard]] std::filesystem::path journal_file() const;
  void read_journal();

  std::filesystem::path file_;
  LatencyTable table_;
  std::unique_ptr<AppendFile> journal_;
};

}  // namespace patchnas
