#include "tests/torture/trial.h"

#include <iostream>

#include "arch/base/error.h"

namespace patchnas {

void Trial::failed(const std::string& moment, const std::string& why) const {
  tally.add(kind, moment, Outcome::kFailed);
  std::cout << "FAILED: " << kind << " in " << moment << ": " << why << "\n    repeat: " << repeat
            << std::endl;
}

std::string Trial::finish(const Launch& launch) const {
  const Ending ending = Program(launch).wait();
  if (ending.exit_code != 0 || !ending.complaints.empty()) {
    return "continued: " + ending.text();
  }
  const std::string difference = bench.difference(name);
  return difference.empty() ? "" : "continued to the end, but " + difference;
}

std::string wrong_refusal(const Ending& ending, const std::string& named) {
  if (ending.hung || ending.exit_code != 2) {
    return ending.text();
  }
  if (ending.complaints.size() != 1 || !ending.complaints.front().starts_with("nas_search: ")) {
    return "not one line: " + ending.text();
  }
  if (ending.complaints.front().find(named) == std::string::npos) {
    return "does not name " + named + ": " + ending.text();
  }
  return "";
}

}  // namespace patchnas
