#pragma once

// Which operators a search space can produce: what measuring it whole would take, and which of them
// count.
//
//   if (const auto operators = enumerate_operators(space, 100'000)) measure(*operators);
//   for (const auto& [key, weight] : sampled_operators(space, 200, stream)) rank(key, weight);

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "arch/base/random.h"
#include "arch/search_space.h"
#include "latency_models/operators.h"

namespace patchnas {

/// Every operator that operator_uses() yields for any architecture of the space under any schedule
/// of patches (enumerate_schedules() with the space's grids and split points), sorted; nothing if
/// they are more than `most`; then it stops soon after the first too many.
std::optional<std::vector<OperatorKey>> enumerate_operators(const SearchSpace& space,
                                                            std::size_t most);

/// All patches, and as many and some more random chains of segments that cache rows, which are too
/// many to list.
std::vector<PatchSchedule> sampled_schedules(const Network& network, const ScheduleSpace& space,
                                             RandomStream& stream);

/// What the space's candidates spend their time with: for each operator its executions times
/// (macs() + bytes_moved()), in the mean over `samples` random architectures, each under its
/// sampled_schedules().
std::map<OperatorKey, double> sampled_operators(const SearchSpace& space, int samples,
                                                RandomStream& stream);

}  // namespace patchnas
