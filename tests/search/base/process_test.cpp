#include "search/base/process.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "search/base/stop_signal.h"

namespace patchnas {
namespace {

using namespace std::chrono_literals;

TEST(Process, GivesOutputAndExitCode) {
  const TemporaryFolder folder;
  const ProcessResult result = run_process(
      {"sh", "-c", "pwd; echo wrong >&2; exit 7", "an unused word"}, folder.path(), 60s);
  EXPECT_EQ(result.output, folder.path().string() + "\nwrong\n");
  EXPECT_EQ(result.exit_code, 7);
}

TEST(Process, PassesWordsAsTheyAre) {
  EXPECT_EQ(run_process({"printf", "%s|", "a b", "$HOME", "'"}, "/", 60s).output, "a b|$HOME|'|");
}

TEST(Process, SaysThatASignalEndedIt) {
  EXPECT_EQ(run_process({"sh", "-c", "kill -9 $$"}, "/", 60s).exit_code, 128 + 9);
}

TEST(Process, ReportsWhatCannotStart) {
  EXPECT_THROW(run_process({"no-such-program-anywhere"}, "/", 60s), Error);
  EXPECT_THROW(run_process({"true"}, "/no/such/folder", 60s), Error);
  EXPECT_FALSE(has_program("no-such-program-anywhere"));
  EXPECT_TRUE(has_program("sh"));
}

TEST(Process, IsNotTrustedOnceAStopWasRequested) {
  const auto stopped = [] {
    install_stop_signals(WhenStopped::kContinues);
    std::raise(SIGUSR1);
    try {
      run_process({"true"}, "/", 60s);
    } catch (const InterruptedError& error) {
      std::exit(error.exit_code());
    }
  };
  EXPECT_EXIT(stopped(), testing::ExitedWithCode(75), "");
}

TEST(Process, AStopEndsWhatRunsAndLetsItTidyUp) {
  const TemporaryFolder folder;
  const auto stopped = [&] {
    install_stop_signals(WhenStopped::kContinues);
    std::thread([&] {
      while (!std::filesystem::exists(folder.path() / "temporary")) {
        std::this_thread::sleep_for(5ms);
      }
      ::kill(::getpid(), SIGTERM);
    }).detach();
    try {
      run_process({"sh", "-c", "trap 'rm temporary; exit' TERM; touch temporary; sleep 20 & wait"},
                  folder.path(), 100s);
    } catch (const InterruptedError& error) {
      std::_Exit(error.exit_code());
    }
  };
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EXIT(stopped(), testing::ExitedWithCode(75), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 15s);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "temporary"));
}

TEST(Process, KillsWhatDoesNotEnd) { EXPECT_THROW(run_process({"sleep", "1000"}, "/", 0s), Error); }

TEST(TemporaryFolder, GoesWithItsContent) {
  std::filesystem::path path;
  {
    const TemporaryFolder folder;
    path = folder.path();
    std::ofstream(path / "file") << "text";
    EXPECT_TRUE(std::filesystem::exists(path / "file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace patchnas
