#pragma once

// The one family of exceptions. `main` prints what() as one line and exits with exit_code().
//
//   throw InputError("space.yaml:4:3: stages: must not be empty");

#include <stdexcept>
#include <string>

namespace patchnas {

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
  [[nodiscard]] virtual int exit_code() const noexcept { return 1; }
};

/// What the user gave is wrong: a config, a data file, a checkpoint, an argument.
class InputError : public Error {
 public:
  using Error::Error;
  [[nodiscard]] int exit_code() const noexcept override { return 2; }
};

/// Nothing in the search space meets the limits.
class InfeasibleError : public Error {
 public:
  using Error::Error;
  [[nodiscard]] int exit_code() const noexcept override { return 3; }
};

/// A signal asked for a stop; the state is saved and the job can be resumed.
class InterruptedError : public Error {
 public:
  using Error::Error;
  [[nodiscard]] int exit_code() const noexcept override { return 75; }
};

}  // namespace patchnas
