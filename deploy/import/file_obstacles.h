#pragma once

// Why a model file cannot be used: everything that stands in the way, in one line.

#include <string>
#include <vector>

#include "arch/base/error.h"

namespace patchnas {

/// One reason, where it is known.
class FileObstacle : public InputError {
 public:
  /// @param operator_name "CONV_2D"; empty where no operator is at fault
  /// @param place "operator 3, tensor 7 'name'"; empty where there is none
  FileObstacle(std::string operator_name, std::string place, std::string what);

  [[nodiscard]] const std::string& operator_name() const { return operator_name_; }
  [[nodiscard]] const std::string& place() const { return place_; }
  [[nodiscard]] const std::string& what_is_wrong() const { return what_; }

 private:
  std::string operator_name_;
  std::string place_;
  std::string what_;
};

/// What is said of an operator of a kind that is not read.
inline constexpr const char* kUnsupportedOperator = "this operator is not supported";

/// A name from a file: one line, printable, not endless.
std::string printable(const std::string& name);

/// What `import` returns. Its errors name the file, which those who know the reason may not know.
template <typename Import>
auto naming_source(const std::string& source, Import import) {
  try {
    return import();
  } catch (const InputError& error) {
    const std::string message = error.what();
    throw InputError(message.starts_with(source) ? message : source + ": " + message);
  }
}

class FileObstacles {
 public:
  void add(const FileObstacle& obstacle) { obstacles_.push_back(obstacle); }
  void add(const std::string& what) { add(FileObstacle("", "", what)); }
  [[nodiscard]] bool empty() const { return obstacles_.empty(); }

  /// Equal reasons once, counted: "2 x ADD: adds a constant, … (first: operator 7, tensor 12 'x')".
  /// Operators that are not supported come first. Of very many kinds the last are only counted.
  [[nodiscard]] std::string text() const;
  /// The same, a reason a line, and all of them.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  std::vector<FileObstacle> obstacles_;
};

}  // namespace patchnas
