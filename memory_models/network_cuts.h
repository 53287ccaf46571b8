#pragma once

// Where segments of a network that cache rows may begin and end: its cuts, by number. What a sweep
// over all such segments knows of the network before any of them is drawn.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "arch/tile_geometry.h"

namespace patchnas {

class NetworkCuts {
 public:
  /// `network` must be valid and stay as it is.
  void assign(const Network& network);

  [[nodiscard]] const Network& network() const { return *network_; }
  [[nodiscard]] const NetworkTaps& taps() const { return taps_; }

  /// The first cut is before the first layer, the last behind the last one.
  [[nodiscard]] int count() const { return static_cast<int>(cuts_.size()); }
  /// Before which a cut is.
  [[nodiscard]] int layer(int cut) const { return cuts_[static_cast<std::size_t>(cut)]; }
  /// The first cut that is not before `layer`.
  [[nodiscard]] int cut(int layer) const {
    return static_cast<int>(std::lower_bound(cuts_.begin(), cuts_.end(), layer) - cuts_.begin());
  }

  [[nodiscard]] bool may_be_segment(int first, int end) const {
    const std::vector<char>& ends = ends_[static_cast<std::size_t>(first)];
    return !is_beyond(first, end) &&
           ends[static_cast<std::size_t>(layer(end) - layer(first) - 1)] != 0;
  }
  /// Of the segments that end at a cut, where the longest begins; the cut itself if there is none.
  [[nodiscard]] int first_cut(int end) const { return first_cuts_[static_cast<std::size_t>(end)]; }
  /// Up to which the longest segment goes that begins at a cut.
  [[nodiscard]] int last_end_layer(int first) const {
    return layer(first) + static_cast<int>(ends_[static_cast<std::size_t>(first)].size());
  }
  /// Of layers that write channels of one tensor, whether others of the segment still write after
  /// this one; of another layer false. Segments hold all of them or none.
  [[nodiscard]] bool is_written_on(int layer, int end_layer) const {
    return taps_.continuing_layer(layer + 1) < end_layer;
  }
  /// The first of them.
  [[nodiscard]] int first_writer(int layer) const {
    while (taps_.continued_tensor(layer) != kNoTensor) {
      layer = taps_.continued_tensor(layer) - 1;
    }
    return layer;
  }
  /// Whether the last layer of a segment adds up its input as it comes.
  [[nodiscard]] bool sums(int first_layer, int end_layer) const {
    return adds_up(Segment::rows(first_layer, end_layer, 1, 1), taps_.is_global_sum(end_layer - 1));
  }

 private:
  [[nodiscard]] bool is_beyond(int first, int end) const {
    return layer(end) > last_end_layer(first);
  }

  const Network* network_ = nullptr;
  NetworkTaps taps_;
  std::vector<int> cuts_;
  std::vector<std::vector<char>> ends_;  // by first cut, as segment_ends() has them
  std::vector<int> first_cuts_;          // by end
};

}  // namespace patchnas
