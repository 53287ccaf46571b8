#include "search/engine/latency_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "memory_models/code_size_table.h"
#include "search/base/files.h"
#include "search/base/shipped_files.h"
#include "search/base/text.h"

namespace patchnas {

std::string kernels_version() { return std::string(measured_code_sizes().sources()); }

std::unique_ptr<LatencyModel> latency_model_for(const Target& target) {
  if (target.latency_table.empty()) {
    return nullptr;
  }
  const std::filesystem::path file =
      find_shipped_file(target.latency_table, ShippedKind::kLatencyTable);
  LatencyTable table = LatencyTable::parse(read_file(file), file.string());
  const bool is_of_a_core = std::any_of(std::begin(kCores), std::end(kCores), [&](Core core) {
    return to_string(core) == table.origin.target;
  });
  require_origin(table, is_of_a_core ? to_string(target.core) : table.origin.target,
                 kernels_version(), file.string());
  return std::make_unique<LatencyModel>(std::move(table));
}

double milliseconds(double cost, std::string_view unit, const Target& target) {
  if (unit == "nanoseconds") {
    return cost / 1e6;
  }
  const double per_cycle = unit == "instructions" ? target.instructions_per_cycle : 1.0;
  return target.clock_mhz > 0.0 ? cost / (target.clock_mhz * 1e3 * per_cycle) : 0.0;
}

std::string latency_text(double cost, std::string_view unit, const Target& target) {
  std::string text = fmt::format("{} {}", with_separators(std::llround(cost)), unit);
  if (unit == "nanoseconds") {
    text += fmt::format(" ({:.3g} ms)", milliseconds(cost, unit, target));
  } else if (target.clock_mhz > 0.0) {
    text +=
        fmt::format(" ({:.4g} ms at {:g} MHz", milliseconds(cost, unit, target), target.clock_mhz);
    text += unit == "instructions"
                ? fmt::format(" and {:g} instructions a cycle)", target.instructions_per_cycle)
                : ")";
  }
  return text;
}

}  // namespace patchnas
