#pragma once

// Where segments may begin and end, and schedules that cache rows at random, for those who sample
// what a space's candidates execute.

#include <vector>

#include "arch/base/random.h"
#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "arch/tile_geometry.h"

namespace patchnas {

/// Two cuts that are further apart have another before every layer between them.
inline constexpr int kFarCuts = 8;

/// Layers before which segments begin and end: those before which only one tensor passes, the one
/// of that number, so that nothing else that was computed before is read later; and, where these
/// lie far apart, as in networks whose outputs come from many places, every layer between. The
/// first is 0, the last the number of layers.
std::vector<int> segment_cuts(const Network& network);

/// Of every end after `first_layer`, whether rows may be cached from there to it: only layers that
/// may be computed a part at a time, what does not depend on the first of them is read by none
/// behind the end, and of layers that write channels of the same tensor all or none are there.
/// @return by end, from first_layer + 1 up to the last that is one
std::vector<char> segment_ends(const Network& network, const NetworkTaps& taps, int first_layer);

/// Segments between some of the cuts, one to four rows a step, one strip or several.
PatchSchedule random_rows(const Network& network, int most_strips, RandomStream& stream);

}  // namespace patchnas
