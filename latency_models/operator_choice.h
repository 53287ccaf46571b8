#pragma once

// Which operators to measure where not all can be.
//
//   const auto weights = sampled_operators(space, 200, stream);
//   for (const OperatorKey& key : choose_operators(weights, table.measurements, 200)) measure(key);

#include <cstddef>
#include <map>
#include <vector>

#include "latency_models/latency_table.h"

namespace patchnas {

/// `count` of the candidates that were not measured, or all if they are fewer, most useful first.
/// By turns the one of the largest weight, and the one whose cost predictions leave most open after
/// all before it: that of the largest leverage in the fit to the operators like it (D-optimal
/// design, Fedorov, 1972, chosen greedily).
std::vector<OperatorKey> choose_operators(const std::map<OperatorKey, double>& candidates,
                                          const std::map<OperatorKey, Measurement>& measured,
                                          std::size_t count);

}  // namespace patchnas
