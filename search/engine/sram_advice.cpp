#include "search/engine/sram_advice.h"

#include <algorithm>
#include <cmath>

#include "search/base/text.h"
#include "search/engine/schedule_chooser.h"

namespace patchnas {
namespace {

/// One way or several at once.
struct Attempt {
  std::string words;
  InputMode input;
  bool with_more_patches = false;
};

std::vector<Attempt> attempts(const Target& target, bool may_have_more, const SramWays& ways) {
  std::vector<Attempt> result;
  const auto add = [&](const std::string& words, InputMode input, bool with_more) {
    if (!words.empty()) {
      result.push_back({words, input, with_more});
    }
  };
  const bool may_stream = !ways.streamed.empty() && target.input == InputMode::kResident &&
                          target.memory_model == MemoryModel::kDeployed;
  const std::string more = may_have_more ? ways.more_patches : "";
  add(ways.best_schedule, target.input, false);
  if (may_stream) {
    add(ways.streamed, InputMode::kStreamed, false);
  }
  add(more, target.input, true);
  if (may_stream && !more.empty()) {
    add(ways.streamed + " and " + more, InputMode::kStreamed, true);
  }
  return result;
}

CandidateCosts least_sram(const Network& network, Target target, const ScheduleSpace& schedules,
                          InputMode input) {
  target.sram_bytes = 0;  // where none fits, the one of least SRAM is chosen
  target.input = input;
  return ScheduleChooser(schedules, target, nullptr).choose(network).costs;
}

}  // namespace

std::string sram_advice(const Network& network, const CandidateCosts& costs, const Target& target,
                        const ScheduleSpace& schedules, const SramWays& ways) {
  if (costs.sram_bytes <= target.sram_bytes) {
    return "";
  }
  const auto all = [&](const auto& is_so) {
    return std::all_of(schedules.patch_grids.begin(), schedules.patch_grids.end(), is_so);
  };
  const bool may_have_more = all([](const TileGrid& grid) {
    return grid.rows < kAdvisedPatches && grid.cols < kAdvisedPatches;
  });
  const bool are_square = all([](const TileGrid& grid) { return grid.rows == grid.cols; });
  ScheduleSpace more = schedules;
  more.patch_grids = grids_up_to(kAdvisedPatches);
  std::erase_if(more.patch_grids,
                [&](const TileGrid& grid) { return are_square && grid.rows != grid.cols; });
  std::string text;
  for (const Attempt& attempt : attempts(target, may_have_more, ways)) {
    const CandidateCosts least =
        least_sram(network, target, attempt.with_more_patches ? more : schedules, attempt.input);
    if (least.sram_bytes < costs.sram_bytes) {
      text += "; with " + attempt.words + " it would need " + with_separators(least.sram_bytes) +
              " bytes of SRAM" +
              (meets_limits(least, target) && std::isinf(target.latency) ? ", which fits" : "");
    }
  }
  return text;
}

}  // namespace patchnas
