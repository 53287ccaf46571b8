#pragma once

// Patch schedules in reports, for programs and for people.

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "arch/network.h"
#include "arch/patch_schedule.h"

namespace patchnas {

/// What to_json() of arch/patch_schedule.h writes.
nlohmann::ordered_json schedule_json(const PatchSchedule& schedule);

/// "3 x 3 patches over the stem and the first 2 blocks (7 of 20 layers)", "layer by layer"; a
/// segment that begins later as "2 x 1 tiles over layers 9 to 12", with layers counted from 0; one
/// that caches rows as "layers 0 to 5 by rows in 2 strips"; several joined by ", then ".
std::string describe(const Network& network, const PatchSchedule& schedule);

}  // namespace patchnas
