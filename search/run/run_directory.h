#pragma once

// Everything that one run wrote; enough to resume, export and report.
//
//   RunDirectory run = RunDirectory::start(config);        // new, or resumed if the config is
//   equal RunDirectory run = RunDirectory::resume("runs/vww");
//
//   config.yaml       the resolved configuration
//   run.json          stages, their status, versions, seed, revisions; checksums of the
//                     configuration and of what finished stages left
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
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "search/config/config.h"
#include "search/run/metrics_log.h"
#include "search/run/run_lock.h"
#include "search/run/stage_id.h"
#include "search/run/stage_products.h"

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
  /// Nothing is written outside of the folder, but for the cache of images beside it.
  /// @throws InputError also if there is no run.
  static RunDirectory resume(const std::filesystem::path& folder,
                             const std::vector<std::string>& machine = {});

  /// For commands that write elsewhere, as `export --out`: resume(), and where nothing can be
  /// written in the folder (a read-only medium, the run of another user) an archived run, which
  /// stays as it is. A line of warnings() says so.
  static RunDirectory read(const std::filesystem::path& folder);
  /// read(), and where another process works on the run it is an archived one as well.
  static RunDirectory look_at(const std::filesystem::path& folder);
  [[nodiscard]] bool archived() const { return archived_; }

  /// What the other ranks of a job need of the rank that opened the run: configuration and
  /// statuses.
  [[nodiscard]] std::string description() const;
  /// The same run on another rank: it touches no file.
  static RunDirectory follow(std::string_view description);
  /// One rank writes.
  [[nodiscard]] bool writes() const { return lock_ != nullptr; }

  [[nodiscard]] const Config& config() const { return config_; }
  /// run_identity() of the build that began the run.
  [[nodiscard]] const std::string& identity() const { return identity_; }
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
  /// A stage that is done has its files' checksums recorded: once they do not agree any more, a
  /// later process finds the stage and those after it pending again.
  void set_status(StageId stage, StageStatus status);
  [[nodiscard]] bool resumed() const { return resumed_; }
  /// Damage that was found when the run was opened, and what became of it.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  RunDirectory() = default;
  /// Takes the lock.
  explicit RunDirectory(std::filesystem::path path);
  static RunDirectory archive(const std::filesystem::path& path, const std::string& why);
  void keep_cache_beside();
  void read_what_is_done();
  void load_config(const std::vector<std::string>& machine);
  void open();
  void read_status();
  void apply_status(const nlohmann::json& json);
  void redo_damaged_stages();
  void write_status() const;

  std::filesystem::path path_;
  std::unique_ptr<RunLock> lock_;  // null: another rank holds it, and writes, or nobody can
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<MetricsLog> timing_;
  Config config_;
  std::array<StageStatus, kStageCount> statuses_{};
  std::map<StageId, ProductChecksums> products_;  ///< of the stages that are done
  std::string config_checksum_;
  std::string identity_;
  std::vector<std::string> revisions_;  ///< every build that worked on this run, in order
  std::vector<std::string> warnings_;
  bool resumed_ = false;
  bool archived_ = false;
};

}  // namespace patchnas
