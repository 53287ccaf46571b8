#include "tests/torture/tally.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "tests/torture/workbench.h"

namespace patchnas {

Tally::Counts& Tally::Counts::operator+=(const Counts& other) {
  injected += other.injected;
  survived += other.survived;
  refused += other.refused;
  failed += other.failed;
  return *this;
}

void Tally::add(const std::string& kind, const std::string& moment, Outcome outcome) {
  if (!counts_.contains(kind)) {
    kinds_.push_back(kind);
  }
  Counts& counts = counts_[kind][moment];
  ++counts.injected;
  counts.survived += outcome == Outcome::kSurvived ? 1 : 0;
  counts.refused += outcome == Outcome::kRefused ? 1 : 0;
  counts.failed += outcome == Outcome::kFailed ? 1 : 0;
}

void Tally::add_lost(const std::string& moment, std::int64_t steps, double seconds) {
  Lost& lost = lost_[moment];
  ++lost.kills;
  lost.steps += steps;
  lost.most_steps = std::max(lost.most_steps, steps);
  lost.most_seconds = std::max(lost.most_seconds, seconds);
}

int Tally::failures() const {
  int failures = 0;
  for (const auto& [kind, by_moment] : counts_) {
    for (const auto& [moment, counts] : by_moment) {
      failures += counts.failed;
    }
  }
  return failures;
}

void Tally::print_row(std::ostream& out, const std::string& name,
                      const std::map<std::string, Counts>& by_moment) const {
  out << fmt::format("{:<26}", name);
  Counts total;
  for (const std::string& moment : kMoments) {
    const auto found = by_moment.find(moment);
    out << fmt::format(" {:>{}}",
                       found == by_moment.end() ? "-" : std::to_string(found->second.injected),
                       std::max<std::size_t>(6, moment.size()));
    if (found != by_moment.end()) {
      total += found->second;
    }
  }
  out << fmt::format(" | {:>8} {:>8} {:>8} {:>6}\n", total.injected, total.survived, total.refused,
                     total.failed);
}

void Tally::print(std::ostream& out) const {
  out << fmt::format("{:<26}", "fault");
  for (const std::string& moment : kMoments) {
    out << fmt::format(" {:>{}}", moment, std::max<std::size_t>(6, moment.size()));
  }
  out << fmt::format(" | {:>8} {:>8} {:>8} {:>6}\n", "injected", "survived", "refused", "failed");
  std::map<std::string, Counts> totals;
  for (const std::string& kind : kinds_) {
    print_row(out, kind, counts_.at(kind));
    for (const auto& [moment, counts] : counts_.at(kind)) {
      totals[moment] += counts;
    }
  }
  print_row(out, "all", totals);
  for (const auto& [kind, reason] : skipped_) {
    out << kind << ": skipped: " << reason << "\n";
  }
  if (!lost_.empty()) {
    out << fmt::format("\n{:<16} {:>6} {:>12} {:>12} {:>15}\n", "work done again", "kills",
                       "steps, mean", "steps, most", "seconds, most");
  }
  for (const auto& [moment, lost] : lost_) {
    out << fmt::format("{:<16} {:>6} {:>12.1f} {:>12} {:>15.3f}\n", moment, lost.kills,
                       static_cast<double>(lost.steps) / lost.kills, lost.most_steps,
                       lost.most_seconds);
  }
}

}  // namespace patchnas
