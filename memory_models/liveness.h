#pragma once

// Which tensors are in memory while each layer runs, how much of them, and which layers may work in
// place: what all memory models agree on.

#include <cstdint>
#include <vector>

#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "arch/tile_geometry.h"
#include "memory_models/arena_planner.h"

namespace patchnas {

/// `resident`: the whole image sits in SRAM and counts. `streamed`: a callback delivers the
/// rectangle that a patch needs, and only that counts.
enum class InputMode { kResident, kStreamed };
inline constexpr InputMode kInputModes[] = {InputMode::kResident, InputMode::kStreamed};

/// Geometry of every segment, in order; shared by the models and the executors.
std::vector<SegmentGeometry> segment_geometries(const Network& network,
                                                const PatchSchedule& schedule);

/// Keeps a reference to the network.
class Liveness {
 public:
  Liveness(const Network& network, const PatchSchedule& schedule, InputMode input);

  /// The segment that `layer` runs in, or null.
  [[nodiscard]] const SegmentGeometry* segment_of(int layer) const;

  /// The segment in which `tensor` is held as a window, or null where the whole tensor is in
  /// memory.
  [[nodiscard]] const SegmentGeometry* windowed_in(TensorId tensor) const;

  /// Bytes of int8 data: of the whole tensor, or of its largest window over all tiles.
  [[nodiscard]] std::int64_t tensor_bytes(TensorId tensor) const;

  /// Size and lifetime. Time is counted in layers. A segment's layers repeat for every tile, so
  /// what one of them reads from outside, and what it leaves for later, lives through all of them.
  [[nodiscard]] ArenaBuffer lifetime(TensorId tensor) const;

  /// The input (0 or 1) that `layer` can write its output over, or -1: a depthwise layer's only
  /// input, or an addend with the same window; in each case only if nothing reads it later, and
  /// never the image, which is the caller's.
  [[nodiscard]] int in_place_input(int layer) const;

 private:
  [[nodiscard]] bool windows_agree(int layer, TensorId a, TensorId b) const;

  const Network& network_;
  InputMode input_;
  std::vector<SegmentGeometry> geometries_;
  std::vector<int> last_reader_;
};

}  // namespace patchnas
