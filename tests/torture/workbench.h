#pragma once

// What every fault is tried on: a tiny run of nas_search, what an undisturbed one leaves, and when
// and with which file operations its stages come.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "arch/base/random.h"
#include "search/base/process.h"
#include "search/run/stage_id.h"
#include "tests/torture/program.h"

namespace patchnas {

struct WorkbenchFiles {
  std::filesystem::path program;         ///< nas_search
  std::filesystem::path config;          ///< tiny.yaml
  std::filesystem::path faults_library;  ///< file_faults.cpp
};

/// The stages in their order, with what is before the first and after the last.
inline const std::vector<std::string> kMoments = {
    "start", "train_largest", "train_supernet", "search", "finetune", "quantise", "export", "done"};

/// Of two of them.
bool is_before(const std::string& a, const std::string& b);

/// Where a run directory is within its work.
struct RunState {
  std::string moment;      ///< of kMoments
  std::int64_t steps = 0;  ///< of that stage, if it trains, by metrics.jsonl
};

class Workbench {
 public:
  explicit Workbench(WorkbenchFiles files);

  /// Extends a launch that begins the run in the folder NAME, or continues it.
  [[nodiscard]] Launch start(const std::string& name) const;
  [[nodiscard]] Launch resume(const std::string& name) const;
  [[nodiscard]] std::filesystem::path run_folder(const std::string& name) const {
    return root() / name / "tiny";
  }
  [[nodiscard]] RunState state(const std::string& name) const;
  /// What a run has that an undisturbed one has not, or the other way round; "" if they are equal
  /// in best/, export/, search/ and metrics.jsonl.
  [[nodiscard]] std::string difference(const std::string& name) const;

  /// With the library that counts file operations; `at` 0 only counts.
  [[nodiscard]] Launch with_file_faults(Launch launch, const std::string& name, std::int64_t at,
                                        const std::string& what) const;

  /// NAME becomes a copy of another run.
  void copy(const std::string& from, const std::string& name) const;
  void remove(const std::string& name) const;

  /// Seconds that a stage of an undisturbed run takes.
  [[nodiscard]] double seconds(const std::string& moment) const { return seconds_.at(moment); }
  /// Of a stage that trains.
  [[nodiscard]] double seconds_per_step(const std::string& moment) const;
  /// A run that was killed in the middle of that moment.
  [[nodiscard]] std::string snapshot(const std::string& moment) const { return "at_" + moment; }
  /// A file operation of an undisturbed run, somewhere in a moment.
  [[nodiscard]] std::int64_t operation_in(const std::string& moment, RandomStream& stream) const;
  [[nodiscard]] std::int64_t first_operation(const std::string& moment) const {
    return operations_.at(moment).first;
  }
  /// How many there are in a moment.
  [[nodiscard]] std::int64_t operations(const std::string& moment) const;

  [[nodiscard]] const std::filesystem::path& root() const { return folder_.path(); }

 private:
  void make_images() const;
  void measure();
  void make_snapshots();

  WorkbenchFiles files_;
  TemporaryFolder folder_;
  std::map<std::string, double> seconds_;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> operations_;  ///< first, behind last
};

/// The runs that a workbench makes first.
inline constexpr const char* kReference = "reference";
inline constexpr const char* kOtherRun = "other";  ///< of another seed

/// Path and text of each file below a folder, or of the file itself; empty if there is none.
std::map<std::string, std::string> contents_of(const std::filesystem::path& path);

}  // namespace patchnas
