#pragma once

// A latency table against whole programs.

#include <string>

#include "search/config/config.h"
#include "search/package/toolchain.h"

namespace patchnas {

/// Draws random architectures, each with a random schedule of the space, exports them with random
/// weights, and compares what the table says with what one inference takes on an emulated core.
/// @param table the latency table's file or shipped name
/// @return a table for people: every candidate, mean error, Kendall's tau
/// @throws InputError for the host, whose programs are not counted, and as latency_model_for().
std::string check_latency(const Config& config, RunTarget target, const std::string& table,
                          int candidates);

/// Kendall's tau-b of two rankings of the same things.
double kendall_tau(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace patchnas
