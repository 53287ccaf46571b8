#include "tests/supernet/ranks/ranks.h"

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <thread>
#include <unistd.h>

#include <sys/wait.h>

#include <gtest/gtest.h>

namespace patchnas::test {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{60};
constexpr int kFailedExpectation = 99;

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

fs::path file_of(const fs::path& folder, const char* what, int process) {
  return folder / (std::string(what) + std::to_string(process));
}

[[noreturn]] void be(int process, const fs::path& folder,
                     const std::function<std::string(int)>& work) {
  const int error_file =
      open(file_of(folder, "error", process).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(error_file, STDERR_FILENO);
  std::string result;
  int exit_code = 0;
  try {
    result = work(process);
  } catch (const Error& error) {
    result = error.what();
    exit_code = error.exit_code();
  } catch (const std::exception& error) {
    result = error.what();
    exit_code = 1;
  }
  std::ofstream(file_of(folder, "result", process), std::ios::binary) << result;
  std::fflush(nullptr);
  _exit(testing::Test::HasFailure() ? kFailedExpectation : exit_code);
}

int wait_for(pid_t process, std::chrono::steady_clock::time_point deadline) {
  int status = 0;
  while (waitpid(process, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      kill(process, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const End& end) {
  return out << "exit " << end.exit_code << ", '" << end.result << "', '" << end.error_output
             << "'";
}

RanksFolder::RanksFolder() {
  std::string name = (fs::temp_directory_path() / "patchnas_ranks_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("no temporary folder");
  }
  path_ = name;
}

RanksFolder::~RanksFolder() { fs::remove_all(path_); }

std::vector<End> run_processes(int count, const std::function<std::string(int)>& work) {
  const RanksFolder folder;
  std::fflush(nullptr);
  std::vector<pid_t> processes;
  for (int i = 0; i < count; ++i) {
    const pid_t process = fork();
    if (process == 0) {
      be(i, folder.path(), work);
    }
    processes.push_back(process);
  }
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::vector<End> ends;
  for (int i = 0; i < count; ++i) {
    const int exit_code = wait_for(processes[static_cast<std::size_t>(i)], deadline);
    ends.push_back({exit_code, read(file_of(folder.path(), "result", i)),
                    read(file_of(folder.path(), "error", i))});
  }
  return ends;
}

RankPlace place_of(int rank, int count) {
  return {.rank = rank, .count = count, .local_rank = rank, .one_node = true, .id = "test"};
}

std::vector<End> run_ranks(int count, const std::function<std::string(ProcessGroup&)>& work,
                           std::chrono::milliseconds timeout) {
  const RanksFolder folder;
  std::vector<End> ends = run_processes(count, [&](int rank) {
    ProcessGroup group(place_of(rank, count), folder.path(), timeout);
    return work(group);
  });
  EXPECT_TRUE(folder.is_empty());
  return ends;
}

}  // namespace patchnas::test
