#include "tests/torture/program.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sstream>
#include <thread>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "arch/base/error.h"
#include "search/base/files.h"

namespace patchnas {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLogTimeCharacters = 11;  // "[12:34:56] "

void redirect(const std::filesystem::path& file, int descriptor) {
  const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::dup2(opened, descriptor);
  ::close(opened);
}

/// In the child, never returns.
[[noreturn]] void run_child(const Launch& launch) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  redirect("/dev/null", STDIN_FILENO);
  redirect(launch.output / "stdout", STDOUT_FILENO);
  redirect(launch.output / "stderr", STDERR_FILENO);
  for (const auto& [name, value] : launch.environment) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  if (launch.file_size_limit) {
    const rlimit limit{*launch.file_size_limit, *launch.file_size_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<char*> words;
  for (const std::string& word : launch.arguments) {
    words.push_back(const_cast<char*>(word.c_str()));  // execv does not write to them
  }
  words.push_back(nullptr);
  ::execv(words.front(), words.data());
  ::_exit(127);
}

bool is_log_line(const std::string& line) {
  return line.size() >= kLogTimeCharacters && line[0] == '[' && line[3] == ':' && line[6] == ':' &&
         line[9] == ']';
}

}  // namespace

std::string Ending::text() const {
  std::string text = hung ? "it hangs" : "exit code " + std::to_string(exit_code);
  for (const std::string& line : complaints) {
    text += "\n    | " + line;
  }
  return text;
}

Program::Program(const Launch& launch) : output_(launch.output) {
  process_ = ::fork();
  if (process_ < 0) {
    throw Error(std::string("cannot fork: ") + std::strerror(errno));
  }
  if (process_ == 0) {
    run_child(launch);
  }
}

Program::~Program() {
  if (is_running()) {
    signal(SIGKILL);
    wait();
  }
}

bool Program::is_running() {
  if (!status_) {
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == process_) {
      status_ = status;
    }
  }
  return !status_;
}

void Program::signal(int number) {
  if (is_running()) {
    ::kill(process_, number);
  }
}

Ending Program::wait(std::chrono::seconds limit) {
  Ending ending;
  const Clock::time_point deadline = Clock::now() + limit;
  while (is_running()) {
    if (!ending.hung && Clock::now() > deadline) {
      ending.hung = true;
      ::kill(process_, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ending.exit_code = WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_);
  ending.screen = read_file(output_ / "stdout");
  std::istringstream errors(read_file(output_ / "stderr"));
  for (std::string line; std::getline(errors, line);) {
    if (is_log_line(line)) {
      ending.log.push_back(line.substr(kLogTimeCharacters));
    } else {
      ending.complaints.push_back(line);
    }
  }
  return ending;
}

}  // namespace patchnas
