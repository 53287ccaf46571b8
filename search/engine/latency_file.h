#pragma once

// Latency tables as files, and latencies as people read them.
//
//   const std::unique_ptr<LatencyModel> model = latency_model_for(config.target);

#include <memory>
#include <string>
#include <string_view>

#include "latency_models/latency_models.h"
#include "search/engine/target.h"

namespace patchnas {

/// What tables are measured with: the version of runtime/ and the flags it is compiled with.
std::string kernels_version();

/// The model of the table that the target names; null if it names none.
/// @throws InputError if there is no such table, it is damaged, of another core or of other
/// kernels.
std::unique_ptr<LatencyModel> latency_model_for(const Target& target);

/// Milliseconds of a cost in this unit; 0 where the target's clock is not known.
double milliseconds(double cost, std::string_view unit, const Target& target);
/// "24,100,000 instructions (47.7 ms at 480 MHz and 1.05 instructions a cycle)"
std::string latency_text(double cost, std::string_view unit, const Target& target);
}  // namespace patchnas
