#include "search/schedule_selector.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include "memory_models/memory_models.h"
#include "search/text.h"

namespace patchnas {
namespace {

struct CostedSchedule {
  PatchSchedule schedule;
  double cost = 0.0;

  [[nodiscard]] auto preference() const {
    return std::tuple(cost, schedule.leading_grid(), schedule.split_layer());
  }
};

/// Every schedule of the space, cheapest first.
std::vector<CostedSchedule> costed_schedules(const Network& network, const SearchSpace& space,
                                             const CostModel& model) {
  std::vector<CostedSchedule> schedules;
  for (PatchSchedule& schedule :
       enumerate_schedules(network, space.patch_grids, space.split_points)) {
    const double cost = latency_report(network, schedule, model).total;
    schedules.push_back({std::move(schedule), cost});
  }
  std::sort(schedules.begin(), schedules.end(),
            [](const CostedSchedule& a, const CostedSchedule& b) {
              return a.preference() < b.preference();
            });
  return schedules;
}

double ratio(std::int64_t needed, std::int64_t allowed) {
  return static_cast<double>(needed) / static_cast<double>(allowed);
}

std::string compare(const char* what, std::int64_t needed, std::int64_t allowed) {
  std::string text = with_separators(needed) + " bytes of " + what;
  text += needed > allowed ? " (" + with_separators(needed - allowed) + " over the limit of "
                           : " (within the limit of ";
  return text + with_separators(allowed) + ")";
}

}  // namespace

double Miss::overrun(const Target& target) const {
  return std::max(ratio(costs.sram_bytes, target.sram_bytes),
                  ratio(costs.flash_bytes, target.flash_bytes));
}

std::string Miss::describe(const Target& target) const {
  return "needs " + compare("SRAM", costs.sram_bytes, target.sram_bytes) + " and " +
         compare("flash", costs.flash_bytes, target.flash_bytes);
}

CandidateCosts ScheduleSelector::costs(const Network& network,
                                       const PatchSchedule& schedule) const {
  return {.macs = scheduled_macs(network, schedule),
          .sram_bytes =
              memory_report(network, schedule, target_.memory_model, target_.input).peak_sram_bytes,
          .flash_bytes = flash_report(network, schedule, target_.core).total_bytes()};
}

Selection ScheduleSelector::select(const Architecture& architecture) const {
  const Network network = lower(space_, architecture);
  Selection selection;
  double least_cost = std::numeric_limits<double>::infinity();
  for (const CostedSchedule& item : costed_schedules(network, space_, cost_)) {
    if (item.cost > least_cost) {
      break;
    }
    const CandidateCosts needed = costs(network, item.schedule);
    if (needed.sram_bytes <= target_.sram_bytes && needed.flash_bytes <= target_.flash_bytes) {
      if (!selection.candidate || needed.sram_bytes < selection.candidate->costs.sram_bytes) {
        selection.candidate = Candidate{architecture, item.schedule, needed, std::nullopt};
        least_cost = item.cost;
      }
    } else if (!selection.miss || needed.sram_bytes < selection.miss->costs.sram_bytes) {
      selection.miss = Miss{architecture, item.schedule, needed};
    }
  }
  if (selection.candidate) {
    selection.miss.reset();
  }
  return selection;
}

}  // namespace patchnas
