// torture --program nas_search --config tiny.yaml --faults-library libfile_faults.so [--times 20]
//   [--seed X] [--only KIND [--index I]]
//
// Injects faults into every stage of a tiny run of nas_search and continues it. After each the run
// must end in the bytes of an undisturbed one, or be refused with one clear line while its last
// good state is intact. Prints a table of what was injected and how it ended; exit code 1 if
// anything failed, and after SIGINT or SIGTERM the table so far. --times 20 takes half an hour and
// has hundreds of kills. Trial I of a kind and a seed injects the same fault each time, up to the
// moments of signals.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "arch/base/yaml_reader.h"
#include "search/base/files.h"
#include "search/base/sealed_json.h"
#include "search/config/config.h"
#include "tests/torture/trial.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

struct Options {
  WorkbenchFiles files;
  int times = 1;
  std::uint64_t seed = 1;
  std::string only;
  int index = -1;
};

/// A comparison that sees nothing, or a recovery that goes wrong unseen, would make every trial
/// pass: damage that no checksum can tell must be noticed as another result.
void check_that_it_can_fail(const Workbench& bench) {
  const std::string name = "broken";
  bench.copy(kReference, name);
  const fs::path model = bench.run_folder(name) / "export" / "model.tflite";
  std::string bytes = read_file(model);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_file(model, bytes);
  if (bench.difference(name) != "export/model.tflite differs") {
    throw Error("the comparison does not notice a changed byte of export/model.tflite");
  }

  bench.copy(bench.snapshot("search"), name);
  const fs::path candidates = bench.run_folder(name) / "search" / "candidates.jsonl";
  const std::string text = read_file(candidates);
  const std::string line = text.substr(0, text.find('\n'));
  const std::string wrong = line.substr(0, line.find("\"accuracy\":")) + "\"accuracy\":0.0}";
  const std::string run = run_identity(
      parse_config(YamlReader::parse_file(bench.run_folder(name) / "config.yaml"), name));
  write_file(candidates, seal_json(wrong, run) + text.substr(line.size()));
  const Ending ending = Program(bench.resume(name)).wait();
  if (ending.exit_code != 0 || bench.difference(name).empty()) {
    throw Error("a wrong accuracy of an evaluated candidate is not noticed: " + ending.text());
  }
  bench.remove(name);
}

/// A signal ends the test after the trial that runs, with the table so far.
volatile std::sig_atomic_t is_stopped = 0;

void run_trials(const Fault& fault, const Workbench& bench, Tally& tally, const Options& options) {
  if (!fault.unavailable.empty()) {
    tally.skip(fault.kind, fault.unavailable);
    return;
  }
  const int trials = options.times * fault.trials;
  for (int i = 0; i < trials && is_stopped == 0; ++i) {
    if (options.index >= 0 && i != options.index) {
      continue;
    }
    Trial trial{.bench = bench,
                .tally = tally,
                .kind = fault.kind,
                .stream = RandomStream(options.seed, fault.kind + "/" + std::to_string(i)),
                .repeat = fmt::format("--times {} --seed {} --only '{}' --index {}", options.times,
                                      options.seed, fault.kind, i)};
    if (options.index < 0) {
      bench.remove(trial.name);
    }
    fault.run(trial, i);
    if (options.index >= 0) {
      std::cout << "the run: " << trial.run().string() << std::endl;
    }
  }
}

int torture(const Options& options) {
  const Workbench bench(options.files);
  check_that_it_can_fail(bench);
  Tally tally;
  for (const std::vector<Fault>& group :
       {interruptions(), damages(bench, options.seed), places()}) {
    for (const Fault& fault : group) {
      if (options.only.empty() || options.only == fault.kind) {
        run_trials(fault, bench, tally, options);
      }
    }
  }
  std::cout << "seed " << options.seed << (is_stopped != 0 ? ", stopped early" : "") << "\n\n";
  tally.print(std::cout);
  std::cout << "\n" << tally.failures() << " failed\n";
  return tally.failures() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace patchnas

int main(int argc, char** argv) {
  using namespace patchnas;
  Options options;
  CLI::App app("Faults for a run of nas_search");
  app.add_option("--program", options.files.program)->required();
  app.add_option("--config", options.files.config)->required();
  app.add_option("--faults-library", options.files.faults_library)->required();
  app.add_option("--times", options.times, "How many times the quick test's trials")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed);
  app.add_option("--only", options.only, "One kind of fault, as the table names it");
  app.add_option("--index", options.index, "One trial of it");
  CLI11_PARSE(app, argc, argv);
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, [](int) { is_stopped = 1; });
  }
  // In memory where possible: thousands of small files are synced.
  if (::access("/dev/shm", W_OK) == 0) {
    ::setenv("TMPDIR", "/dev/shm", 0);
  }
  try {
    return torture(options);
  } catch (const std::exception& error) {
    std::cerr << "torture: " << error.what() << "\n";
    return 2;
  }
}
