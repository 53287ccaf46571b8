#pragma once

// The one place for tile geometry: which rows and columns of every layer each tile computes and
// reads, clipped at the true image border. Memory model, latency model, MAC count, integer
// reference and C emitter all read it.
//
//   SegmentGeometry geometry(network, segment);
//   for (int row = 0; row < geometry.grid().rows; ++row)
//     for (int col = 0; col < geometry.grid().cols; ++col)
//       for (int layer = segment.first_layer; layer < segment.end_layer; ++layer)
//         run(layer, geometry.tile(layer, row, col));
//
// The two axes are independent, so everything is kept per axis: a rectangle is a row interval times
// a column interval, and sums of areas over all tiles are products of sums.

#include <array>
#include <compare>
#include <cstdint>
#include <limits>
#include <vector>

#include "arch/axis_taps.h"
#include "arch/network.h"
#include "arch/patch_schedule.h"

namespace patchnas {

struct Rect {
  Interval rows;
  Interval cols;

  [[nodiscard]] std::int64_t pixels() const { return std::int64_t{rows.size()} * cols.size(); }
  [[nodiscard]] bool contains(const Rect& other) const {
    return rows.contains(other.rows) && cols.contains(other.cols);
  }
  auto operator<=>(const Rect&) const = default;
};

Rect full_rect(const TensorShape& shape);

/// Tile `index` of an even partition: [index * extent / parts, (index + 1) * extent / parts).
constexpr Interval even_part(int extent, int parts, int index) {
  static_assert(kLargestExtent <= std::numeric_limits<int>::max() / kLargestGrid);
  return {extent * index / parts, extent * (index + 1) / parts};
}

/// All that tile geometry needs to know of a network, drawn together for those who ask for many
/// segments of it.
class NetworkTaps {
 public:
  /// Of nothing, until assign().
  NetworkTaps() = default;
  explicit NetworkTaps(const Network& network, Borders borders = Borders::kClip) {
    assign(network, borders);
  }
  /// Another network's, in the same memory.
  void assign(const Network& network, Borders borders = Borders::kClip);

  [[nodiscard]] const AxisTaps& taps(Axis axis, int layer) const {
    return layers_[static_cast<std::size_t>(layer)].axes[static_cast<std::size_t>(axis)];
  }
  [[nodiscard]] const std::array<TensorId, 2>& inputs(int layer) const {
    return layers_[static_cast<std::size_t>(layer)].inputs;
  }
  /// As last_readers() has it.
  [[nodiscard]] int last_reader(TensorId tensor) const {
    return last_readers_[static_cast<std::size_t>(tensor)];
  }
  [[nodiscard]] const std::vector<int>& last_readers() const { return last_readers_; }
  /// As continued_tensor() has it.
  [[nodiscard]] TensorId continued_tensor(int layer) const {
    return layers_[static_cast<std::size_t>(layer)].continued;
  }
  /// Whether any layer has one.
  [[nodiscard]] bool has_continued_tensors() const { return has_continued_tensors_; }
  /// The layer that goes on writing the tensor's channels, from it on alone its reader; the number
  /// of layers if none does.
  [[nodiscard]] int continuing_layer(TensorId tensor) const {
    const int reader = last_reader(tensor);
    const int layers = static_cast<int>(layers_.size());
    return reader >= 0 && reader < layers && continued_tensor(reader) == tensor ? reader : layers;
  }
  /// As is_global_sum() has it.
  [[nodiscard]] bool is_global_sum(int layer) const {
    return layers_[static_cast<std::size_t>(layer)].is_global_sum;
  }
  /// Whether what the layers before `layer` compute is read by none behind it.
  [[nodiscard]] bool is_cut(int layer) const {
    return layers_[static_cast<std::size_t>(layer)].is_cut;
  }
  /// As Network::input_count() has it.
  [[nodiscard]] int input_count() const { return input_count_; }
  /// Whether no layer tells rows from columns.
  [[nodiscard]] bool axes_agree() const { return axes_agree_; }

 private:
  struct LayerTaps {
    std::array<AxisTaps, 2> axes;
    std::array<TensorId, 2> inputs{kImage, kNoTensor};
    TensorId continued = kNoTensor;
    bool is_global_sum = false;
    bool is_cut = true;
  };

  std::vector<LayerTaps> layers_;
  std::vector<int> last_readers_;
  int input_count_ = 1;
  bool axes_agree_ = true;
  bool has_continued_tensors_ = false;
};

/// One layer in one tile, along one axis. Every buffer is a window onto its layer's full output;
/// `computed` is the newly computed part of it. Recomputed halos: the whole window is new in each
/// tile. Cached rows: a window begins with the rows that were kept from the step before; above the
/// tensor's first row it has room for the padding that its readers skip there, so that every row
/// passes through the window in the same way. A tensor that is read after the segment (its output,
/// or a residual that leaves it) is materialised: its window is everything.
struct LayerSpan {
  Interval computed;
  Interval window;
  std::array<Interval, 2> inputs;  ///< read of each input, clipped
  bool operator==(const LayerSpan&) const = default;
};

/// One layer in one tile: rectangles of its own output and of its inputs, in the coordinates of the
/// full tensors.
struct LayerTile {
  Rect computed;
  Rect window;
  std::array<Rect, 2> inputs;
  bool operator==(const LayerTile&) const = default;
};

/// Of a segment that caches rows, how many its first layer computes in the first step: such that
/// the step that completes the first rows of the paced layer, as many as a step gives of it, leaves
/// none over.
int first_step_rows(const NetworkTaps& taps, const Segment& segment);

class SegmentGeometry {
 public:
  /// Both must be valid (validate()). The output of the segment's last layer is partitioned evenly:
  /// tile i of p gets [i*H/p, (i+1)*H/p).
  SegmentGeometry(const Network& network, const Segment& segment) { assign(network, segment); }
  /// Of nothing, until assign().
  SegmentGeometry() = default;
  /// Another network's or segment's geometry, in the same memory.
  void assign(const NetworkTaps& taps, const Segment& segment);
  void assign(const Network& network, const Segment& segment) {
    assign(NetworkTaps(network), segment);
  }
  /// The same segment with another end; `taps` must be what was last assigned. Segments with
  /// nearby ends often have the same tiles in their first layers, which are then kept.
  /// @return the first layer whose tiles may be others than before
  int move_end(const NetworkTaps& taps, int end_layer);
  /// With more rows a step: steps of one row are taken together, `first_rows` of them and then
  /// always `step_rows`, which is what a segment executes whose first_step_rows() they are, with an
  /// end here or before.
  /// @param one_row caches rows, one a step
  void take_together(const SegmentGeometry& one_row, int step_rows, int first_rows);

  [[nodiscard]] const Segment& segment() const { return segment_; }
  /// As executed: a segment that caches rows has a row of tiles for every step.
  [[nodiscard]] TileGrid grid() const { return grid_; }
  [[nodiscard]] bool caches_rows() const { return segment_.halo() == HaloPolicy::kCache; }
  /// Whether the last layer adds up what every tile brings, and is computed in the last one
  /// (adds_up()); what a tile brings is then what the layer reads.
  [[nodiscard]] bool adds_up() const { return adds_up_; }

  /// `layer` counts from the network's start and must lie in the segment.
  [[nodiscard]] LayerTile tile(int layer, int row, int col) const;
  [[nodiscard]] const LayerSpan& span(Axis axis, int layer, int index) const {
    return spans_[slot(axis)]
                 [static_cast<std::size_t>((layer - segment_.first_layer) * tiles(axis) + index)];
  }
  /// Whether spans of rows and columns are equal throughout.
  [[nodiscard]] bool axes_agree() const { return axes_agree_; }

  /// Whether the tensor is complete in memory after the segment: written by it and read after it.
  [[nodiscard]] bool materialised(TensorId tensor) const;

  /// What one tile needs of a tensor from outside the segment: the hull over its readers in the
  /// segment; empty if none reads it. Where rows are cached, those that later steps read again are
  /// part of it.
  [[nodiscard]] Rect external_window(TensorId tensor, int row, int col) const;
  /// The part of it that no step before needed: all of it where halos are recomputed.
  [[nodiscard]] Rect external_new(TensorId tensor, int row, int col) const;

  /// Of a tensor's window in one step, the rows that the next step's begins with: they have to be
  /// moved there. Empty in the last step, and where halos are recomputed.
  [[nodiscard]] Interval kept_rows(TensorId tensor, int row) const;
  /// Whether any are in any step.
  [[nodiscard]] bool keeps_rows(TensorId tensor) const;

  /// Pixels of the largest window, over all tiles, of the buffer that holds `tensor` while the
  /// segment runs: of a tensor the segment computes, its window; of one from outside, what a tile
  /// reads.
  [[nodiscard]] std::int64_t largest_window_pixels(TensorId tensor) const;
  /// The most output rows (or columns) of `layer` that any tile computes.
  [[nodiscard]] int largest_computed(Axis axis, int layer) const;

  /// Output pixels of `layer` summed over all tiles, recomputed halos included.
  [[nodiscard]] std::int64_t computed_pixels(int layer) const;

 private:
  /// Of a tensor from outside, as of a layer's output.
  struct ExternalSpan {
    Interval added, window;
  };

  static Interval second_input(const NetworkTaps& taps, int layer, const LayerSpan& span);
  int compute(const NetworkTaps& taps, int known_end);
  int compute_axis(const NetworkTaps& taps, Axis axis, int known_end);
  void compute_cached_rows(const NetworkTaps& taps);
  [[nodiscard]] ExternalSpan external_span(Axis axis, TensorId tensor, int index) const;
  [[nodiscard]] int tiles(Axis axis) const { return axis == Axis::kRows ? grid_.rows : grid_.cols; }
  [[nodiscard]] LayerSpan& row_span(int layer, int step) {
    return spans_[0][static_cast<std::size_t>((layer - segment_.first_layer) * grid_.rows + step)];
  }
  // Where the axes agree, both are kept as rows.
  [[nodiscard]] std::size_t slot(Axis axis) const {
    return axes_agree_ ? 0 : static_cast<std::size_t>(axis);
  }

  Segment segment_;
  TileGrid grid_;
  bool adds_up_ = false;
  bool axes_agree_ = false;
  std::vector<std::array<TensorId, 2>> inputs_;  // of each layer in the segment
  std::vector<char> materialised_;               // of each layer's output
  std::array<std::vector<LayerSpan>, 2> spans_;  // per axis: [layer][tile index]
  // [layer][tile index]: hull of what the readers need that were computed already. All empty
  // between computations.
  std::vector<Interval> needed_;
};

/// Multiply-accumulates of one inference under a schedule, halos included, clipped at the image
/// border.
std::int64_t scheduled_macs(const Network& network, const PatchSchedule& schedule);
/// The same of each layer.
std::vector<std::int64_t> scheduled_layer_macs(const Network& network,
                                               const PatchSchedule& schedule);

/// The same if every tile were the largest, far from all borders: what MCUNetV2's overheads count.
/// No tile is charged more than the whole layer.
std::int64_t unclipped_macs(const Network& network, const PatchSchedule& schedule);

}  // namespace patchnas
