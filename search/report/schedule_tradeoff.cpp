#include "search/report/schedule_tradeoff.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "search/base/text.h"
#include "search/report/schedule_text.h"

namespace patchnas {

std::vector<ScheduleChoice> pareto_front(std::vector<ScheduleChoice> choices) {
  std::stable_sort(choices.begin(), choices.end(), [](const auto& a, const auto& b) {
    return std::tie(a.costs.sram_bytes, a.costs.macs) < std::tie(b.costs.sram_bytes, b.costs.macs);
  });
  std::vector<ScheduleChoice> front;
  std::int64_t least_macs = std::numeric_limits<std::int64_t>::max();
  for (ScheduleChoice& choice : choices) {
    if (choice.costs.macs < least_macs) {
      least_macs = choice.costs.macs;
      front.push_back(std::move(choice));
    }
  }
  std::reverse(front.begin(), front.end());
  return front;
}

std::string tradeoff_table(const Network& network, const std::vector<ScheduleChoice>& choices) {
  const bool has_latency = !choices.empty() && choices.front().costs.latency;
  std::string text = fmt::format(
      "{:>13} {:>15} {:>9} {:>13} {}  {:<5} {}\n", "SRAM B", "MACs", "overhead", "flash B",
      has_latency ? fmt::format("{:>14}", "latency") : "", "fits", "schedule");
  const auto plain = static_cast<double>(network_macs(network));
  for (const ScheduleChoice& choice : choices) {
    text += fmt::format(
        "{:>13} {:>15} {:>+8.1f}% {:>13} {}  {:<5} {}\n", with_separators(choice.costs.sram_bytes),
        with_separators(choice.costs.macs),
        100.0 * (static_cast<double>(choice.costs.macs) / plain - 1.0),
        with_separators(choice.costs.flash_bytes),
        has_latency ? fmt::format("{:>14}", with_separators(std::llround(*choice.costs.latency)))
                    : "",
        choice.fits ? "yes" : "no", describe(network, choice.schedule));
  }
  return text;
}

nlohmann::ordered_json tradeoff_json(const std::vector<ScheduleChoice>& choices) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const ScheduleChoice& choice : choices) {
    json.push_back({{"schedule", schedule_json(choice.schedule)},
                    {"sram_bytes", choice.costs.sram_bytes},
                    {"macs", choice.costs.macs},
                    {"flash_bytes", choice.costs.flash_bytes},
                    {"fits", choice.fits}});
    if (choice.costs.latency) {
      json.back()["latency"] = {{"total", *choice.costs.latency}};
    }
  }
  return json;
}

}  // namespace patchnas
