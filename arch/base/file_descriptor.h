#pragma once

#include <unistd.h>

namespace patchnas {

/// An open file, closed whatever happens; negative if it could not be opened.
class FileDescriptor {
 public:
  explicit FileDescriptor(int value) : value_(value) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  [[nodiscard]] int get() const { return value_; }
  /// Errors of a delayed write may surface only here.
  int close() {
    const int status = ::close(value_);
    value_ = -1;
    return status;
  }

 private:
  int value_;
};

}  // namespace patchnas
