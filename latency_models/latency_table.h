#pragma once

// What was measured on a target: one text file, a line an operator.
//
//   const LatencyTable table = LatencyTable::parse(text, "cortex-m4.txt", kernels_version);
//   if (const Measurement* m = table.find(key)) use(m->cost);
//
// Lines are sorted, so that tables can be compared, and merged by any tool that merges texts.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "latency_models/operators.h"

namespace patchnas {

struct Measurement {
  std::int64_t cost = 0;    ///< median of the repeats, in the table's unit; positive
  std::int64_t spread = 0;  ///< largest less smallest repeat
  bool operator==(const Measurement&) const = default;
};

/// Where and how a table was measured.
struct LatencyOrigin {
  std::string target;   ///< "cortex-m4", "host" or the name of a board
  std::string unit;     ///< "instructions", "cycles" or "nanoseconds"
  std::string kernels;  ///< the version of runtime/ (its hash and flags)
  std::string compiler;
  std::string flags;
  std::int64_t clock_hz = 0;  ///< 0 where time is not simulated
  int repeats = 1;            ///< of each operator
  std::string date;           ///< YYYY-MM-DD
  std::string command;        ///< that made the table
  bool operator==(const LatencyOrigin&) const = default;
};

/// What a program executes beside its kernels, in the table's unit.
struct LatencyOverheads {
  double per_layer = 0.0;        ///< of a layer that runs as a whole
  double per_patch = 0.0;        ///< of a patch
  double per_patch_layer = 0.0;  ///< of a layer in a patch
  bool operator==(const LatencyOverheads&) const = default;
};

/// A whole program against the operators that it executes.
struct OverheadSample {
  std::int64_t layers = 0;  ///< that ran as a whole
  std::int64_t patches = 0;
  std::int64_t patch_layers = 0;  ///< layers of patches, summed over all patches
  double rest = 0.0;              ///< what the program took less its operators
};
/// Least squares; what noise makes negative is 0.
LatencyOverheads fit_overheads(const std::vector<OverheadSample>& samples);

struct LatencyTable {
  LatencyOrigin origin;
  LatencyOverheads overheads;
  std::map<OperatorKey, Measurement> measurements;
  bool operator==(const LatencyTable&) const = default;

  /// @throws InputError with `source`, line and reason: another format, damaged, duplicate,
  /// impossible, negative or non-finite rows.
  static LatencyTable parse(std::string_view text, const std::string& source);
  [[nodiscard]] std::string text() const;

  /// Null if it was not measured.
  [[nodiscard]] const Measurement* find(const OperatorKey& key) const;
};

/// "convolve 3x3 … 123456 0": one row, as the file has it.
std::string to_string(const OperatorKey& key, const Measurement& measurement);
/// Inverse.
/// @throws InputError with `source`.
std::pair<OperatorKey, Measurement> parse_measurement(std::string_view row,
                                                      const std::string& source);

/// @throws InputError with `source` if the table is not of this target and these kernels.
void require_origin(const LatencyTable& table, std::string_view target, std::string_view kernels,
                    const std::string& source);

}  // namespace patchnas
