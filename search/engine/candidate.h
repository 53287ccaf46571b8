#pragma once

// A point of the search: what a network is and how it is executed, what that costs, how accurate it
// is.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "arch/architecture.h"
#include "arch/patch_schedule.h"

namespace patchnas {

/// What the limits are compared with.
struct CandidateCosts {
  std::int64_t macs = 0;          ///< of one inference under the schedule, halos included
  std::int64_t sram_bytes = 0;    ///< peak, by the memory model of the target
  std::int64_t flash_bytes = 0;   ///< constants, tables and the kernels' code
  std::optional<double> latency;  ///< where there is a latency table, in its unit
  auto operator<=>(const CandidateCosts&) const = default;
};

struct Candidate {
  Architecture architecture;
  PatchSchedule schedule;
  CandidateCosts costs;
  std::optional<double> accuracy;  ///< on the validation images, 0 to 1; empty until evaluated

  /// 16 hexadecimal digits that follow from architecture and schedule alone: the same in every run.
  [[nodiscard]] std::string id() const;
  bool operator==(const Candidate&) const = default;
};

/// One line: {"id":"...","architecture":{...},"schedule":{...},"costs":{...},"accuracy":0.91}.
std::string to_json(const Candidate& candidate);
/// Inverse of to_json.
/// @throws InputError with `source` if the text is not a candidate or its id is not that of its
/// content.
Candidate parse_candidate(std::string_view json, const std::string& source);

}  // namespace patchnas
