#pragma once

// nas_search as the torture test runs it: with an environment and limits of its own, its output in
// files, ended by a deadline if it hangs.
//
//   Program program({.arguments = {"nas_search", "--resume", "runs/tiny"}, .output = folder});
//   program.signal(SIGTERM);
//   const Ending ending = program.wait();

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace patchnas {

struct Launch {
  std::vector<std::string> arguments;  ///< the program first
  std::filesystem::path output;        ///< folder for what it prints; must exist
  std::map<std::string, std::string> environment;
  std::optional<std::uint64_t> file_size_limit;  ///< bytes
};

struct Ending {
  int exit_code = 0;  ///< 128 + the signal's number if one ended it
  bool hung = false;
  std::string screen;                   ///< standard output
  std::vector<std::string> complaints;  ///< lines of standard error that are not of the log
  std::vector<std::string> log;         ///< lines of the log, without their time
  [[nodiscard]] bool killed() const { return exit_code > 128; }
  /// For a message.
  [[nodiscard]] std::string text() const;
};

class Program {
 public:
  explicit Program(const Launch& launch);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  /// False once it has ended.
  [[nodiscard]] bool is_running();
  void signal(int number);
  Ending wait(std::chrono::seconds limit = std::chrono::seconds(120));

 private:
  std::filesystem::path output_;
  pid_t process_ = -1;
  std::optional<int> status_;
};

}  // namespace patchnas
