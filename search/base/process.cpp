#include "search/base/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sstream>
#include <thread>
#include <unistd.h>
#include <utility>

#include <sys/wait.h>

#include <poll.h>
#include <spawn.h>

#include "arch/base/error.h"
#include "search/base/stop_signal.h"

extern char** environ;  // NOLINT: POSIX leaves its declaration to programs

namespace patchnas {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

/// How long a program that was asked to end may take, to remove its own temporary files.
constexpr std::chrono::seconds kGrace(2);

enum class ReadingEnd { kClosed, kDeadline, kStop };

/// Until the other end is closed, the deadline is past, or a stop is requested.
ReadingEnd read_to_end(int pipe_end, Clock::time_point deadline, std::string& text) {
  constexpr std::int64_t kSliceMs = 100;  // a signal may come just before poll()
  std::array<char, 4096> buffer{};
  for (;;) {
    if (stop_requested()) {
      return ReadingEnd::kStop;
    }
    const std::int64_t left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count() + 1;
    pollfd readable{pipe_end, POLLIN, 0};
    const int ready =
        ::poll(&readable, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, kSliceMs)));
    if (ready == 0) {
      if (left <= kSliceMs) {
        return ReadingEnd::kDeadline;
      }
      continue;
    }
    const ssize_t count = ready > 0 ? ::read(pipe_end, buffer.data(), buffer.size()) : -1;
    if (count > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return ReadingEnd::kClosed;
    }
  }
}

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

enum class Role {
  kAwaited,  ///< standard error goes the same way as standard output; leads a group of processes
  kBeside
};

/// @param input what it reads; null for nothing
pid_t start(const std::vector<std::string>& words, const fs::path& folder, Pipe* input,
            const Pipe& output, Role role) {
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  if (input != nullptr) {
    ::posix_spawn_file_actions_adddup2(&actions, input->ends[0], STDIN_FILENO);
  } else {
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  ::posix_spawn_file_actions_adddup2(&actions, output.ends[1], STDOUT_FILENO);
  if (role == Role::kAwaited) {
    ::posix_spawn_file_actions_adddup2(&actions, output.ends[1], STDERR_FILENO);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    ::posix_spawnattr_setpgroup(&attributes, 0);
  }
  std::vector<char*> arguments;
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));  // posix_spawn does not write to them
  }
  arguments.push_back(nullptr);
  pid_t process = 0;
  const int error =
      ::posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
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

/// SIGTERM for its group, so that a compiler's own programs end too, and SIGKILL for what is left.
void stop(pid_t leader) {
  ::kill(-leader, SIGTERM);
  const Clock::time_point deadline = Clock::now() + kGrace;
  const auto has_ended = [&] {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(leader), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == leader;
  };
  while (!has_ended() && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::kill(-leader, SIGKILL);  // the group is there as long as its leader is not waited for
  wait_for(leader);
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& words, const fs::path& folder,
                          std::chrono::seconds limit) {
  Pipe output;
  const pid_t process = start(words, folder, nullptr, output, Role::kAwaited);
  output.close_end(1);
  ProcessResult result;
  const ReadingEnd end = read_to_end(output.ends[0], Clock::now() + limit, result.output);
  if (end == ReadingEnd::kStop) {
    stop(process);
    throw_interrupted();
  }
  if (end == ReadingEnd::kDeadline) {
    ::kill(-process, SIGKILL);
  }
  result.exit_code = wait_for(process);
  if (stop_requested()) {
    throw_interrupted();  // a queue signals whole groups of processes: what the program did is
                          // unknown
  }
  if (end == ReadingEnd::kDeadline) {
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
  process_ = start(command, folder, &input, output, Role::kBeside);
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
