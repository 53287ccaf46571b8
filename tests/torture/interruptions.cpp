// Ends of the program in the middle of its work: a run is ended in every stage, one after the
// other, continued each time, and must leave what an undisturbed run leaves.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <optional>
#include <thread>

#include <sys/stat.h>

#include "arch/base/error.h"
#include "tests/torture/trial.h"

namespace patchnas {
namespace {

using Clock = std::chrono::steady_clock;

/// Tells a rewritten file from the one before.
ino_t inode(const std::filesystem::path& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 ? status.st_ino : 0;
}

void sleep_seconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

/// Begins the run, or continues it by one of the two commands.
Launch launch_of(Trial& trial) {
  const bool continues =
      trial.stream.chance(0.5) && std::filesystem::exists(trial.run() / "config.yaml");
  return continues ? trial.bench.resume(trial.name) : trial.bench.start(trial.name);
}

/// Steps that the program found saved, of the stage that it continued; nothing if it did not say.
std::optional<std::int64_t> restored_steps(const Ending& ending, const std::string& stage) {
  for (const std::string& line : ending.log) {
    if (line.starts_with(stage + ": ") && line.find(" steps") != std::string::npos) {
      const std::size_t at = line.find("from step ");
      return at == std::string::npos ? 0 : std::stoll(line.substr(at + 10));
    }
    if (line == stage + ": done already") {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// Launches the program, sees to it that it ends in or after the moment, and says how it ended.
using Interrupt =
    std::function<Ending(Trial&, const Launch&, const std::string& moment, bool is_first)>;
/// What is wrong with such an end.
using Judge = std::function<std::string(const Ending&)>;

void run_with(Trial& trial, const Interrupt& interrupt, const Judge& wrong) {
  std::vector<std::string> interrupted;
  RunState before;
  const auto count_lost = [&](const Ending& next) {
    if (const auto restored = restored_steps(next, before.moment)) {
      const std::int64_t lost = std::max<std::int64_t>(0, before.steps - *restored);
      trial.tally.add_lost(before.moment, lost,
                           static_cast<double>(lost) * trial.bench.seconds_per_step(before.moment));
    }
  };
  for (std::size_t i = 0; i + 1 < kMoments.size(); ++i) {
    const bool is_first = i == 0;
    const Ending ending = interrupt(trial, launch_of(trial), kMoments[i], is_first);
    if (!is_first) {
      count_lost(ending);
    }
    if (ending.exit_code == 0) {
      break;  // it was faster
    }
    before = trial.bench.state(trial.name);
    if (const std::string what = wrong(ending); !what.empty()) {
      trial.failed(before.moment, what);
      return;
    }
    interrupted.push_back(before.moment);
  }
  const std::string what = trial.finish(launch_of(trial));
  for (std::size_t i = 0; i < interrupted.size(); ++i) {
    if (what.empty()) {
      trial.survived(interrupted[i]);
    } else if (i + 1 == interrupted.size()) {
      trial.failed(interrupted[i], what);
    }
  }
}

/// Waits until this launch has opened the run and is in the moment or later.
void wait_for(Program& program, const Trial& trial, const std::string& moment, ino_t before) {
  const std::filesystem::path status = trial.run() / "run.json";
  while (program.is_running() &&
         (inode(status) == before || is_before(trial.bench.state(trial.name).moment, moment))) {
    sleep_seconds(0.001);
  }
}

/// A signal at any time within a stage.
Ending signal_in(Trial& trial, const Launch& launch, const std::string& moment, bool is_first,
                 int number) {
  const ino_t before = inode(trial.run() / "run.json");
  const double delay = trial.stream.uniform() * trial.bench.seconds(moment);
  Program program(launch);
  if (!is_first) {
    wait_for(program, trial, moment, before);
  }
  sleep_seconds(delay);
  program.signal(number);
  return program.wait();
}

std::string wrong_kill(const Ending& ending) {
  return ending.exit_code == 128 + SIGKILL && !ending.hung && ending.complaints.empty()
             ? ""
             : ending.text();
}

void killed_at_a_moment(Trial& trial, int) {
  run_with(
      trial,
      [](Trial& t, const Launch& launch, const std::string& moment, bool is_first) {
        return signal_in(t, launch, moment, is_first, SIGKILL);
      },
      wrong_kill);
}

void signalled(Trial& trial, int) {
  static const std::map<int, std::string> names = {
      {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}};
  int number = 0;
  run_with(
      trial,
      [&](Trial& t, const Launch& launch, const std::string& moment, bool is_first) {
        number = t.stream.pick(std::vector<int>{SIGTERM, SIGINT, SIGUSR1});
        return signal_in(t, launch, moment, is_first, number);
      },
      [&](const Ending& ending) -> std::string {
        if (ending.exit_code == 128 + number) {
          return ending.log.empty() ? "" : ending.text();  // it had not begun
        }
        return ending.exit_code == 75 && !ending.hung && ending.complaints.size() == 1 &&
                       ending.complaints.front() ==
                           "nas_search: stopped by " + names.at(number) +
                               "; everything is saved, the same command continues"
                   ? ""
                   : ending.text();
      });
}

/// A file operation within a stage is the last one, or fails.
Ending at_an_operation(Trial& trial, const Launch& launch, const std::string& moment, bool is_first,
                       const std::string& what) {
  std::int64_t at = trial.bench.operation_in(moment, trial.stream);
  if (!is_first) {
    // Behind what every start does, and the stages that are not done yet.
    const std::string now = trial.bench.state(trial.name).moment;
    at += trial.bench.operations("start") -
          trial.bench.first_operation(std::min(now, moment, is_before));
  }
  return Program(trial.bench.with_file_faults(launch, trial.name, at, what)).wait();
}

std::function<void(Trial&, int)> ended_by_an_operation(const std::string& what) {
  return [what](Trial& trial, int) {
    run_with(
        trial,
        [what](Trial& t, const Launch& launch, const std::string& moment, bool is_first) {
          return at_an_operation(t, launch, moment, is_first, what);
        },
        wrong_kill);
  };
}

std::function<void(Trial&, int)> failing_operations(const std::vector<int>& errors) {
  return [errors](Trial& trial, int) {
    const std::string run = trial.run();
    run_with(
        trial,
        [&](Trial& t, const Launch& launch, const std::string& moment, bool is_first) {
          return at_an_operation(t, launch, moment, is_first,
                                 std::to_string(t.stream.pick(errors)));
        },
        [run](const Ending& ending) { return wrong_refusal(ending, run); });
  };
}

}  // namespace

std::vector<Fault> interruptions() {
  return {
      {"SIGKILL at any time", 2, killed_at_a_moment, ""},
      {"SIGKILL before an operation", 1, ended_by_an_operation("kill"), ""},
      {"SIGKILL in an operation", 1, ended_by_an_operation("tear"), ""},
      {"stop signals", 2, signalled, ""},
      {"disk full from an operation", 1, failing_operations({ENOSPC, EDQUOT}), ""},
      {"I/O error from an operation", 1, failing_operations({EIO, EROFS}), ""},
  };
}

}  // namespace patchnas
