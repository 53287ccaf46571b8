#include "search/run_directory.h"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/error.h"
#include "patchnas_build_info.h"
#include "search/files.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 2;
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
    if (name != "lock" && name != "config.yaml" + std::string(kTemporarySuffix)) {
      throw InputError(
          path.string() +
          ": this folder has other content and is not a run directory; choose another name");
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw InputError(path.string() + ": cannot be used as a run directory: " + error.message());
  }
}

void remove_temporaries(const fs::path& path) {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
    if (entry.path().extension() == kTemporarySuffix) {
      fs::remove(entry.path(), error);
    }
  }
}

}  // namespace

RunDirectory::RunDirectory(fs::path path, std::unique_ptr<RunLock> lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

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
  RunDirectory run(path, std::make_unique<RunLock>(path / "lock"));
  if (!exists(path)) {
    write_file(path / "config.yaml", to_yaml(config));  // from here on it is a run
  } else {
    run.resumed_ = true;
  }
  run.open({"device=" + std::string(to_string(config.device)),
            "threads=" + std::to_string(config.threads)});
  Config wanted = config;
  wanted.output = run.config_.output;  // the folder may have been moved
  const std::string difference = first_difference(run.config_, wanted);
  if (!difference.empty()) {
    throw InputError(path.string() + ": holds a run of another configuration (" + difference +
                     "); continue it with --resume, or choose another name with --set name=NAME");
  }
  return run;
}

RunDirectory RunDirectory::resume(const fs::path& path, const std::vector<std::string>& machine) {
  if (!exists(path)) {
    throw InputError(path.string() + ": not a run directory: it has no config.yaml");
  }
  RunDirectory run(path, std::make_unique<RunLock>(path / "lock"));
  run.resumed_ = true;
  run.open(machine);
  return run;
}

void RunDirectory::open(const std::vector<std::string>& machine) {
  YamlReader reader = YamlReader::parse_file(path_ / "config.yaml");
  for (const std::string& assignment : machine) {
    reader.assign(assignment);
  }
  config_ = parse_config(std::move(reader), path_.filename().string());
  if (fs::exists(path_ / "run.json")) {
    read_status();
  }
  if (std::find(revisions_.begin(), revisions_.end(), revision()) == revisions_.end()) {
    revisions_.push_back(revision());
  }
  remove_temporaries(path_);
  for (const char* folder : {"supernet", "search", "best", "export"}) {
    make_directory(path_ / folder);
  }
  metrics_ = std::make_unique<MetricsLog>(path_ / "metrics.jsonl");
  timing_ = std::make_unique<MetricsLog>(path_ / "timing.jsonl");
  write_status();
}

void RunDirectory::read_status() {
  const fs::path file = path_ / "run.json";
  parse_status(read_file(file), file.string());
}

void RunDirectory::parse_status(std::string_view text, const std::string& source) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (const int format = json.at("format").get<int>(); format != kFormat) {
      throw InputError(
          fmt::format("{}: format {}; this program reads format {}", source, format, kFormat));
    }
    for (const StageId stage : stages_of(config_.training)) {
      const auto name = json.at("stages").at(std::string(to_string(stage))).get<std::string>();
      const auto status = std::find(kStatusNames.begin(), kStatusNames.end(), name);
      if (status == kStatusNames.end()) {
        throw InputError(fmt::format("{}: stage {} has the unknown status '{}'", source,
                                     to_string(stage), name));
      }
      statuses_[static_cast<std::size_t>(stage)] =
          static_cast<StageStatus>(status - kStatusNames.begin());
    }
    json.at("built_from").get_to(revisions_);
  } catch (const nlohmann::json::exception& error) {
    throw InputError(source + ": damaged: " + error.what());
  }
}

fs::path RunDirectory::generation_file(int generation) const {
  return path_ / "search" / fmt::format("generation_{:03}.json", generation);
}

void RunDirectory::set_status(StageId stage, StageStatus status) {
  statuses_[static_cast<std::size_t>(stage)] = status;
  if (writes()) {
    write_status();
  }
}

void RunDirectory::write_status() const { write_file(path_ / "run.json", status_text()); }

std::string RunDirectory::status_text() const {
  nlohmann::ordered_json json{{"format", kFormat},
                              {"name", config_.name},
                              {"seed", config_.seed},
                              {"libtorch", build_info::kLibTorchVersion},
                              {"built_from", revisions_}};
  for (const StageId stage : stages_of(config_.training)) {
    json["stages"][std::string(to_string(stage))] =
        kStatusNames[static_cast<std::size_t>(status(stage))];
  }
  return json.dump(2) + "\n";
}

std::string RunDirectory::description() const {
  return nlohmann::json{
      {"path", path_.string()}, {"config", to_yaml(config_)}, {"status", status_text()}}
      .dump();
}

RunDirectory RunDirectory::follow(std::string_view description) {
  const auto json = nlohmann::json::parse(description);
  const std::string source = "the run of rank 0";
  RunDirectory run(json.at("path").get<std::string>(), nullptr);
  run.config_ =
      parse_config(YamlReader::parse_text(json.at("config").get<std::string>(), source), "");
  run.parse_status(json.at("status").get<std::string>(), source);
  run.metrics_ = std::make_unique<MetricsLog>();
  run.timing_ = std::make_unique<MetricsLog>();
  return run;
}

}  // namespace patchnas
