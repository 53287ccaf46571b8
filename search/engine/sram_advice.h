#pragma once

// What else would lower the SRAM of a network that does not fit.
//
//   throw InfeasibleError("no schedule fits" +
//                         sram_advice(network, costs, target, schedules,
//                                     {.streamed = "--input streamed",
//                                      .more_patches = "--max-patches 8"}));

#include <string>
#include <vector>

#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "search/engine/candidate.h"
#include "search/engine/target.h"

namespace patchnas {

/// So many patches along each axis are tried for the advice, where fewer were allowed.
inline constexpr int kAdvisedPatches = 8;

/// What to say or to write for each way; "" where it is not open.
struct SramWays {
  std::string best_schedule{};  ///< where the schedule was given
  std::string streamed{};
  std::string more_patches{};  ///< up to kAdvisedPatches along each axis
};

/// The keys of a configuration.
inline const SramWays kConfigSramWays{.streamed = "target.input=streamed",
                                      .more_patches = "space.patches=[1, 2, 3, 4, 5, 6, 7, 8]"};

/// "; with --input streamed it would need 17,720 bytes of SRAM, which fits; with ..." for each way
/// that needs less than `costs`, and for all of them together; "" if SRAM is within its limit.
/// @param schedules that it may have
std::string sram_advice(const Network& network, const CandidateCosts& costs, const Target& target,
                        const ScheduleSpace& schedules, const SramWays& ways);

}  // namespace patchnas
