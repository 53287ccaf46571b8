#include "search/engine/candidate_filter.h"

#include <algorithm>
#include <cmath>

#include "search/base/text.h"
#include "search/engine/latency_file.h"

namespace patchnas {
namespace {

double ratio(std::int64_t needed, std::int64_t allowed) {
  return static_cast<double>(needed) / static_cast<double>(allowed);
}

// "40,960 bytes of SRAM (8,192 over the limit of 32,768)"
std::string compare(const char* what, std::int64_t needed, std::int64_t allowed) {
  std::string text = with_separators(needed) + " " + what;
  if (allowed == kNoLimit) {
    return text;
  }
  text += needed > allowed ? " (" + with_separators(needed - allowed) + " over the limit of "
                           : " (within the limit of ";
  return text + with_separators(allowed) + ")";
}

}  // namespace

double overrun(const CandidateCosts& costs, const Target& target) {
  return std::max({ratio(costs.sram_bytes, target.sram_bytes),
                   ratio(costs.flash_bytes, target.flash_bytes), ratio(costs.macs, target.max_macs),
                   costs.latency.value_or(0.0) / target.latency});
}

std::string compare_with_limits(const CandidateCosts& costs, const Target& target,
                                std::string_view latency_unit) {
  std::string text = "needs " + compare("bytes of SRAM", costs.sram_bytes, target.sram_bytes) +
                     " and " + compare("bytes of flash", costs.flash_bytes, target.flash_bytes);
  if (target.max_macs < kNoLimit) {
    text += ", and " + compare("MACs", costs.macs, target.max_macs);
  }
  if (costs.latency) {
    text += ", and takes " + latency_text(*costs.latency, latency_unit, target);
    if (std::isfinite(target.latency)) {
      text += std::string(*costs.latency > target.latency ? ", over" : ", within") +
              " the limit of " + latency_text(target.latency, latency_unit, target);
    }
  }
  return text;
}

Judgement CandidateFilter::judge(const Architecture& architecture) {
  lower(space_, architecture, network_);
  ScheduleChoice choice = chooser_.choose(network_);
  return {.candidate = {architecture, std::move(choice.schedule), choice.costs, std::nullopt},
          .fits = choice.fits};
}

}  // namespace patchnas
