#pragma once

// What patch schedules trade: less SRAM for more multiply-accumulates.
//
//   const auto front = pareto_front(chooser.all(network));
//   std::cout << tradeoff_table(network, front, target);

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "search/engine/schedule_chooser.h"

namespace patchnas {

/// The schedules that no other beats in both SRAM and MACs, by descending SRAM; of equal ones the
/// first.
std::vector<ScheduleChoice> pareto_front(std::vector<ScheduleChoice> choices);

/// A line each: SRAM, MACs, flash, with a latency model latency, whether it fits, the schedule.
std::string tradeoff_table(const Network& network, const std::vector<ScheduleChoice>& choices);
/// A list of what docs/reports.md says of `pareto` and `schedules`.
nlohmann::ordered_json tradeoff_json(const std::vector<ScheduleChoice>& choices);

}  // namespace patchnas
