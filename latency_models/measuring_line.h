#pragma once

// The host's end of the line to the measuring firmware (runtime/measuring/firmware.c): a pipe, a
// pseudo-terminal or a serial port.
//
//   MeasuringLine line(read_end, write_end, {.answer_timeout = 5s});
//   const FirmwareInfo info = line.hello();
//   const std::vector<std::int64_t> costs = line.run(key, 3);
//
// Whatever is lost or garbled on the line, and resets of the other end, are survived: a request
// without a good answer is sent again. Requests leave nothing behind, so that none can count twice.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "latency_models/operators.h"

namespace patchnas {

struct FirmwareInfo {
  std::string target;   ///< "cortex-m4", or the name of a board
  std::string unit;     ///< "instructions", "cycles" or "nanoseconds"
  std::string kernels;  ///< the version of runtime/ that it was built with
};

struct LinePatience {
  std::chrono::milliseconds answer_timeout{10000};
  int attempts = 5;  ///< at one request
};

class MeasuringLine {
 public:
  /// File descriptors, perhaps the same one; they stay the caller's.
  MeasuringLine(int read_end, int write_end, LinePatience patience)
      : read_end_(read_end), write_end_(write_end), patience_(patience) {}

  /// @throws Error if nothing answers; InputError if the firmware speaks another protocol.
  FirmwareInfo hello();

  /// Costs of `repeats` executions; empty if the operator does not fit the board's memory.
  /// @throws Error if nothing answers.
  std::vector<std::int64_t> run(const OperatorKey& key, int repeats);

  /// Costs of `repeats` inferences of a package that the firmware brings along.
  /// @throws Error if nothing answers.
  std::vector<std::int64_t> run_package(int index, int repeats);

  /// Requests that had to be sent again since hello().
  [[nodiscard]] int resent() const { return resent_; }

 private:
  struct Answer {
    bool ok = false;
    std::string text;
  };

  Answer request(const std::string& command);
  /// The text of the next good line; nothing at the deadline.
  std::optional<std::string> receive(std::chrono::steady_clock::time_point deadline);
  void send(const std::string& text) const;

  int read_end_;
  int write_end_;
  LinePatience patience_;
  std::string received_;  // not yet a line
  int number_ = 0;
  int resent_ = 0;
};

/// CRC-16/CCITT of a line's text.
std::uint16_t line_checksum(std::string_view text);

/// Opens a serial port, raw, 8 data bits, no parity; the descriptor is closed by the caller.
/// @param baud 9600, 57600, 115200, 230400, 460800 or 921600
/// @throws InputError if there is none, it is no terminal, or the rate is not one of these.
int open_serial_port(const std::string& device, int baud);

}  // namespace patchnas
