#pragma once

// Processes as the ranks of a job, each a fork of the test's own. A fork copies no threads:
// programs whose tests use this compute in ranks only, be it a single one.
//
//   const std::vector<End> ends = run_ranks(2, [](ProcessGroup& group) { return "done"; });
//   EXPECT_EQ(ends[1], (End{0, "done"}));

#include <chrono>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "supernet/ranks/process_group.h"

namespace patchnas::test {

/// How a process ended.
struct End {
  int exit_code = 0;   ///< -9: killed by SIGKILL
  std::string result;  ///< what its work returned, or what it threw said
  std::string error_output = {};
  bool operator==(const End&) const = default;
};
std::ostream& operator<<(std::ostream& out, const End& end);

/// A folder of its own for as long as this lives.
class RanksFolder {
 public:
  RanksFolder();
  RanksFolder(const RanksFolder&) = delete;
  RanksFolder& operator=(const RanksFolder&) = delete;
  ~RanksFolder();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] bool is_empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::filesystem::path path_;
};

/// Runs work(0) to work(count - 1) in a process each. Exceptions end them as they end programs.
/// Those that do not end within a minute are killed.
std::vector<End> run_processes(int count, const std::function<std::string(int)>& work);

/// The place of a rank in a job that ranks of this machine start.
RankPlace place_of(int rank, int count);

/// The same with a process group each.
std::vector<End> run_ranks(int count, const std::function<std::string(ProcessGroup&)>& work,
                           std::chrono::milliseconds timeout = std::chrono::seconds(20));

}  // namespace patchnas::test
