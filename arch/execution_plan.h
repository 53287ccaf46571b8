#pragma once

// A network under a schedule as what is executed, decided in this one place: which kernel computes
// which layers, in which order and loops, on which rectangles, what is written over what, which
// scratch a kernel gets, when the image is fetched. Arena planner, flash model, latency operators,
// integer reference, C emitter and reports read it.
//
//   const ExecutionPlan plan(network, schedule, InputMode::kStreamed);
//   for (const Loop& loop : plan.loops())
//     for (const Tile& tile : tiles(loop)) {
//       if (loop.fetches_image) fetch(plan.fetched(tile));
//       for (int step = loop.first_step; step < loop.end_step; ++step)
//         if (plan.runs(step, tile)) run(plan.steps()[step], plan.computed(step, tile));
//       for (TensorId tensor : loop.slides) move_to_front(plan.kept(tensor, tile));
//     }

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "arch/network.h"
#include "arch/operator_table.h"
#include "arch/patch_schedule.h"
#include "arch/tile_geometry.h"

namespace patchnas {

/// `resident`: the whole image sits in SRAM and counts. `streamed`: a callback delivers the
/// rectangle that is needed next, and only what is held counts.
enum class InputMode { kResident, kStreamed };
inline constexpr InputMode kInputModes[] = {InputMode::kResident, InputMode::kStreamed};
std::string_view to_string(InputMode input);

/// Which bytes a step's output shares with an earlier tensor.
struct Overlap {
  TensorId tensor = kNoTensor;      ///< none if it shares none
  std::int64_t distance_bytes = 0;  ///< from the tensor's first byte to the output's first
  /// The distance is only the largest: the output may begin earlier, or lie apart.
  bool may_lie_apart = false;
  bool operator==(const Overlap&) const = default;
};

/// One call of one kernel, in every tile of the loop that it is in.
struct Step {
  int first_layer = 0;  ///< it computes layers [first_layer, end_layer)
  int end_layer = 0;
  KernelFunction kernel = KernelFunction::kConvolve;
  std::array<TensorId, 2> inputs{kNoTensor, kNoTensor};
  TensorId output = kNoTensor;
  /// The input that nothing reads afterwards and whose place the kernel takes, from its first byte
  /// on: -1 if there is none.
  int dying_input = -1;
  /// That input; or the one that a pointwise layer writes over some pixels behind; or, of a
  /// segment's last step, the tensor that the segment reads, of which it writes over what no later
  /// tile reads.
  Overlap overlap{};
  /// An addition's output may as well lie apart, or in the place of its other input if that dies
  /// too.
  bool may_move = false;
  TensorId instead = kNoTensor;
  std::int64_t scratch_bytes = 0;
  /// The scratch holds an int32 sum for every channel, to which each tile of the loop adds what it
  /// reads, with a kernel for parts; the last one computes the output from them.
  bool adds_up = false;
  KernelFunction part_kernel = KernelFunction::kSumPixels;
  /// False if no tile computes any of it, as before a stride that skips all of it, and of inputs.
  bool runs = true;
  bool operator==(const Step&) const = default;

  [[nodiscard]] int input_count() const { return inputs[1] == kNoTensor ? 1 : 2; }
};

/// Steps [first_step, end_step), once for every tile of the grid; without a geometry once.
struct Loop {
  int first_step = 0;
  int end_step = 0;
  std::optional<SegmentGeometry> geometry{};
  bool fetches_image = false;  ///< a tile begins with fetching what it newly needs of the image
  /// Whose windows keep rows: after each tile these are moved to the beginning of the buffer.
  std::vector<TensorId> slides{};

  [[nodiscard]] bool contains(int step) const { return first_step <= step && step < end_step; }
  [[nodiscard]] TileGrid grid() const { return geometry ? geometry->grid() : TileGrid{}; }
  [[nodiscard]] bool caches_rows() const { return geometry && geometry->caches_rows(); }
};

/// One tile of a loop; without a loop nothing but whole tensors is in memory.
struct Tile {
  const Loop* loop = nullptr;
  int row = 0;
  int col = 0;
};
/// In their order: row by row, or, where rows are cached, strip by strip from top to bottom.
std::vector<Tile> tiles(const Loop& loop);

/// How a tensor is kept: [H, W, C], tightly packed.
struct HeldTensor {
  TensorShape shape;
  /// In plan.loops(): every tile holds its own window of the tensor. Else the whole tensor is in
  /// memory.
  std::optional<int> loop{};
  /// In whose bytes it is: its own, or of the tensor that goes on with it (continued_tensor()).
  TensorId bytes_of = kNoTensor;
  /// Of the largest window over all tiles, or of the whole; 0 in another's.
  std::int64_t bytes = 0;
  /// While it must be kept. A loop's steps repeat for every tile, so what one of them reads from
  /// outside, what it leaves for later and rows that the next tile reads are kept through all of
  /// them.
  int first_step = 0;
  int last_step = 0;
  bool operator==(const HeldTensor&) const = default;
};

class ExecutionPlan {
 public:
  /// Both must be valid (validate()).
  ExecutionPlan(const Network& network, const PatchSchedule& schedule, InputMode input);

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] const std::vector<Loop>& loops() const { return loops_; }
  [[nodiscard]] InputMode input() const { return input_; }
  [[nodiscard]] int tensor_count() const { return static_cast<int>(tensors_.size()); }
  [[nodiscard]] const HeldTensor& tensor(TensorId tensor) const {
    return tensors_[static_cast<std::size_t>(tensor)];
  }
  [[nodiscard]] const Step& step(int step) const { return steps_[static_cast<std::size_t>(step)]; }
  [[nodiscard]] const Loop& loop_of(int step) const;
  /// Of the segment that it is in; null outside segments.
  [[nodiscard]] const SegmentGeometry* geometry_of(int step) const {
    const Loop& loop = loop_of(step);
    return loop.geometry ? &*loop.geometry : nullptr;
  }
  [[nodiscard]] int step_of_layer(int layer) const;
  /// A streamed image that more than one loop reads, or layers between loops, is fetched whole
  /// before the first step.
  [[nodiscard]] bool fetches_whole_image() const {
    return input_ == InputMode::kStreamed && !tensor(kImage).loop;
  }

  /// The rectangle of the tensor that is in memory during the tile. Where rows are cached, its
  /// first rows may lie above the tensor: room that nothing reads.
  [[nodiscard]] Rect held(TensorId tensor, const Tile& tile) const;
  /// Of what is held, the rows that the next tile begins with: empty if there are none.
  [[nodiscard]] Rect kept(TensorId tensor, const Tile& tile) const;
  /// What is fetched of the image in a loop that does; empty if the tile has all it needs.
  [[nodiscard]] Rect fetched(const Tile& tile) const;
  /// What the step newly computes of its output; the rest of what is held was there before.
  [[nodiscard]] Rect computed(int step, const Tile& tile) const;
  /// Whether it does anything in the tile.
  [[nodiscard]] bool runs(int step, const Tile& tile) const;
  /// What the step reads of its inputs[input].
  [[nodiscard]] Rect read(int step, int input, const Tile& tile) const;

 private:
  void add_loop(const Network& network, const NetworkTaps& taps, const Segment* segment,
                int end_layer);
  void hold(const NetworkTaps& taps, TensorId tensor);
  void join_continued();
  void write_over_consumed(const NetworkTaps& taps, const Loop& loop);

  InputMode input_;
  std::vector<Step> steps_;
  std::vector<Loop> loops_;
  std::vector<HeldTensor> tensors_;
};

/// In which order a layer's inputs are asked for their place: the oldest first. A residual can lie
/// anywhere, a projection lies in front of what it was written over.
/// @return the index of the one that is asked after `asked` others
constexpr int by_age(const std::array<TensorId, 2>& inputs, int asked) {
  return inputs[1] != kNoTensor && inputs[1] < inputs[0] ? 1 - asked : asked;
}

/// Of a layer that is added up as its input comes: what adds a part, and what computes the output
/// in the end.
KernelFunction part_kernel(const Layer& layer);
KernelFunction sum_kernel(const Layer& layer);

/// How one layer is executed, as a step of its own
/// @param taps of the network
/// @param geometry of the segment that it is in; null outside segments
Step step_of(const Network& network, const NetworkTaps& taps, int layer,
             const SegmentGeometry* geometry);

}  // namespace patchnas
