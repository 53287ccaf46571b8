#include "search/engine/candidate.h"

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/base/checksum.h"
#include "arch/base/error.h"
#include "search/base/sealed_json.h"

namespace patchnas {

std::string Candidate::id() const {
  return to_hex(crc64(to_json(architecture) + to_json(schedule)));
}

std::string to_json(const Candidate& candidate) {
  nlohmann::ordered_json costs{{"macs", candidate.costs.macs},
                               {"sram_bytes", candidate.costs.sram_bytes},
                               {"flash_bytes", candidate.costs.flash_bytes}};
  if (candidate.costs.latency) {
    costs["latency"] = *candidate.costs.latency;
  }
  const std::string accuracy =
      candidate.accuracy ? ",\"accuracy\":" + nlohmann::json(*candidate.accuracy).dump() : "";
  return fmt::format(R"({{"id":"{}","architecture":{},"schedule":{},"costs":{}{}}})",
                     candidate.id(), to_json(candidate.architecture), to_json(candidate.schedule),
                     costs.dump(), accuracy);
}

Candidate parse_candidate(std::string_view json, const std::string& source) {
  require_shallow_json(json, source);
  Candidate candidate;
  std::string id;
  try {
    const auto fields = nlohmann::ordered_json::parse(json);
    candidate.architecture = parse_architecture(fields.at("architecture").dump(), source);
    candidate.schedule = parse_patch_schedule(fields.at("schedule").dump(), source);
    const auto& costs = fields.at("costs");
    costs.at("macs").get_to(candidate.costs.macs);
    costs.at("sram_bytes").get_to(candidate.costs.sram_bytes);
    costs.at("flash_bytes").get_to(candidate.costs.flash_bytes);
    if (costs.contains("latency")) {
      candidate.costs.latency = costs.at("latency").get<double>();
    }
    if (fields.contains("accuracy")) {
      candidate.accuracy = fields.at("accuracy").get<double>();
    }
    fields.at("id").get_to(id);
  } catch (const nlohmann::json::exception& error) {
    throw InputError(source + ": not a candidate: " + error.what());
  }
  const CandidateCosts& costs = candidate.costs;
  if (costs.macs < 0 || costs.sram_bytes < 0 || costs.flash_bytes < 0 ||
      costs.latency.value_or(0.0) < 0.0) {
    throw InputError(source + ": costs are negative");
  }
  if (const double accuracy = candidate.accuracy.value_or(0.0); accuracy < 0.0 || accuracy > 1.0) {
    throw InputError(fmt::format("{}: accuracy {}; allowed: 0 to 1", source, accuracy));
  }
  if (id != candidate.id()) {
    throw InputError(source + ": candidate " + id + " has the content of " + candidate.id());
  }
  return candidate;
}

}  // namespace patchnas
