#include "search/schedule_chooser.h"

#include <tuple>

#include "arch/tile_geometry.h"
#include "memory_models/memory_models.h"

namespace patchnas {

CandidateCosts costs_of(const Network& network, const PatchSchedule& schedule,
                        const Target& target) {
  return {.macs = scheduled_macs(network, schedule),
          .sram_bytes =
              memory_report(network, schedule, target.memory_model, target.input).peak_sram_bytes,
          .flash_bytes = flash_report(network, schedule, target.core).total_bytes()};
}

std::vector<TileGrid> grids_up_to(int most) {
  std::vector<TileGrid> grids;
  for (int rows = 1; rows <= most; ++rows) {
    for (int cols = 1; cols <= most; ++cols) {
      grids.push_back({rows, cols});
    }
  }
  return grids;
}

bool ScheduleChooser::fits(const Entry& entry) const {
  return entry.sram_bytes <= target_.sram_bytes && entry.flash_bytes <= target_.flash_bytes;
}

ScheduleChoice ScheduleChooser::choice(const Entry& entry) const {
  return {.schedule = entry.costs->schedule(),
          .costs = {.macs = entry.costs->macs,
                    .sram_bytes = entry.sram_bytes,
                    .flash_bytes = entry.flash_bytes},
          .fits = fits(entry)};
}

void ScheduleChooser::plan(const Network& network, Entry& entry) const {
  if (!entry.is_planned) {
    entry.sram_bytes = plan_arena(network, entry.costs->schedule(), target_.input).arena_bytes;
    entry.is_planned = true;
  }
}

void ScheduleChooser::collect(const Network& network) {
  const std::int64_t constant_flash =
      flash_report(network, PatchSchedule::layer_by_layer(), target_.core).total_bytes();
  entries_.clear();
  for (const ScheduleCosts& costs : sweep_.run(network)) {
    const Segment patch_stage{.first_layer = 0, .end_layer = costs.split_layer, .grid = costs.grid};
    Entry entry{.costs = &costs,
                .flash_bytes = constant_flash + schedule_tables_bytes(patch_stage),
                .cost = static_cast<double>(costs.macs),
                .is_planned = target_.memory_model != MemoryModel::kDeployed};
    switch (target_.memory_model) {
      case MemoryModel::kDeployed:
        entry.sram_bytes = costs.deployed_bytes;
        break;
      case MemoryModel::kMcunetV2:
        entry.sram_bytes = costs.mcunetv2_bytes;
        break;
      case MemoryModel::kTflm:
        entry.sram_bytes =
            memory_report(network, costs.schedule(), MemoryModel::kTflm, target_.input)
                .peak_sram_bytes;
        break;
    }
    entries_.push_back(entry);
  }
}

template <typename Admits, typename Preference>
const ScheduleChooser::Entry* ScheduleChooser::first_planned(const Network& network,
                                                             const Admits& admits,
                                                             const Preference& preference) {
  for (;;) {
    Entry* first = nullptr;
    for (Entry& entry : entries_) {
      if (admits(entry) && (first == nullptr || preference(entry) < preference(*first))) {
        first = &entry;
      }
    }
    if (first == nullptr || first->is_planned) {
      return first;
    }
    plan(network, *first);
  }
}

ScheduleChoice ScheduleChooser::choose(const Network& network) {
  collect(network);
  if (!cost_.counts_macs()) {
    for (Entry& entry : entries_) {
      if (fits(entry)) {
        entry.cost = latency_report(network, entry.costs->schedule(), cost_).total;
      }
    }
  }
  const Entry* const cheapest = first_planned(
      network, [this](const Entry& entry) { return fits(entry); },
      [](const Entry& entry) {
        return std::tuple(entry.cost, entry.sram_bytes, entry.costs->grid,
                          entry.costs->split_layer);
      });
  if (cheapest != nullptr) {
    return choice(*cheapest);
  }
  return choice(*first_planned(
      network, [](const Entry&) { return true; },
      [](const Entry& entry) {
        return std::tuple(entry.sram_bytes, entry.costs->macs, entry.costs->grid,
                          entry.costs->split_layer);
      }));
}

std::vector<ScheduleChoice> ScheduleChooser::all(const Network& network) {
  collect(network);
  std::vector<ScheduleChoice> choices;
  for (Entry& entry : entries_) {
    plan(network, entry);
    choices.push_back(choice(entry));
  }
  return choices;
}

}  // namespace patchnas
