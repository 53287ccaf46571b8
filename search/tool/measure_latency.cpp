// measure_latency: builds the latency table of a target.

#include <chrono>
#include <cmath>
#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "latency_models/operator_choice.h"
#include "latency_models/operator_space.h"
#include "search/base/console.h"
#include "search/base/stop_signal.h"
#include "search/base/text.h"
#include "search/config/config.h"
#include "search/config/network_file.h"
#include "search/engine/latency_file.h"
#include "search/engine/schedule_chooser.h"
#include "search/latency/latency_check.h"
#include "search/latency/latency_firmware.h"
#include "search/latency/latency_measurement.h"
#include "search/tool/number_options.h"
#include "search/tool/option_names.h"
#include "search/tool/program_main.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostOperators = 2'000'000;
constexpr int kSampledArchitectures = 300;

constexpr const char* kExamples = R"(
Examples:
  measure_latency --config fashion_mnist_32kb.yaml --target cortex-m4 --table m4.txt
  measure_latency --config fashion_mnist_32kb.yaml --target cortex-m4 --table m4.txt --check 50
  measure_latency --network model.tflite --target cortex-m7 --table m7.txt
  measure_latency --write-firmware firmware
  measure_latency --config vww.yaml --target board --port /dev/ttyACM0 --clock-mhz 480 --budget 60

Stopped by a signal or killed, it continues where it was when it is called again.
Exit codes: 0 done, 2 bad input, 75 stopped by a signal (call it again), 1 anything else.
)";

struct MeasureOptions {
  std::vector<std::string> configs;
  std::vector<std::string> assignments;
  std::vector<std::string> networks;
  int max_patches = 4;
  std::string target;
  std::string port;
  int baud = 115200;
  double answer_seconds = 10.0;
  double clock_mhz = 0.0;
  std::string compiler = "unknown";
  std::string flags = "unknown";
  std::string table;
  int repeats = 0;
  double budget_minutes = 0.0;
  int most = 0;
  int check = 0;
  std::string firmware;
  std::string command;
};

/// The line to the target, and what it says of itself.
struct Bench {
  std::unique_ptr<LatencyFirmware> firmware;
  std::unique_ptr<BoardLine> board;
  LatencyOrigin origin;

  [[nodiscard]] MeasuringLine& line() { return board ? board->line() : firmware->line(); }
};

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm date{};
  ::gmtime_r(&now, &date);
  return fmt::format("{:04}-{:02}-{:02}", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday);
}

Bench open_bench(const MeasureOptions& options) {
  Bench bench;
  const bool is_board = options.target == "board";
  if (is_board == options.port.empty()) {
    throw InputError(is_board ? "--target board: needs --port DEVICE"
                              : "--port: needs --target board");
  }
  int repeats = 1;
  if (is_board) {
    const auto timeout =
        std::chrono::milliseconds(static_cast<std::int64_t>(options.answer_seconds * 1000));
    bench.board = std::make_unique<BoardLine>(
        options.port, options.baud, LinePatience{.answer_timeout = timeout, .attempts = 5});
    bench.origin.compiler = options.compiler;
    bench.origin.flags = options.flags;
    repeats = 3;
  } else {
    const RunTarget target = named(kRunTargets, options.target);
    spdlog::info("building the measuring firmware for {}", options.target);
    bench.firmware = std::make_unique<LatencyFirmware>(target);
    const Toolchain tools(target);
    bench.origin.compiler = tools.compiler_version();
    bench.origin.flags = tools.flags();
    repeats = target == RunTarget::kHost ? 7 : 1;
  }
  const FirmwareInfo info = bench.line().hello();
  if (info.kernels != kernels_version()) {
    throw InputError("the firmware at " + options.port + " has other kernels (" + info.kernels +
                     ") than this program (" + kernels_version() +
                     "); build it again: measure_latency --write-firmware DIR");
  }
  bench.origin.target = info.target;
  bench.origin.unit = info.unit;
  bench.origin.kernels = info.kernels;
  bench.origin.clock_hz = std::llround(options.clock_mhz * 1e6);
  bench.origin.repeats = options.repeats > 0 ? options.repeats : repeats;
  bench.origin.date = today();
  bench.origin.command = options.command;
  return bench;
}

/// What is to be measured, the most important first.
struct Wanted {
  std::vector<OperatorKey> keys;          ///< all of them, or the part that a budget is spent on
  std::map<OperatorKey, double> weights;  ///< of the operators that a budget may choose from
  bool is_everything = true;
};

void add_networks(const MeasureOptions& options, Wanted& wanted) {
  std::set<OperatorKey> keys;
  for (const std::string& name : options.networks) {
    const Network network = read_network_file(name, {}).network;
    RandomStream stream(0, "latency/" + name);
    for (const PatchSchedule& schedule :
         sampled_schedules(network, {.patch_grids = grids_up_to(options.max_patches)}, stream)) {
      for (const OperatorUse& use :
           operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
        keys.insert(use.key);
      }
    }
  }
  wanted.keys.insert(wanted.keys.end(), keys.begin(), keys.end());
}

void add_spaces(const MeasureOptions& options, Wanted& wanted) {
  const bool has_budget = options.budget_minutes > 0.0 || options.most > 0;
  std::set<OperatorKey> keys;
  for (const std::string& name : options.configs) {
    const Config config = read_config(name, options.assignments);
    RandomStream stream(config.seed, "latency/samples");
    for (const auto& [key, weight] :
         sampled_operators(config.space, kSampledArchitectures, stream)) {
      wanted.weights[key] += weight;
      keys.insert(key);  // of rows, too, which cannot all be listed
    }
    if (has_budget) {
      wanted.is_everything = false;
      continue;
    }
    const auto listed = enumerate_operators(config.space, kMostOperators);
    if (!listed) {
      throw InputError(fmt::format(
          "{}: the space has more than {} operators; give --budget MINUTES or --operators N", name,
          with_separators(static_cast<std::int64_t>(kMostOperators))));
    }
    keys.insert(listed->begin(), listed->end());
  }
  if (!has_budget) {
    wanted.keys.insert(wanted.keys.end(), keys.begin(), keys.end());
  }
}

/// Some of the kernels that none of the above calls.
void add_kernels(Wanted& wanted) {
  std::set<KernelFunction> called;
  for (const OperatorKey& key : wanted.keys) {
    called.insert(key.family.kernel);
  }
  for (const auto& [key, weight] : wanted.weights) {
    called.insert(key.family.kernel);
  }
  for (const KernelFacts& facts : kKernels) {
    const bool is_needed = facts.is_a_layer || facts.kind == LayerKind::kFullyConnected;
    if (is_needed && !called.contains(facts.function)) {
      const std::vector<OperatorKey> keys = typical_operators(facts.function);
      wanted.keys.insert(wanted.keys.end(), keys.begin(), keys.end());
    }
  }
}

class Measuring {
 public:
  Measuring(const MeasureOptions& options, Bench& bench)
      : options_(options),
        bench_(bench),
        measurement_(options.table, bench.origin),
        begin_(std::chrono::steady_clock::now()) {}

  void run(const Wanted& wanted) {
    try {
      measure_wanted(wanted);
    } catch (const Error&) {
      if (stop_requested()) {
        throw_interrupted();  // the signal may have ended the firmware as well
      }
      throw;
    }
  }

 private:
  void measure_wanted(const Wanted& wanted) {
    measurement_.measure_overheads(bench_.line());
    const auto before = static_cast<std::int64_t>(measurement_.table().measurements.size());
    measure_all(wanted.keys);
    if (!wanted.is_everything) {
      spend_budget(wanted);
    }
    measurement_.save();
    report(before);
  }

  [[nodiscard]] double minutes() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count() / 60.0;
  }

  void measure_all(const std::vector<OperatorKey>& keys) {
    Progress progress("measure", "operators", 0, static_cast<std::int64_t>(keys.size()));
    std::int64_t done = 0;
    for (const OperatorKey& key : keys) {
      measure(key);
      progress.update(++done);
    }
  }

  void measure(const OperatorKey& key) {
    if (stop_requested()) {
      measurement_.save();
      throw_interrupted();
    }
    if (!measurement_.measure(bench_.line(), key)) {
      ++too_large_;
    }
  }

  void spend_budget(const Wanted& wanted) {
    constexpr int kAtATime = 200;
    std::map<OperatorKey, double> left = wanted.weights;
    std::int64_t chosen = 0;
    const std::int64_t most =
        options_.most > 0 ? options_.most : static_cast<std::int64_t>(left.size());
    Progress progress("measure", "operators", 0, most);
    const auto is_spent = [&] {
      return options_.budget_minutes > 0.0 && minutes() >= options_.budget_minutes;
    };
    while (chosen < most && !left.empty() && !is_spent()) {
      const std::vector<OperatorKey> next = choose_operators(
          left, measurement_.table().measurements,
          static_cast<std::size_t>(std::min<std::int64_t>(kAtATime, most - chosen)));
      for (const OperatorKey& key : next) {
        if (is_spent()) {
          break;
        }
        measure(key);
        left.erase(key);
        progress.update(++chosen, fmt::format("{:.1f} minutes", minutes()));
      }
    }
  }

  void report(std::int64_t before) {
    const LatencyTable& table = measurement_.table();
    const auto now = static_cast<std::int64_t>(table.measurements.size());
    std::cout << fmt::format("{}: {} on {}, in {}; {} measured now in {}\n", options_.table,
                             counted(now, "operator"), table.origin.target, table.origin.unit,
                             with_separators(now - before), duration_text(60.0 * minutes()));
    if (too_large_ > 0) {
      std::cout << fmt::format("too large for the target's memory, and predicted: {}\n",
                               counted(too_large_, "operator"));
    }
    if (bench_.line().resent() > 0) {
      std::cout << fmt::format("sent again: {}\n", counted(bench_.line().resent(), "request"));
    }
    std::cout << fmt::format(
        "overhead: {:.1f} a layer, {:.1f} a patch, {:.1f} a layer of a patch\n",
        table.overheads.per_layer, table.overheads.per_patch, table.overheads.per_patch_layer);
    std::cout << "predicted, each fifth from the others:\n";
    for (const PredictionError& error : LatencyPredictor(table.measurements).held_out_errors()) {
      std::cout << fmt::format("  {:<20} {:>8} operators  mean error {:6.2f} %  worst {:7.2f} %\n",
                               error.kernel, with_separators(error.measured), 100.0 * error.mean,
                               100.0 * error.worst);
    }
  }

  const MeasureOptions& options_;
  Bench& bench_;
  LatencyMeasurement measurement_;
  std::chrono::steady_clock::time_point begin_;
  std::int64_t too_large_ = 0;
};

void check(const MeasureOptions& options) {
  if (options.configs.size() != 1) {
    throw InputError("--check: needs one --config NAME");
  }
  const Config config = read_config(options.configs.front(), options.assignments);
  std::cout << check_latency(config, named(kRunTargets, options.target), options.table,
                             options.check);
}

void measure(const MeasureOptions& options) {
  if (!options.firmware.empty()) {
    require_firmware_place(options.firmware);
    write_firmware_sources(options.firmware);
    std::cout << "firmware: " << (fs::path(options.firmware) / "README.md").string() << "\n";
    return;
  }
  if (options.target.empty() || options.table.empty() ||
      (options.configs.empty() && options.networks.empty())) {
    throw InputError(
        "needs --target TARGET, --table FILE, and --config NAME or --network FILE; see "
        "measure_latency --help");
  }
  if (options.check > 0) {
    check(options);
    return;
  }
  Wanted wanted;
  add_networks(options, wanted);
  add_spaces(options, wanted);
  add_kernels(wanted);
  Bench bench = open_bench(options);
  Measuring(options, bench).run(wanted);
}

std::vector<std::string> target_names() {
  std::vector<std::string> names = names_of(kRunTargets);
  names.emplace_back("board");
  return names;
}

}  // namespace
}  // namespace patchnas

int main(int argc, char** argv) {
  using namespace patchnas;
  start_logging();
  install_stop_signals(WhenStopped::kContinues);
  std::signal(SIGPIPE, SIG_IGN);
  MeasureOptions options;
  CLI::App app(
      "Measures the operators of search spaces and networks with the kernels that packages run.");
  app.name("measure_latency");
  app.footer(kExamples);
  app.set_version_flag("--version", program_version());
  app.add_option("--config", options.configs,
                 "Every operator of this configuration's space in patches, and those of random "
                 "candidates in rows; may be repeated")
      ->type_name("NAME");
  app.add_option("--set", options.assignments, "Override a key of it; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--network", options.networks,
                 "Every operator of this network under all schedules, as `nas_search estimate "
                 "--network`; may be repeated")
      ->type_name("FILE");
  app.add_option("--max-patches", options.max_patches, "With --network: patches along each axis")
      ->check(CLI::Range(1, kLargestGrid))
      ->capture_default_str()
      ->type_name("P");
  app.add_option("--target", options.target,
                 "Emulated cores count executed instructions, this machine nanoseconds, a board "
                 "cycles")
      ->check(CLI::IsMember(target_names()));
  app.add_option("--table", options.table, "The table's file; continued if it is there")
      ->type_name("FILE");
  app.add_option("--budget", options.budget_minutes,
                 "Measure only for so long: the operators that random candidates use most, and "
                 "those that improve predictions most")
      ->check(positive_number())
      ->type_name("MINUTES");
  app.add_option("--operators", options.most, "Measure only so many, chosen in the same way")
      ->check(positive_number())
      ->type_name("N");
  app.add_option("--repeats", options.repeats,
                 "Of each operator; the default is 1 emulated, 3 on a board, 7 on the host")
      ->check(CLI::Range(1, 8))
      ->type_name("N");
  app.add_option(
         "--check", options.check,
         "Instead: draw N random candidates with schedules, and compare what the table says "
         "with whole programs")
      ->check(positive_number())
      ->type_name("N");
  app.add_option("--port", options.port, "The board's serial port")->type_name("DEVICE");
  app.add_option("--baud", options.baud, "Its rate")->capture_default_str();
  app.add_option("--answer-seconds", options.answer_seconds,
                 "How long to wait for an answer of the board")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.add_option("--clock-mhz", options.clock_mhz, "Of the board, for the table's head")
      ->check(CLI::Range(0.0, 1e5));
  app.add_option("--compiler", options.compiler, "Of the board's firmware, for the table's head");
  app.add_option("--flags", options.flags, "Of the board's firmware, for the table's head");
  app.add_option("--write-firmware", options.firmware,
                 "Only write the firmware's sources, for a board")
      ->type_name("DIR");
  options.command = "measure_latency";
  for (int i = 1; i < argc; ++i) {
    options.command.append(" ").append(argv[i]);
  }
  app.callback([&options] { measure(options); });
  return run_program(app, argc, argv);
}
