// Damage to the files of a run directory, while no program runs: the run then ends like an
// undisturbed one, or is refused with one line that names the file, and ends so once the file is
// brought back.

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <sstream>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "tests/torture/trial.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeaderBytes = 32;  // of a checkpoint, see search/run/checkpoint.h

constexpr int kDamages = 5;  // of each kind

struct Damage {
  std::string kind;
  std::string moment;
  fs::path file;       ///< relative to the run directory
  std::size_t at = 0;  ///< byte
};

bool is_checkpoint(const fs::path& file) { return file.extension() == ".ckpt"; }

/// Where a file's parts begin: its header's fields, its name, what it holds, its checksum; and some
/// places that are nowhere in particular.
std::vector<std::size_t> interesting_places(const fs::path& file, const std::string& text,
                                            RandomStream& stream) {
  std::vector<std::size_t> places = {1, text.size() / 2, text.size() - 1};
  if (is_checkpoint(file)) {
    for (const std::size_t place :
         {std::size_t{7}, std::size_t{8}, std::size_t{12}, std::size_t{16}, std::size_t{24},
          std::size_t{31}, kHeaderBytes, kHeaderBytes + 12, kHeaderBytes + 40, text.size() - 16,
          text.size() - 8}) {
      places.push_back(place);
    }
  }
  if (const std::size_t line = text.find('\n', text.size() / 2); line != std::string::npos) {
    places.push_back(line + 1);
  }
  for (int i = 0; i < 3; ++i) {
    places.push_back(static_cast<std::size_t>(stream.below(text.size())));
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  places.erase(std::remove_if(places.begin(), places.end(),
                              [&](std::size_t place) { return place >= text.size(); }),
               places.end());
  return places;
}

std::optional<fs::path> same_file_of(const fs::path& other_run, const fs::path& file) {
  return fs::is_regular_file(other_run / file) ? std::optional(other_run / file) : std::nullopt;
}

/// A checkpoint of another stage, or the other file of the two kinds of weights.
std::optional<fs::path> file_of_another_stage(const fs::path& run, const fs::path& file) {
  const std::string prefix = file.filename().string().substr(0, 6);
  for (const auto& [name, text] : contents_of(run)) {
    const fs::path relative = fs::path(name).lexically_relative(run.filename());
    if (is_checkpoint(file) && is_checkpoint(relative) &&
        relative.filename().string().substr(0, 6) != prefix) {
      return run / relative;
    }
  }
  return std::nullopt;
}

std::vector<Damage> all_damages(const Workbench& bench, std::uint64_t seed) {
  RandomStream stream(seed, "damages");
  std::vector<Damage> damages;
  for (const std::string& moment : kMoments) {
    const fs::path run = bench.run_folder(bench.snapshot(moment));
    const fs::path other = bench.run_folder(kOtherRun);
    for (const auto& [name, text] : contents_of(run)) {
      const fs::path file = fs::path(name).lexically_relative(run.filename());
      if (file.parent_path() == "export/c/runtime" && file.filename() != "mve.h") {
        continue;  // dozens that are all alike
      }
      const auto add = [&](const std::string& kind, std::size_t at = 0) {
        damages.push_back({kind, moment, file, at});
      };
      add("deleted file");
      add("folder instead of file");
      if (text.empty()) {
        continue;
      }
      add("emptied file");
      add("zeroed file");
      add("garbage behind the file");
      for (const std::size_t place : interesting_places(file, text, stream)) {
        add("truncated file", place);
        add("flipped bit", place);
      }
      if (same_file_of(other, file)) {
        add("file of another run");
      }
      if (file_of_another_stage(run, file)) {
        add("file of another stage");
      }
    }
  }
  stream.shuffle(std::span(damages));
  return damages;
}

void inflict(const Damage& damage, const fs::path& run, const fs::path& other_run,
             RandomStream& stream) {
  const fs::path file = run / damage.file;
  std::string text = read_file(file);
  if (damage.kind == "truncated file") {
    text.resize(damage.at);
  } else if (damage.kind == "flipped bit") {
    text[damage.at] = static_cast<char>(text[damage.at] ^ (1 << stream.below(8)));
  } else if (damage.kind == "emptied file") {
    text.clear();
  } else if (damage.kind == "zeroed file") {
    std::fill(text.begin(), text.end(), '\0');
  } else if (damage.kind == "garbage behind the file") {
    for (int i = 0; i < 100; ++i) {
      text.push_back(static_cast<char>(stream.below(256)));
    }
  } else if (damage.kind == "file of another run") {
    text = read_file(*same_file_of(other_run, damage.file));
  } else if (damage.kind == "file of another stage") {
    text = read_file(*file_of_another_stage(run, damage.file));
  } else {
    fs::remove(file);
    if (damage.kind == "folder instead of file") {
      make_directory(file);
    }
    return;
  }
  write_file(file, text);
}

void bring_back(const fs::path& intact_run, const fs::path& run, const fs::path& file) {
  fs::remove_all(run / file);
  fs::copy_file(intact_run / file, run / file);
}

/// Records of the past cannot be made again: a run that lost some of them goes on without.
bool is_record(const fs::path& file) { return file == "metrics.jsonl"; }

bool is_subset_of_reference(const Trial& trial) {
  const auto lines_of = [](const fs::path& run) {
    std::istringstream file(read_file(run / "metrics.jsonl"));
    std::set<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      lines.insert(line);
    }
    return lines;
  };
  const std::set<std::string> expected = lines_of(trial.bench.run_folder(kReference));
  const std::set<std::string> actual = lines_of(trial.run());
  return std::includes(expected.begin(), expected.end(), actual.begin(), actual.end());
}

void damage_one(Trial& trial, const Damage& damage) {
  const Workbench& bench = trial.bench;
  const std::string where =
      damage.moment + ", " + damage.file.string() + " at byte " + std::to_string(damage.at) + ": ";
  const fs::path intact = bench.run_folder(bench.snapshot(damage.moment));
  bench.copy(bench.snapshot(damage.moment), trial.name);
  inflict(damage, trial.run(), bench.run_folder(kOtherRun), trial.stream);
  // What was begun only is begun again, and compared with what is wanted.
  const Launch launch =
      damage.moment == "start" ? bench.start(trial.name) : bench.resume(trial.name);
  const Ending ending = Program(launch).wait();
  if (ending.exit_code == 0) {
    std::string difference =
        ending.complaints.empty() ? bench.difference(trial.name) : ending.text();
    if (is_record(damage.file) && difference == "metrics.jsonl differs" &&
        is_subset_of_reference(trial)) {
      difference.clear();
    }
    if (difference.empty()) {
      trial.survived(damage.moment);
    } else {
      trial.failed(damage.moment, where + "to the end, but " + difference);
    }
    return;
  }
  // config.yaml is what makes a folder a run directory: without its own, the folder is named.
  const fs::path named = damage.file == "config.yaml" ? trial.run() : trial.run() / damage.file;
  if (const std::string what = wrong_refusal(ending, named); !what.empty()) {
    trial.failed(damage.moment, where + what);
    return;
  }
  bring_back(intact, trial.run(), damage.file);
  if (const std::string what = trial.finish(launch); !what.empty()) {
    trial.failed(damage.moment, where + "refused, and the file brought back: " + what);
    return;
  }
  trial.refused(damage.moment);
}

}  // namespace

std::vector<Fault> damages(const Workbench& bench, std::uint64_t seed) {
  std::map<std::string, std::vector<Damage>> by_kind;
  for (Damage& damage : all_damages(bench, seed)) {
    by_kind[damage.kind].push_back(std::move(damage));
  }
  std::vector<Fault> faults;
  for (const auto& [kind, damages] : by_kind) {
    faults.push_back({kind, kDamages,
                      [damages = damages](Trial& trial, int index) {
                        damage_one(trial,
                                   damages[static_cast<std::size_t>(index) % damages.size()]);
                      },
                      ""});
  }
  return faults;
}

}  // namespace patchnas
