// Faults of the place where a run lives: a disk that is full, a folder that cannot be written, a
// limit on the size of files, a clock that jumps, a second program.

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <unistd.h>

#include <sys/mount.h>

#include <sched.h>
#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "tests/torture/trial.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPageBytes = 4096;

/// Why this process cannot mount; "" if it can, from then on where no other process sees it.
std::string why_no_mounts() {
  static const std::string reason = [] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return std::string("mounting: ") + std::strerror(errno);
    }
    return std::string();
  }();
  return reason;
}

class Mount {
 public:
  Mount(const char* type, const fs::path& from, fs::path at, unsigned long flags,
        const std::string& data)
      : at_(std::move(at)) {
    if (::mount(from.c_str(), at_.c_str(), type, flags, data.c_str()) != 0) {
      throw Error(at_.string() + ": cannot mount: " + std::strerror(errno));
    }
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() { ::umount2(at_.c_str(), MNT_DETACH); }

 private:
  fs::path at_;
};

/// All moments, so that the first few trials are spread over them.
std::string moment_of(int index) {
  return kMoments[(1 + 3 * static_cast<std::size_t>(index)) % kMoments.size()];
}

/// The trial's run is the snapshot of a moment.
void put_snapshot(Trial& trial, const std::string& moment) {
  trial.bench.copy(trial.bench.snapshot(moment), trial.name);
}

/// After a launch that met the fault, and without it: refused and continued, or survived.
void judge(Trial& trial, const std::string& moment, const Ending& ending,
           const std::string& named) {
  const bool ended = ending.exit_code == 0;
  std::string what = ended ? trial.bench.difference(trial.name) : wrong_refusal(ending, named);
  if (what.empty()) {
    what = trial.finish();
  }
  if (!what.empty()) {
    trial.failed(moment, what);
  } else if (ended) {
    trial.survived(moment);
  } else {
    trial.refused(moment);
  }
}

void full_disk(Trial& trial, int index) {
  const std::string moment = moment_of(index);
  trial.bench.remove(trial.name);
  make_directory(trial.run());
  const Mount disk("tmpfs", "tmpfs", trial.run(), 0, "size=8m");
  fs::copy(trial.bench.run_folder(trial.bench.snapshot(moment)), trial.run(),
           fs::copy_options::recursive);
  // All is taken but a few pages.
  const fs::path ballast = trial.run() / "ballast";
  const std::uintmax_t left = fs::space(trial.run()).available;
  write_file(ballast, std::string(left - kPageBytes * (1 + trial.stream.below(40)), 'x'));
  const Ending ending = Program(trial.bench.resume(trial.name)).wait();
  fs::remove(ballast);
  judge(trial, moment, ending, trial.run());
}

void unwritable_folder(Trial& trial, int index) {
  const std::string moment = moment_of(index);
  put_snapshot(trial, moment);
  Ending ending;
  {
    const Mount bound(nullptr, trial.run(), trial.run(), MS_BIND, "");
    if (::mount(nullptr, trial.run().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) !=
        0) {
      throw Error(std::string("cannot mount read-only: ") + std::strerror(errno));
    }
    ending = Program(trial.bench.resume(trial.name)).wait();
  }
  judge(trial, moment, ending, trial.run());
}

void limited_file_size(Trial& trial, int index) {
  const std::string moment = moment_of(index);
  put_snapshot(trial, moment);
  Launch launch = trial.bench.resume(trial.name);
  launch.file_size_limit = kPageBytes + trial.stream.below(12000);
  judge(trial, moment, Program(launch).wait(), trial.run());
}

/// Where Debian's libfaketime is; "" if it is not installed.
std::string clock_library() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib", error)) {
    const fs::path library = entry.path() / "faketime" / "libfaketimeMT.so.1";
    if (fs::exists(library, error)) {
      return library;
    }
  }
  return "";
}

/// The wall clock jumps forwards and backwards all the time, over years.
void jumping_clock(Trial& trial, int index) {
  const std::string moment = moment_of(index);
  put_snapshot(trial, moment);
  const fs::path offset = trial.bench.root() / "clock_offset";
  const auto jump = [&] {
    const auto days = static_cast<int>(trial.stream.below(20000)) - 10000;
    write_file(offset, fmt::format("{:+}d\n", days));
  };
  jump();
  Launch launch = trial.bench.resume(trial.name);
  launch.environment.insert({"LD_PRELOAD", clock_library()});
  launch.environment.insert({{"FAKETIME_TIMESTAMP_FILE", offset},
                             {"FAKETIME_NO_CACHE", "1"},
                             {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}});
  Program program(launch);
  while (program.is_running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    jump();
  }
  judge(trial, moment, program.wait(), trial.run());
}

/// A second program comes while the first one is in that moment.
void second_program(Trial& trial, int index) {
  const std::string moment = moment_of(index);
  trial.bench.remove(trial.name);
  Launch second_launch = trial.bench.start(trial.name);
  second_launch.output = trial.bench.root() / "second";
  make_directory(second_launch.output);
  Program first(trial.bench.start(trial.name));
  while (first.is_running() && trial.bench.state(trial.name).moment != moment &&
         moment != "start") {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const Ending second = Program(second_launch).wait();
  const Ending ending = first.wait();
  // Who comes first has the run; who comes late enough finds it finished.
  std::string what;
  int refused = 0;
  for (const Ending& each : {ending, second}) {
    if (each.exit_code != 0) {
      ++refused;
      what =
          wrong_refusal(each, trial.run().string() + ": this run directory is in use by process ");
    }
  }
  if (refused == 2) {
    what = "both are refused";
  }
  if (what.empty()) {
    what = trial.bench.difference(trial.name);
  }
  if (what.empty()) {
    what = trial.finish();
  }
  if (!what.empty()) {
    trial.failed(moment, what);
  } else if (refused > 0) {
    trial.refused(moment);
  } else {
    trial.survived(moment);
  }
}

}  // namespace

std::vector<Fault> places() {
  return {
      {"full tmpfs", 3, full_disk, why_no_mounts()},
      {"read-only folder", 2, unwritable_folder, why_no_mounts()},
      {"limited size of files", 2, limited_file_size, ""},
      {"jumping clock", 2, jumping_clock,
       clock_library().empty() ? "faketime is not installed" : ""},
      {"two programs", 3, second_program, ""},
  };
}

}  // namespace patchnas
