#pragma once

// One fault, or one run with several faults of a kind, that must end like an undisturbed run or be
// refused with one clear line.

#include <functional>
#include <string>
#include <vector>

#include "arch/base/random.h"
#include "tests/torture/tally.h"
#include "tests/torture/workbench.h"

namespace patchnas {

struct Trial {
  const Workbench& bench;
  Tally& tally;
  std::string kind;
  RandomStream stream;
  std::string repeat;          ///< how to run this trial again, for a message
  std::string name = "trial";  ///< of its run

  void survived(const std::string& moment) const { tally.add(kind, moment, Outcome::kSurvived); }
  void refused(const std::string& moment) const { tally.add(kind, moment, Outcome::kRefused); }
  /// Counts it and says why.
  void failed(const std::string& moment, const std::string& why) const;
  /// Continues the run with nothing in its way. @return what is wrong with its end; "" if nothing
  [[nodiscard]] std::string finish(const Launch& launch) const;
  [[nodiscard]] std::string finish() const { return finish(bench.resume(name)); }
  [[nodiscard]] std::filesystem::path run() const { return bench.run_folder(name); }
};

/// What is wrong with a refusal: it is exit code 2 and one line of the program that names the file
/// or folder, and nothing else.
std::string wrong_refusal(const Ending& ending, const std::string& named);

/// A kind of fault.
struct Fault {
  std::string kind;
  int trials = 1;  ///< of the quick test
  std::function<void(Trial&, int index)> run;
  std::string unavailable;  ///< why this machine cannot inject it; "" if it can
};

std::vector<Fault> interruptions();
std::vector<Fault> damages(const Workbench& bench, std::uint64_t seed);
std::vector<Fault> places();

}  // namespace patchnas
