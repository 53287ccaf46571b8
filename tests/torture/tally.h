#pragma once

// Counts of what was injected and how it ended, as a table of fault kinds and moments.

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace patchnas {

enum class Outcome { kSurvived, kRefused, kFailed };

class Tally {
 public:
  void add(const std::string& kind, const std::string& moment, Outcome outcome);
  /// A kind that this machine cannot inject.
  void skip(const std::string& kind, const std::string& reason) { skipped_[kind] = reason; }
  /// Steps that a resumed stage did again after a kill.
  void add_lost(const std::string& moment, std::int64_t steps, double seconds);

  [[nodiscard]] int failures() const;
  void print(std::ostream& out) const;

 private:
  struct Counts {
    int injected = 0;
    int survived = 0;
    int refused = 0;
    int failed = 0;
    Counts& operator+=(const Counts& other);
  };
  struct Lost {
    int kills = 0;
    std::int64_t steps = 0;
    std::int64_t most_steps = 0;
    double most_seconds = 0.0;
  };
  void print_row(std::ostream& out, const std::string& name,
                 const std::map<std::string, Counts>& by_moment) const;

  std::vector<std::string> kinds_;  ///< in the order in which they came
  std::map<std::string, std::map<std::string, Counts>> counts_;
  std::map<std::string, std::string> skipped_;
  std::map<std::string, Lost> lost_;
};

}  // namespace patchnas
