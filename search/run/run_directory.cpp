#include "search/run/run_directory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "patchnas_build_info.h"
#include "search/base/files.h"
#include "search/base/sealed_json.h"
#include "search/config/data_config.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 3;
constexpr std::array<std::string_view, 3> kStatusNames = {"pending", "running", "done"};

std::string revision() {
  return std::string(build_info::kVersion) + " " + std::string(build_info::git_revision());
}

/// A folder without a configuration may be filled only if nothing but a start that was killed left
/// traces in it.
void require_unused(const fs::path& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_config = name.starts_with("config.yaml") && name.ends_with(kTemporarySuffix);
    if (name != "lock" && !is_config &&
        !RunDirectory::exists(path)) {  // another process may be starting it
      throw InputError(
          path.string() +
          ": this folder has other content and is not a run directory; choose another name");
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw InputError(path.string() + ": cannot be used as a run directory: " + error.message());
  }
}

/// A run directory may come from a stranger: what is written through a link would land elsewhere.
void require_plain_files(const fs::path& path) {
  std::error_code error;
  fs::recursive_directory_iterator entry(path, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code vanished;  // another process may be at work here: the lock is not ours yet
    const fs::file_status status = entry->symlink_status(vanished);
    if (!fs::is_regular_file(status) && !fs::is_directory(status) && fs::exists(status)) {
      throw InputError(
          entry->path().string() +
          (fs::is_symlink(status) ? ": is a symbolic link" : ": is neither a file nor a folder") +
          "; a run directory holds only files and folders");
    }
  }
  if (error) {
    throw InputError(path.string() + ": cannot be read: " + error.message());
  }
}

/// The folder may have been moved: paths that were derived from where it was are derived again.
void relocate(Config& config, const fs::path& run) {
  const std::string output = fs::absolute(run).lexically_normal().parent_path().string();
  if (config.data.cache == default_cache(config.output)) {
    config.data.cache = default_cache(output);
  }
  config.output = output;
}

/// The folder of a run, however it is written ("runs/name/").
fs::path existing_run(const fs::path& folder) {
  const fs::path path = folder.has_filename() ? folder : folder.parent_path();
  if (!RunDirectory::exists(path)) {
    throw InputError(path.string() + ": not a run directory: it has no config.yaml");
  }
  return path;
}

/// "" if files can be made and changed in the folder.
std::string why_unwritable(const fs::path& folder) {
  const fs::path lock = folder / "lock";
  if (::access(folder.c_str(), W_OK) != 0 ||
      (::access(lock.c_str(), W_OK) != 0 && errno != ENOENT)) {
    return std::strerror(errno);
  }
  return "";
}

void remove_temporaries(const fs::path& path) {
  std::error_code error;
  fs::recursive_directory_iterator entry(path, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == kTemporarySuffix) {
      std::error_code ignored;  // it costs space, not correctness
      fs::remove(entry->path(), ignored);
    }
  }
}

}  // namespace

RunDirectory::RunDirectory(fs::path path) : path_(std::move(path)) {
  require_plain_files(path_);
  lock_ = std::make_unique<RunLock>(path_ / "lock");
}

bool RunDirectory::exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path / "config.yaml", error);
}

RunDirectory RunDirectory::start(const Config& config) {
  const fs::path path = config.run_directory();
  if (!exists(path)) {
    require_unused(path);
    make_directory(path);
  }
  RunDirectory run(path);
  if (!exists(path)) {
    write_file(path / "config.yaml", to_yaml(config));  // from here on it is a run
  } else {
    run.resumed_ = true;
  }
  run.load_config({"device=" + std::string(to_string(config.device)),
                   "threads=" + std::to_string(config.threads)});
  Config wanted = config;
  relocate(wanted, path);
  const std::string difference = first_difference(run.config_, wanted);
  if (!difference.empty()) {
    throw InputError(path.string() + ": holds a run of another configuration (" + difference +
                     "); continue it with --resume, or choose another name with --set name=NAME");
  }
  run.open();  // from here on it is written to
  return run;
}

RunDirectory RunDirectory::resume(const fs::path& folder, const std::vector<std::string>& machine) {
  RunDirectory run(existing_run(folder));
  run.resumed_ = true;
  run.load_config(machine);
  run.open();
  run.keep_cache_beside();
  return run;
}

RunDirectory RunDirectory::read(const fs::path& folder) {
  const fs::path path = existing_run(folder);
  const std::string why = why_unwritable(path);
  if (why.empty()) {
    return resume(path);
  }
  RunLock::require_free(path / "lock");
  return archive(path, why);
}

RunDirectory RunDirectory::look_at(const fs::path& folder) {
  const fs::path path = existing_run(folder);
  const std::optional<std::string> holder = RunLock::holder(path / "lock");
  return holder ? archive(path, "in use by " + *holder) : read(path);
}

RunDirectory RunDirectory::archive(const fs::path& path, const std::string& why) {
  require_plain_files(path);
  RunDirectory run;
  run.path_ = path;
  run.resumed_ = true;
  run.archived_ = true;
  run.load_config({});
  run.read_what_is_done();
  run.keep_cache_beside();
  run.config_.data.finished_caches.insert(run.config_.data.finished_caches.begin(),
                                          std::exchange(run.config_.data.cache, ""));
  run.metrics_ = std::make_unique<MetricsLog>();
  run.timing_ = std::make_unique<MetricsLog>();
  run.warnings_.push_back(
      fmt::format("{}: nothing can be written there ({}): its log.txt, run.json and "
                  "export/report.json stay as they are",
                  path.string(), why));
  return run;
}

// Here nobody but the run itself says where to write, and it may be a stranger's.
void RunDirectory::keep_cache_beside() {
  const std::string beside = default_cache(config_.output);
  if (config_.data.cache != beside) {
    config_.data.finished_caches = {std::exchange(config_.data.cache, beside)};
  }
}

void RunDirectory::load_config(const std::vector<std::string>& machine) {
  YamlReader reader = YamlReader::parse_file(path_ / "config.yaml");
  for (const std::string& assignment : machine) {
    reader.assign(assignment);
  }
  config_ = parse_config(std::move(reader), path_.filename().string());
  relocate(config_, path_);
  config_checksum_ = file_checksum(path_ / "config.yaml");
  identity_ = run_identity(config_);  // unless run.json knows it
}

void RunDirectory::read_what_is_done() {
  if (fs::exists(path_ / "run.json")) {
    read_status();
    redo_damaged_stages();
  }
}

void RunDirectory::open() {
  read_what_is_done();
  if (std::find(revisions_.begin(), revisions_.end(), revision()) == revisions_.end()) {
    revisions_.push_back(revision());
  }
  remove_temporaries(path_);
  for (const char* folder : {"supernet", "search", "best", "export"}) {
    make_directory(path_ / folder);
  }
  metrics_ = std::make_unique<MetricsLog>(path_ / "metrics.jsonl", identity_);
  timing_ = std::make_unique<MetricsLog>(path_ / "timing.jsonl", identity_);
  for (const MetricsLog* log : {metrics_.get(), timing_.get()}) {
    if (!log->warning().empty()) {
      warnings_.push_back(log->warning());
    }
  }
  write_status();
}

// Without it every stage would be gone through again from what it saved, and end the same: a
// damaged one is no reason to stop.
void RunDirectory::read_status() {
  const fs::path file = path_ / "run.json";
  std::string text = read_file(file);
  text.resize(text.size() - (text.ends_with('\n') ? 1 : 0));
  require_shallow_json(text, file.string());
  const auto unsealed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (unsealed.is_object() && unsealed.contains("format") && unsealed["format"] != kFormat) {
    throw InputError(fmt::format("{}: format {}; this program reads format {}", file.string(),
                                 unsealed["format"].dump(), kFormat));
  }
  try {
    unseal_json(text, file.string());
  } catch (const InputError& error) {
    warnings_.emplace_back(error.what());
    warnings_.back() += "; every stage is gone through again, from what it saved";
    return;
  }
  try {
    apply_status(unsealed);
  } catch (const nlohmann::json::exception& error) {
    throw InputError(file.string() + ": " + error.what());
  }
}

void RunDirectory::apply_status(const nlohmann::json& json) {
  const fs::path file = path_ / "run.json";
  if (json.at("config") != config_checksum_) {
    throw InputError(
        fmt::format("{}: is not of the {} beside it: one of them is damaged or was "
                    "changed since the run began; bring it back",
                    file.string(), (path_ / "config.yaml").string()));
  }
  for (const StageId stage : stages_of(config_.training)) {
    const std::string name(to_string(stage));
    const auto word = json.at("stages").at(name).get<std::string>();
    const auto status = std::find(kStatusNames.begin(), kStatusNames.end(), word);
    if (status == kStatusNames.end()) {
      throw InputError(
          fmt::format("{}: stage {} has the unknown status '{}'", file.string(), name, word));
    }
    statuses_[static_cast<std::size_t>(stage)] =
        static_cast<StageStatus>(status - kStatusNames.begin());
    if (json.at("files").contains(name)) {
      json.at("files").at(name).get_to(products_[stage]);
    }
  }
  json.at("built_from").get_to(revisions_);
  json.at("identity").get_to(identity_);
}

void RunDirectory::redo_damaged_stages() {
  std::string damaged;
  for (const StageId stage : stages_of(config_.training)) {
    if (damaged.empty() && status(stage) == StageStatus::kDone) {
      damaged = damaged_product(path_, products_[stage]);
      if (!damaged.empty()) {
        warnings_.push_back(
            fmt::format("{}: missing or changed since stage {} was done; it and the "
                        "stages after it are run again",
                        (path_ / damaged).string(), to_string(stage)));
      }
    }
    if (!damaged.empty()) {
      statuses_[static_cast<std::size_t>(stage)] = StageStatus::kPending;
      products_.erase(stage);
    }
  }
}

fs::path RunDirectory::generation_file(int generation) const {
  return path_ / "search" / fmt::format("generation_{:03}.json", generation);
}

void RunDirectory::set_status(StageId stage, StageStatus status) {
  statuses_[static_cast<std::size_t>(stage)] = status;
  products_.erase(stage);
  if (!writes()) {
    return;
  }
  if (status == StageStatus::kDone) {
    const std::vector<StageId> stages = stages_of(config_.training);
    metrics_->arrange(stages);
    timing_->arrange(stages);
    products_[stage] = product_checksums(path_, stage);
  }
  write_status();
}

void RunDirectory::write_status() const {
  nlohmann::ordered_json json{
      {"format", kFormat},        {"name", config_.name},
      {"seed", config_.seed},     {"libtorch", build_info::kLibTorchVersion},
      {"built_from", revisions_}, {"config", config_checksum_},
      {"identity", identity_},    {"files", nlohmann::json::object()}};
  for (const StageId stage : stages_of(config_.training)) {
    json["stages"][std::string(to_string(stage))] =
        kStatusNames[static_cast<std::size_t>(status(stage))];
  }
  for (const auto& [stage, checksums] : products_) {
    json["files"][std::string(to_string(stage))] = checksums;
  }
  write_file(path_ / "run.json", seal_json(json.dump(2)) + "\n");
}

std::string RunDirectory::description() const {
  nlohmann::json json{{"path", path_.string()},
                      {"config", to_yaml(config_)},
                      {"finished_caches", config_.data.finished_caches}};
  for (const StageId stage : stages_of(config_.training)) {
    if (status(stage) == StageStatus::kDone) {
      json["done"].push_back(to_string(stage));
    }
  }
  return json.dump();
}

RunDirectory RunDirectory::follow(std::string_view description) {
  const auto json = nlohmann::json::parse(description);
  RunDirectory run;
  run.path_ = json.at("path").get<std::string>();
  run.config_ = parse_config(
      YamlReader::parse_text(json.at("config").get<std::string>(), "the run of rank 0"), "");
  json.at("finished_caches").get_to(run.config_.data.finished_caches);
  const auto done = json.value("done", std::vector<std::string>());
  for (const StageId stage : stages_of(run.config_.training)) {
    if (std::find(done.begin(), done.end(), to_string(stage)) != done.end()) {
      run.statuses_[static_cast<std::size_t>(stage)] = StageStatus::kDone;
    }
  }
  run.metrics_ = std::make_unique<MetricsLog>();
  run.timing_ = std::make_unique<MetricsLog>();
  return run;
}

}  // namespace patchnas
