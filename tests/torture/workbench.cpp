#include "tests/torture/workbench.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "search/base/files.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr int kSide = 12;
constexpr int kClasses = 4;
constexpr int kTries = 50;
constexpr std::int64_t kTryStep = 3;  // file operations

void append_big_endian(std::string& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(value >> shift & 0xFFU));
  }
}

/// Stripes whose direction and width tell the class, under noise.
void write_images(const fs::path& folder, const std::string& part, int count) {
  RandomStream stream(1, part);
  std::string images;
  std::string labels;
  for (const std::uint32_t value : {0x803, count, kSide, kSide}) {
    append_big_endian(images, value);
  }
  append_big_endian(labels, 0x801);
  append_big_endian(labels, static_cast<std::uint32_t>(count));
  for (int i = 0; i < count; ++i) {
    const int label = i % kClasses;
    labels.push_back(static_cast<char>(label));
    for (int pixel = 0; pixel < kSide * kSide; ++pixel) {
      const int along = label % 2 == 0 ? pixel % kSide : pixel / kSide;
      const int bright = along / (1 + label / 2) % 2 == 0 ? 150 : 30;
      images.push_back(static_cast<char>(bright + static_cast<int>(stream.below(100))));
    }
  }
  write_file(folder / (part + "-images-idx3-ubyte"), images);
  write_file(folder / (part + "-labels-idx1-ubyte"), labels);
}

void require_success(const Ending& ending, const std::string& what) {
  if (ending.exit_code != 0) {
    throw Error(what + ": " + ending.text());
  }
}

/// The status of each stage, in order; empty if there is none that can be read.
std::vector<std::pair<std::string, std::string>> statuses(const fs::path& run) {
  std::vector<std::pair<std::string, std::string>> result;
  std::ifstream file(run / "run.json");
  const auto json = nlohmann::ordered_json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("stages")) {
    for (const auto& [stage, status] : json["stages"].items()) {
      result.emplace_back(stage, status.get<std::string>());
    }
  }
  return result;
}

std::int64_t last_step(const fs::path& run, const std::string& stage) {
  std::int64_t step = 0;
  std::ifstream file(run / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (record.is_object() && record.value("stage", "") == stage) {
      step = record.value("step", std::int64_t{0});
    }
  }
  return step;
}

}  // namespace

bool is_before(const std::string& a, const std::string& b) {
  const auto index = [](const std::string& moment) {
    return std::find(kMoments.begin(), kMoments.end(), moment) - kMoments.begin();
  };
  return index(a) < index(b);
}

std::map<std::string, std::string> contents_of(const fs::path& path) {
  std::map<std::string, std::string> contents;
  if (fs::is_regular_file(path)) {
    contents[path.filename()] = read_file(path);
  } else if (fs::is_directory(path)) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) {
        contents[path.filename() / entry.path().lexically_relative(path)] = read_file(entry.path());
      }
    }
  }
  return contents;
}

Workbench::Workbench(WorkbenchFiles files) : files_(std::move(files)) {
  make_images();
  require_success(Program(start(kReference)).wait(), "an undisturbed run");
  Launch other = start(kOtherRun);
  other.arguments.insert(other.arguments.end(), {"--set", "seed=2"});
  require_success(Program(other).wait(), "a run of another seed");
  measure();
  make_snapshots();
}

void Workbench::make_images() const {
  for (const char* folder : {"images", "no_programs"}) {
    make_directory(root() / folder);
  }
  write_images(root() / "images", "train", 200);
  write_images(root() / "images", "t10k", 20);
}

Launch Workbench::resume(const std::string& name) const {
  make_directory(root() / name);
  return {.arguments = {files_.program, "--resume", run_folder(name)},
          .output = root() / name,
          .environment = {{"PATH", root() / "no_programs"}},  // no emulator: it takes seconds
          .file_size_limit = {}};
}

Launch Workbench::start(const std::string& name) const {
  Launch launch = resume(name);
  launch.arguments = {files_.program,
                      "--config",
                      files_.config,
                      "--set",
                      "data.path=" + (root() / "images").string(),
                      "--runs-dir",
                      root() / name};
  return launch;
}

Launch Workbench::with_file_faults(Launch launch, const std::string& name, std::int64_t at,
                                   const std::string& what) const {
  launch.environment["LD_PRELOAD"] = files_.faults_library;
  launch.environment["FILE_FAULTS_FOLDER"] = run_folder(name);
  launch.environment["FILE_FAULTS_AT"] = std::to_string(at);
  launch.environment["FILE_FAULTS_DO"] = what;
  return launch;
}

RunState Workbench::state(const std::string& name) const {
  RunState state{.moment = "start"};
  for (const auto& [stage, status] : statuses(run_folder(name))) {
    if (status == "running" || status == "done") {
      state.moment = stage;
    }
    if (status == "done" && stage == kMoments[kMoments.size() - 2]) {
      state.moment = "done";
    }
  }
  state.steps = last_step(run_folder(name), state.moment);
  return state;
}

std::string Workbench::difference(const std::string& name) const {
  for (const char* part : {"best", "export", "search", "metrics.jsonl"}) {
    const auto expected = contents_of(run_folder(kReference) / part);
    const auto actual = contents_of(run_folder(name) / part);
    for (const auto& [file, text] : expected) {
      const auto found = actual.find(file);
      if (found == actual.end()) {
        return file + " is missing";
      }
      if (found->second != text) {
        return file + " differs";
      }
    }
    for (const auto& [file, text] : actual) {
      if (!expected.contains(file)) {
        return file + " is too much";
      }
    }
  }
  return "";
}

void Workbench::copy(const std::string& from, const std::string& name) const {
  remove(name);
  make_directory(root() / name);
  fs::copy(run_folder(from), run_folder(name), fs::copy_options::recursive);
}

void Workbench::remove(const std::string& name) const { fs::remove_all(root() / name); }

// A second undisturbed run, whose log of file operations tells them by stage.
void Workbench::measure() {
  Launch launch = with_file_faults(start("counted"), "counted", 0, "kill");
  const fs::path log = root() / "operations";
  launch.environment["FILE_FAULTS_LOG"] = log;
  Program program(launch);
  std::map<std::string, std::chrono::steady_clock::time_point> begin;
  begin["start"] = std::chrono::steady_clock::now();
  while (program.is_running()) {
    begin.try_emplace(state("counted").moment, std::chrono::steady_clock::now());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  require_success(program.wait(), "an undisturbed run whose file operations are counted");
  begin["done"] = std::chrono::steady_clock::now();
  if (const std::string what = difference("counted"); !what.empty()) {
    throw Error("two undisturbed runs differ: " + what);
  }
  // run.json is renamed at the start, and when a stage begins and ends.
  std::istringstream lines(read_file(log));
  std::int64_t count = 0;
  std::int64_t renames = 0;
  std::size_t moment = 0;
  operations_["start"].first = 1;
  for (std::string line; std::getline(lines, line);) {
    ++count;
    if (line.starts_with("rename ") && line.ends_with("/run.json") && ++renames % 2 == 0) {
      operations_[kMoments[moment++]].second = count;
      operations_[kMoments[moment]].first = count;
    }
  }
  operations_[kMoments[moment]].second = count + 1;
  for (std::size_t i = 0; i + 1 < kMoments.size(); ++i) {
    if (!operations_.contains(kMoments[i]) || !begin.contains(kMoments[i])) {
      throw Error("an undisturbed run has no stage " + kMoments[i]);
    }
    std::size_t next = i + 1;
    while (!begin.contains(kMoments[next])) {
      ++next;
    }
    seconds_[kMoments[i]] =
        std::chrono::duration<double>(begin[kMoments[next]] - begin[kMoments[i]]).count();
  }
  seconds_["done"] = seconds_["start"];
}

double Workbench::seconds_per_step(const std::string& moment) const {
  return seconds(moment) / static_cast<double>(last_step(run_folder(kReference), moment));
}

std::int64_t Workbench::operations(const std::string& moment) const {
  const auto found = operations_.find(moment);
  return found == operations_.end() ? 1 : found->second.second - found->second.first;
}

std::int64_t Workbench::operation_in(const std::string& moment, RandomStream& stream) const {
  const auto count = static_cast<std::uint64_t>(operations(moment));
  return operations_.at(moment).first + static_cast<std::int64_t>(stream.below(count));
}

void Workbench::make_snapshots() {
  for (const std::string& moment : kMoments) {
    const std::string name = snapshot(moment);
    if (moment == "done") {
      copy(kReference, name);
      continue;
    }
    // How many checkpoints come before depends on the clock: some tries find the moment.
    std::int64_t at = operations_.at(moment).first + 4 * operations(moment) / 5;
    for (int tries = 0; state(name).moment != moment || tries == 0; ++tries) {
      if (tries == kTries) {
        throw Error("cannot kill a run in " + moment);
      }
      at += tries == 0 ? 0 : is_before(state(name).moment, moment) ? kTryStep : -kTryStep;
      remove(name);
      Program(with_file_faults(start(name), name, at, "kill")).wait();
    }
  }
}

}  // namespace patchnas
