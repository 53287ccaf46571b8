#include "search/engine/schedule_chooser.h"

#include <tuple>

#include "arch/tile_geometry.h"
#include "memory_models/memory_models.h"

namespace patchnas {
namespace {

// So many chains whose arenas do not fit as they are are looked at, where there is one that does
// with fewer rows a step.
constexpr int kMostMisses = 24;

}  // namespace

CandidateCosts costs_of(const Network& network, const PatchSchedule& schedule, const Target& target,
                        const LatencyModel* latency) {
  const ExecutionPlan plan(network, schedule, target.input);
  CandidateCosts costs{
      .macs = scheduled_macs(network, schedule),
      .sram_bytes =
          memory_report(network, schedule, target.memory_model, target.input).peak_sram_bytes,
      .flash_bytes = flash_report(network, plan, target.core).total_bytes(),
      .latency = {}};
  if (latency != nullptr) {
    costs.latency = latency_report(network, plan, *latency).total;
  }
  return costs;
}

bool meets_limits(const CandidateCosts& costs, const Target& target) {
  return costs.sram_bytes <= target.sram_bytes && costs.flash_bytes <= target.flash_bytes &&
         costs.macs <= target.max_macs && costs.latency.value_or(0.0) <= target.latency;
}

ScheduleChooser::ScheduleChooser(const ScheduleSpace& schedules, const Target& target,
                                 const LatencyModel* latency)
    : family_(schedules.family),
      target_(target),
      segment_latency_(latency != nullptr ? std::make_unique<SegmentLatency>(*latency) : nullptr),
      segments_({.most_strips = schedules.most_strips}, target.input, segment_latency_.get()),
      sweep_(schedules.family == ScheduleFamily::kRows ? std::vector<TileGrid>{}
                                                       : schedules.patch_grids,
             schedules.split_points, target.input),
      flash_(target.input, target.core) {
  if (latency != nullptr) {
    latency_.emplace(*latency);
  }
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

bool ScheduleChooser::fits_memory(const Entry& entry) const {
  return entry.sram_bytes <= target_.sram_bytes && entry.flash_bytes <= target_.flash_bytes;
}

ScheduleChoice ScheduleChooser::choice(Entry& entry) {
  add_latency(entry);
  const CandidateCosts costs{.macs = entry.costs->macs,
                             .sram_bytes = entry.sram_bytes,
                             .flash_bytes = entry.flash_bytes,
                             .latency = entry.latency};
  return {
      .schedule = entry.costs->schedule(), .costs = costs, .fits = meets_limits(costs, target_)};
}

void ScheduleChooser::add_latency(Entry& entry) {
  if (latency_ && !entry.latency) {
    entry.latency = latency_->total(entry.costs->grid, entry.costs->split_layer);
  }
}

void ScheduleChooser::plan(const Network& network, Entry& entry) const {
  if (!entry.is_planned) {
    entry.sram_bytes =
        plan_arena(ExecutionPlan(network, entry.costs->schedule(), target_.input)).arena_bytes;
    entry.is_planned = true;
  }
}

void ScheduleChooser::collect(const Network& network) {
  flash_.prepare(network);
  if (latency_) {
    latency_->assign(network);
  }
  entries_.clear();
  for (const ScheduleCosts& costs : sweep_.run(network)) {
    Entry entry{.costs = &costs,
                .flash_bytes = flash_.total_bytes(costs),
                .latency = {},
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
ScheduleChooser::Entry* ScheduleChooser::first_planned(const Network& network, const Admits& admits,
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

ScheduleChoice ScheduleChooser::choose_patches(const Network& network) {
  collect(network);
  const auto fits = [this](const Entry& entry) {
    return fits_memory(entry) && entry.costs->macs <= target_.max_macs;
  };
  for (Entry& entry : entries_) {
    if (fits(entry)) {
      add_latency(entry);
    }
  }
  Entry* const best = first_planned(network, fits, [](const Entry& entry) {
    const auto macs = static_cast<double>(entry.costs->macs);
    return std::tuple(entry.latency.value_or(macs), entry.sram_bytes, entry.costs->grid,
                      entry.costs->split_layer);
  });
  if (best != nullptr) {
    return choice(*best);  // if even this one is too slow, all are
  }
  Entry* const fewest_macs = first_planned(
      network, [this](const Entry& entry) { return fits_memory(entry); },
      [](const Entry& entry) {
        return std::tuple(entry.costs->macs, entry.sram_bytes, entry.costs->grid,
                          entry.costs->split_layer);
      });
  if (fewest_macs != nullptr) {
    return choice(*fewest_macs);
  }
  return choice(*first_planned(
      network, [](const Entry&) { return true; },
      [](const Entry& entry) {
        return std::tuple(entry.sram_bytes, entry.costs->macs, entry.costs->grid,
                          entry.costs->split_layer);
      }));
}

ScheduleChoice ScheduleChooser::priced(const Network& network, PatchSchedule schedule) const {
  const CandidateCosts costs =
      costs_of(network, schedule, target_, latency_ ? &latency_->model() : nullptr);
  return {.schedule = std::move(schedule), .costs = costs, .fits = meets_limits(costs, target_)};
}

// An arena may need more than its lower bound: seldom with fewer rows a step.
std::optional<ScheduleChoice> ScheduleChooser::with_longest_steps(const Network& network,
                                                                  PatchSchedule schedule,
                                                                  std::int64_t sram_bytes) const {
  for (bool is_shorter = true; is_shorter;) {
    ScheduleChoice choice = priced(network, schedule);
    if (choice.costs.sram_bytes <= sram_bytes) {
      return choice;
    }
    is_shorter = false;
    for (Segment& segment : schedule.segments) {
      is_shorter = is_shorter || segment.step_rows > 1;
      segment.step_rows = (segment.step_rows + 1) / 2;
    }
  }
  return std::nullopt;
}

ScheduleChoice ScheduleChooser::with_longest_steps(const Network& network,
                                                   const PatchSchedule& schedule) const {
  PatchSchedule shortest = schedule;
  for (Segment& segment : shortest.segments) {
    segment.step_rows = 1;
  }
  const ScheduleChoice choice = priced(network, std::move(shortest));
  return with_longest_steps(network, schedule, choice.costs.sram_bytes).value_or(choice);
}

std::optional<ScheduleChoice> ScheduleChooser::choose_rows(const Network& network,
                                                           std::int64_t sram_bytes) {
  const auto cost_of = [](const ScheduleChoice& choice) {
    return choice.costs.latency.value_or(static_cast<double>(choice.costs.macs));
  };
  std::optional<ScheduleChoice> best;  // so far
  std::int64_t bound = sram_bytes;
  // The next chain costs no less, but its arena may fit as it is.
  for (int misses = 0; misses < kMostMisses || !best; ++misses) {
    const std::optional<SegmentChain> chain = segments_.cheapest(bound);
    if (!chain || (best && chain->cost >= cost_of(*best))) {
      break;
    }
    std::optional<ScheduleChoice> choice = with_longest_steps(network, chain->schedule, sram_bytes);
    const bool fits_as_it_is = choice && choice->schedule == chain->schedule;
    if (choice && (!best || cost_of(*choice) < cost_of(*best))) {
      best = std::move(choice);
    }
    if (fits_as_it_is) {
      break;
    }
    bound = chain->deployed_bytes - 1;
  }
  return best;
}

ScheduleChoice ScheduleChooser::choose(const Network& network) {
  ScheduleChoice patches = choose_patches(network);  // or what beats it
  // Nothing is faster than layer by layer.
  if (!caches_rows() || (patches.fits && patches.schedule == PatchSchedule::layer_by_layer())) {
    return patches;
  }
  segments_.assign(network);
  std::optional<ScheduleChoice> rows = choose_rows(network, target_.sram_bytes);
  if (!rows && patches.costs.sram_bytes > target_.sram_bytes) {  // the closest miss
    ScheduleChoice least = with_longest_steps(network, segments_.least().schedule);
    return least.costs.sram_bytes < patches.costs.sram_bytes ? least : patches;
  }
  const auto preference = [this](const ScheduleChoice& choice) {
    const CandidateCosts& costs = choice.costs;
    const bool fits_memory =
        costs.sram_bytes <= target_.sram_bytes && costs.flash_bytes <= target_.flash_bytes;
    return std::tuple(!choice.fits, !fits_memory,
                      costs.latency.value_or(static_cast<double>(costs.macs)), costs.sram_bytes);
  };
  return rows && preference(*rows) < preference(patches) ? *rows : patches;
}

std::vector<ScheduleChoice> ScheduleChooser::all(const Network& network) {
  collect(network);
  std::vector<ScheduleChoice> choices;
  for (Entry& entry : entries_) {
    plan(network, entry);
    choices.push_back(choice(entry));
  }
  if (caches_rows()) {
    segments_.assign(network);
    for (const SegmentChain& chain : segments_.front()) {
      choices.push_back(with_longest_steps(network, chain.schedule));
    }
  }
  return choices;
}

}  // namespace patchnas
