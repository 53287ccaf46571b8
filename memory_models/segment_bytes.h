#pragma once

// SRAM of one segment that caches rows, from what its layers are like along rows and columns: the
// lower bound of the `deployed` arena while the segment runs, as the execution plan has it.

#include <cstdint>
#include <vector>

#include "arch/execution_plan.h"
#include "memory_models/network_cuts.h"
#include "memory_models/segment_axes.h"

namespace patchnas {

class SegmentBytes {
 public:
  /// @param cuts of the network at hand; must outlive it
  SegmentBytes(const NetworkCuts& cuts, InputMode input) : cuts_(cuts), input_(input) {}

  /// `cuts` have changed.
  void assign();

  /// Of the segment between two cuts. More than `most_bytes` may be said to be the largest number
  /// there is.
  std::int64_t bytes(const SegmentRows& rows, const SegmentColumns& columns, int first, int end,
                     int strips, std::int64_t most_bytes);

  /// A lower bound of bytes() with so many rows a step, quickly; where it is more than
  /// `most_bytes`, some number that is. It grows with the rows, as long as these have the same
  /// fewest_alike().
  /// @param one_row of one row a step
  [[nodiscard]] std::int64_t least_bytes(const SegmentRows& one_row, const SegmentColumns& columns,
                                         int first, int end, int step_rows, int strips,
                                         std::int64_t most_bytes) const;
  /// The fewest rows a step with which, for all that least_bytes() knows, the same is kept from one
  /// step to the next.
  [[nodiscard]] int fewest_alike(const SegmentRows& one_row, int first, int end,
                                 int step_rows) const;

  /// Whether a streamed image is held in parts by a segment.
  [[nodiscard]] bool is_window_of_image(int first_layer, int end_layer) const {
    return first_layer == 0 && input_ == InputMode::kStreamed &&
           cuts_.taps().last_reader(kImage) < end_layer;
  }
  /// Whether a layer is a depthwise one that writes over what dies of its input.
  [[nodiscard]] bool lies_over_dying(int layer, const SegmentRows& rows,
                                     const SegmentColumns& columns, bool is_summed) const;

 private:
  struct Held {
    std::int64_t bytes = 0;
    int first_step = 0;
    int last_step = 0;
    bool keeps = false;
    int over = -1;  // of the layers that computed what it lies over
  };

  void hold(std::int64_t bytes, int from, int to);
  [[nodiscard]] std::int64_t scratch(int layer, const SegmentRows& rows,
                                     const SegmentColumns& columns) const;
  [[nodiscard]] bool may_lie_over(int layer, int input, int first_layer) const;
  void write_over_input(int layer, const RoomOverInput& over, const LayerColumns& columns,
                        Held& held);
  void share(Held& held);
  void write_behind_input(int layer, const RoomOverInput& over, const LayerColumns& columns,
                          const Held& held);

  const NetworkCuts& cuts_;
  InputMode input_;
  std::vector<std::int64_t> elements_;  // by tensor
  std::vector<int> channels_;
  std::vector<char> is_pointwise_;  // by layer
  std::vector<char> has_scratch_;
  std::vector<char> lies_apart_;    // never over an input
  std::vector<std::int64_t> live_;  // by first cut: what lives through all that begins there
  // Of the segment at hand, whose steps are its layers.
  int first_layer_ = 0;
  std::vector<Held> held_;            // by step
  std::vector<std::int64_t> change_;  // of what is live, before each step
};

}  // namespace patchnas
