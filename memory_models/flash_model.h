#pragma once

// Flash that an exported int8 network takes: its constants, the tables of its schedule, the program
// that calls the kernels, and the code of the kernels that it calls.
//
//   const ExecutionPlan plan(network, schedule, InputMode::kResident);
//   if (flash_report(network, plan, Core::kCortexM7).total_bytes() > limit) reject();
//
// Code is measured, not computed: of the kernels to the byte (code_size_table.h), of the program as
// the sum of its calls (program_size.h).

#include <array>
#include <compare>
#include <cstdint>
#include <vector>

#include "arch/execution_plan.h"
#include "memory_models/code_size_table.h"
#include "memory_models/program_size.h"
#include "memory_models/schedule_sweep.h"

namespace patchnas {

struct FlashReport {
  std::int64_t weights_bytes = 0;           ///< int8
  std::int64_t biases_bytes = 0;            ///< int32 per output channel
  std::int64_t requantisation_bytes = 0;    ///< int32 multiplier, int8 shift per output channel
  std::int64_t layer_parameters_bytes = 0;  ///< the structs that the kernels are called with
  std::int64_t schedule_tables_bytes = 0;   ///< see span_table_bytes()
  std::int64_t program_bytes = 0;  ///< the generated code: a call for each layer, and loops
  std::int64_t code_bytes = 0;     ///< of the kernels, each once

  [[nodiscard]] std::int64_t total_bytes() const {
    return weights_bytes + biases_bytes + requantisation_bytes + layer_parameters_bytes +
           schedule_tables_bytes + program_bytes + code_bytes;
  }
  FlashReport& operator+=(const FlashReport& other);
  auto operator<=>(const FlashReport&) const = default;
};

/// The kernels that the layers call outside segments that cache rows.
KernelSet kernels_of_layers(const Network& network);
/// Exactly the kernels that the plan's program calls.
KernelSet kernels_of(const ExecutionPlan& plan);

/// A tile's rows are four 16-bit numbers for each layer of its segment: where the computed interval
/// and the window begin and end; its columns are four more. A segment of r x c tiles stores each of
/// its r row and c column intervals once for each layer, and for an image that is streamed patch by
/// patch; along an axis with one tile they are constants of the program.
inline constexpr std::int64_t kLayerSpanBytes = 4 * sizeof(std::uint16_t);
/// Of one layer.
std::int64_t span_table_bytes(const TileGrid& grid);
/// Where rows are cached, two numbers for each layer before the first step and after each: the
/// first row that its buffer holds and the end of those that are computed. Bytes of such a number:
/// as few as all loops of the plan can do with.
std::int64_t row_count_bytes(const ExecutionPlan& plan);

/// What one step adds: everything but the code of kernels, which steps share, and the parts of the
/// program around the calls.
FlashReport step_flash(const Network& network, const ExecutionPlan& plan, Core core, int step);

/// The whole network, with the code of exactly the kernels that the plan calls.
FlashReport flash_report(const Network& network, const ExecutionPlan& plan, Core core);

/// Flash under every schedule of one network that a ScheduleSweep has looked at: what
/// flash_report() says, in a few additions a schedule. Keeps its working memory, as the sweep does.
///
///   flash.prepare(network);
///   for (const ScheduleCosts& costs : sweep.run(network)) { ... flash.total_bytes(costs) ... }
class FlashSweep {
 public:
  /// The input must be the sweep's.
  FlashSweep(InputMode input, Core core) : input_(input), core_(core) {}

  /// `network` must be valid.
  void prepare(const Network& network);
  /// Of the network that was prepared last.
  [[nodiscard]] std::int64_t total_bytes(const ScheduleCosts& costs) const;

 private:
  InputMode input_;
  Core core_;
  std::int64_t whole_bytes_ = 0;  // layer by layer
  std::int64_t patch_loops_bytes_ = 0;
  std::vector<std::int64_t> more_in_patches_;  // by split layer: what its calls add
  int last_reader_of_image_ = 0;
};

}  // namespace patchnas
