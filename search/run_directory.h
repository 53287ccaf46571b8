#pragma once

// Everything that one run wrote; enough to resume, export and report.
//
//   RunDirectory run = RunDirectory::start(config);        // new, or resumed if the config is
//   equal RunDirectory run = RunDirectory::resume("runs/vww");
//
//   config.yaml       the resolved configuration
//   run.json          stages, their status, versions, seed, revisions
//   log.txt           what happened
//   metrics.jsonl     numbers of each stage over its steps
//   timing.jsonl      how fast they came
//   lock              one writer at a time
//   supernet/         checkpoints of the training stages, newest two of each
//   validation.txt    the images that decide the search
//   search/           candidates.jsonl, generation_NNN.json
//   best/             candidate.json, weights.ckpt, quantised.ckpt
//   export/           model.tflite, c/, report.json

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "search/config.h"
#include "search/metrics_log.h"
#include "search/run_lock.h"
#include "search/stage_id.h"

namespace patchnas {

enum class StageStatus { kPending, kRunning, kDone };

class RunDirectory {
 public:
  [[nodiscard]] static bool exists(const std::filesystem::path& path);
  /// Creates output/name, or opens it if the run there has an equal configuration. Device, threads
  /// and output folder belong to the machine and not to the run: they are those of `config`.
  /// @throws InputError if it is in use, not writable, not a run directory, or of another
  /// configuration, naming the first difference.
  static RunDirectory start(const Config& config);
  /// @param machine "device=cpu" or "threads=4" where the run goes on otherwise than it began
  /// @throws InputError also if there is no run.
  static RunDirectory resume(const std::filesystem::path& path,
                             const std::vector<std::string>& machine = {});

  /// What the other ranks of a job need of the rank that opened the run: configuration and
  /// statuses.
  [[nodiscard]] std::string description() const;
  /// The same run on another rank: it touches no file.
  static RunDirectory follow(std::string_view description);
  /// One rank writes.
  [[nodiscard]] bool writes() const { return lock_ != nullptr; }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path supernet() const { return path_ / "supernet"; }
  [[nodiscard]] std::filesystem::path candidates_file() const {
    return path_ / "search" / "candidates.jsonl";
  }
  [[nodiscard]] std::filesystem::path generation_file(int generation) const;
  [[nodiscard]] std::filesystem::path best_candidate_file() const {
    return path_ / "best" / "candidate.json";
  }
  [[nodiscard]] std::filesystem::path best_weights_file() const {
    return path_ / "best" / "weights.ckpt";
  }
  [[nodiscard]] std::filesystem::path quantised_weights_file() const {
    return path_ / "best" / "quantised.ckpt";
  }
  [[nodiscard]] std::filesystem::path export_folder() const { return path_ / "export"; }
  [[nodiscard]] std::filesystem::path validation_file() const { return path_ / "validation.txt"; }
  [[nodiscard]] std::filesystem::path log_file() const { return path_ / "log.txt"; }
  [[nodiscard]] MetricsLog& metrics() { return *metrics_; }
  /// Numbers that depend on the machine and the moment: the only file of results that does.
  [[nodiscard]] MetricsLog& timing() { return *timing_; }

  /// Pending for ever if the run has no such stage.
  [[nodiscard]] StageStatus status(StageId stage) const {
    return statuses_[static_cast<std::size_t>(stage)];
  }
  void set_status(StageId stage, StageStatus status);
  [[nodiscard]] bool resumed() const { return resumed_; }

 private:
  RunDirectory(std::filesystem::path path, std::unique_ptr<RunLock> lock);
  void open(const std::vector<std::string>& machine);
  void read_status();
  /// @throws nlohmann::json::exception, InputError with `source`
  void parse_status(std::string_view json, const std::string& source);
  [[nodiscard]] std::string status_text() const;
  void write_status() const;

  std::filesystem::path path_;
  std::unique_ptr<RunLock> lock_;  // null: another rank holds it, and writes
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<MetricsLog> timing_;
  Config config_;
  std::array<StageStatus, kStageCount> statuses_{};
  std::vector<std::string> revisions_;  ///< every build that worked on this run, in order
  bool resumed_ = false;
};

}  // namespace patchnas
