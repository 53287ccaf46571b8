#pragma once

// The firmware that measures operators (runtime/measuring/), built for a target, running, and at
// the other end of a line; or its sources, for a board.
//
//   LatencyFirmware firmware(RunTarget::kCortexM4);
//   const FirmwareInfo info = firmware.line().hello();

#include <filesystem>
#include <memory>
#include <vector>

#include "arch/patch_schedule.h"
#include "latency_models/measuring_line.h"
#include "search/base/process.h"
#include "search/package/toolchain.h"

namespace patchnas {

/// A small network that the firmware can run as a whole under some schedules: what it takes beyond
/// its operators is what a program executes between them. The firmware's own sources,
/// runtime/measuring/, call these programs calibration.
struct OverheadPrograms {
  Network network;
  std::vector<PatchSchedule> schedules;  ///< layer by layer first
};
const OverheadPrograms& overhead_programs();

/// @throws InputError unless the folder is absent, empty, or holds these sources, perhaps older
/// ones.
void require_firmware_place(const std::filesystem::path& folder);

/// Everything that the firmware is compiled from: runtime/, measuring/, the programs of overheads
/// and README.md. For a board, measuring/port_cortex_m.c and the board's own code are added.
/// @throws InputError with path and reason.
void write_firmware_sources(const std::filesystem::path& folder);

class LatencyFirmware {
 public:
  /// Compiles for the target and starts it, emulated or on this machine.
  /// @throws InputError as require_tools().
  explicit LatencyFirmware(RunTarget target);

  [[nodiscard]] MeasuringLine& line() { return *line_; }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<ChildProcess> process_;
  std::unique_ptr<MeasuringLine> line_;
};

/// Firmware that runs on a board, at a serial port.
class BoardLine {
 public:
  /// @throws InputError as open_serial_port().
  BoardLine(const std::string& device, int baud, LinePatience patience);
  BoardLine(const BoardLine&) = delete;
  BoardLine& operator=(const BoardLine&) = delete;
  ~BoardLine();

  [[nodiscard]] MeasuringLine& line() { return line_; }

 private:
  int port_;
  MeasuringLine line_;
};

}  // namespace patchnas
