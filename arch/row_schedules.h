#pragma once

// Where segments may begin and end, and schedules that cache rows at random, for those who sample
// what a space's candidates execute.

#include <vector>

#include "arch/base/random.h"
#include "arch/network.h"
#include "arch/patch_schedule.h"

namespace patchnas {

/// Layers before which only one tensor passes, the one of that number: nothing else that was
/// computed before is read later. The first is 0, the last the number of layers.
std::vector<int> segment_cuts(const Network& network);

/// Segments between some of the cuts, one to four rows a step, one strip or several.
PatchSchedule random_rows(const Network& network, int most_strips, RandomStream& stream);

}  // namespace patchnas
