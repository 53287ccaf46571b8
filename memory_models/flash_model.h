#pragma once

// Flash that an exported int8 network takes: its constants, the tables of its schedule, and the
// code of the kernels that it calls. The loop that calls them is not counted, nor are the
// rectangles of a streamed image.
//
//   const FlashReport flash = flash_report(network, schedule, Core::kCortexM7);
//   if (flash.total_bytes() > limit) reject();
//
// Nothing here allocates memory, and only `schedule_tables_bytes` depends on the schedule: whoever
// looks at many schedules of one network adds schedule_tables_bytes() to what the network has
// without one.

#include <compare>
#include <cstdint>

#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "memory_models/arena_plan.h"
#include "memory_models/code_size_table.h"

namespace patchnas {

struct FlashReport {
  std::int64_t weights_bytes = 0;           ///< int8
  std::int64_t biases_bytes = 0;            ///< int32 per output channel
  std::int64_t requantisation_bytes = 0;    ///< int32 multiplier, int8 shift per output channel
  std::int64_t layer_parameters_bytes = 0;  ///< the structs that the kernels are called with
  std::int64_t schedule_tables_bytes = 0;   ///< see schedule_tables_bytes()
  std::int64_t code_bytes = 0;              ///< of the kernels, each once

  [[nodiscard]] std::int64_t total_bytes() const {
    return weights_bytes + biases_bytes + requantisation_bytes + layer_parameters_bytes +
           schedule_tables_bytes + code_bytes;
  }
  FlashReport& operator+=(const FlashReport& other);
  auto operator<=>(const FlashReport&) const = default;
};

/// The kernels that a network of these kinds of layers may call: a depthwise layer runs in place or
/// not, as the arena's plan has it, so both forms are in the set. A softmax has no kernel in
/// runtime/.
KernelSet kernels_of(const Network& network);
/// Exactly the kernels that the program with this plan calls.
KernelSet kernels_of(const Network& network, const ArenaPlan& plan);

/// A tile's rows are four 16-bit numbers for each layer of its segment: where the computed interval
/// and the window begin and end; its columns are four more. A segment of r x c tiles stores each of
/// its r row and c column intervals once.
inline constexpr std::int64_t kLayerSpanBytes = 4 * sizeof(std::uint16_t);
std::int64_t schedule_tables_bytes(const Segment& segment);
std::int64_t schedule_tables_bytes(const PatchSchedule& schedule);

/// What one layer adds: everything but code, which layers share. Both must be valid (validate()).
FlashReport layer_flash(const Network& network, const PatchSchedule& schedule, int layer);

/// The whole network, with the code of kernels_of(network): no less than the program has, and at
/// most one of the two depthwise kernels more.
FlashReport flash_report(const Network& network, const PatchSchedule& schedule, Core core);
/// The same with the code of exactly these kernels.
FlashReport flash_report(const Network& network, const PatchSchedule& schedule, Core core,
                         const KernelSet& kernels);

}  // namespace patchnas
