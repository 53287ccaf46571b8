#include "search/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sstream>
#include <unistd.h>
#include <utility>

#include <sys/wait.h>

#include <poll.h>
#include <spawn.h>

#include "arch/error.h"
#include "search/stop_signal.h"

extern char** environ;  // NOLINT: POSIX leaves its declaration to programs

namespace patchnas {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

/// All that can be read before the other end is closed.
/// @return false if that is later than `deadline`
bool read_to_end(int pipe_end, Clock::time_point deadline, std::string& text) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count() + 1;
    pollfd readable{pipe_end, POLLIN, 0};
    const int ready =
        ::poll(&readable, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30)));
    if (ready == 0) {
      return false;
    }
    const ssize_t count = ready > 0 ? ::read(pipe_end, buffer.data(), buffer.size()) : -1;
    if (count > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return true;
    }
  }
}

}  // namespace

namespace {

struct Pipe {
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw Error(std::string("cannot make a pipe: ") + std::strerror(errno));
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(std::size_t end) {
    if (ends[end] >= 0) {
      ::close(ends[end]);
    }
    ends[end] = -1;
  }
  /// The end, which is the caller's from now on.
  int take(std::size_t end) { return std::exchange(ends[end], -1); }

  std::array<int, 2> ends{-1, -1};  // for reading, for writing
};

/// @param input what it reads; null for nothing
/// @param with_errors whether standard error goes the same way as standard output
pid_t start(const std::vector<std::string>& words, const fs::path& folder, Pipe* input,
            const Pipe& output, bool with_errors) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  if (input != nullptr) {
    ::posix_spawn_file_actions_adddup2(&actions, input->ends[0], STDIN_FILENO);
  } else {
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  ::posix_spawn_file_actions_adddup2(&actions, output.ends[1], STDOUT_FILENO);
  if (with_errors) {
    ::posix_spawn_file_actions_adddup2(&actions, output.ends[1], STDERR_FILENO);
  }
  std::vector<char*> arguments;
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));  // posix_spawn does not write to them
  }
  arguments.push_back(nullptr);
  pid_t process = 0;
  const int error =
      ::posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw Error(words.front() + ": cannot start: " + std::strerror(error));
  }
  return process;
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& words, const fs::path& folder,
                          std::chrono::seconds limit) {
  Pipe output;
  const pid_t process = start(words, folder, nullptr, output, true);
  output.close_end(1);
  ProcessResult result;
  const bool ended = read_to_end(output.ends[0], Clock::now() + limit, result.output);
  if (!ended) {
    ::kill(process, SIGKILL);
  }
  result.exit_code = wait_for(process);
  if (stop_requested()) {
    throw_interrupted();  // a queue signals whole groups of processes: what the program did is
                          // unknown
  }
  if (!ended) {
    throw Error(words.front() + ": does not end within " + std::to_string(limit.count()) +
                " seconds");
  }
  return result;
}

ChildProcess::ChildProcess(const std::vector<std::string>& words, const fs::path& folder) {
  // The kernel ends it if this process is killed, which runs no destructor.
  std::vector<std::string> command;
  if (has_program("setpriv")) {
    command = {"setpriv", "--pdeathsig", "KILL", "--"};
  }
  command.insert(command.end(), words.begin(), words.end());
  Pipe input;
  Pipe output;
  process_ = start(command, folder, &input, output, false);
  output_ = output.take(0);
  input_ = input.take(1);
}

ChildProcess::~ChildProcess() {
  ::kill(process_, SIGKILL);
  wait_for(process_);
  ::close(output_);
  ::close(input_);
}

bool has_program(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder) / name;
    std::error_code error;
    if (fs::is_regular_file(candidate, error) && ::access(candidate.c_str(), X_OK) == 0) {
      return true;
    }
  }
  return false;
}

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  std::string pattern = ((error ? fs::path("/tmp") : parent) / "patchnas-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw Error(pattern + ": cannot create a temporary folder: " + std::strerror(errno));
  }
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

}  // namespace patchnas
