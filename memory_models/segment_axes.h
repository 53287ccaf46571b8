#pragma once

// What layers are like in segments that cache rows, axis by axis: along the rows it follows from
// where a segment begins and how many rows its steps have, along the columns from where it ends and
// in how many strips. Each is drawn once, for all segments that begin at a cut and for all that end
// at one.

#include <array>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "arch/segment_costs.h"
#include "arch/tile_geometry.h"
#include "memory_models/network_cuts.h"

namespace patchnas {

/// The largest of quotients, as a fraction.
struct Ratio {
  std::int64_t over = 0;
  std::int64_t under = 1;

  void raise(std::int64_t a, std::int64_t b) {
    if (a > 0 && (under != 0) && (b == 0 || a * under > over * b)) {
      over = a;
      under = b;
    }
  }
  /// Whether the product with another is at most 1.
  [[nodiscard]] bool fits(const Ratio& other) const {
    return over == 0 || other.over == 0 ||
           (under != 0 && other.under != 0 && over * other.over <= under * other.under);
  }
};

/// Whether and where an output finds room over an input.
struct RoomOverInput {
  Ratio dying;  ///< rows of the output to those of the input's window that die with them
  std::array<bool, 2> agrees{};  ///< with the windows of the inputs
};

/// What one layer's output is like along the rows.
struct LayerRows {
  int window = 0;    ///< most rows held
  int computed = 0;  ///< most rows added by a step
  int total = 0;     ///< added by all steps
  int steps = 0;     ///< until all layers up to this one are complete
  bool keeps = false;
  int kept_steps = 0;  ///< most steps in a row, each of which keeps rows for the next one
  /// Of the output of a segment of one strip that ends with it, if that is written over the
  /// segment's input.
  std::int64_t distance = 0;
  RoomOverInput over;
  RoomOverInput summed_over;  ///< if the next layer adds it up: then nothing of it is kept
  int cut = 0;                ///< SegmentCosts::rows()
};

/// Of segments that begin at one cut, with steps of the same rows.
struct SegmentRows {
  int first_layer = 0;
  int end_layer = 0;              ///< up to which it is known
  std::vector<LayerRows> layers;  ///< from the first one on
  int image_window = 0;           ///< most rows of a streamed image
  bool keeps_image = false;
  int image_cut = 0;  ///< SegmentCosts::kept_rows()

  [[nodiscard]] const LayerRows& at(int layer) const {
    return layers[static_cast<std::size_t>(layer - first_layer)];
  }
};

/// What one layer's output is like along the columns.
struct LayerColumns {
  int window = 0;
  int computed = 0;
  std::int64_t work = 0;  ///< AxisTaps::work() of all strips
  Ratio over_dying;
  std::array<bool, 2> agrees{};
  /// SegmentCosts::columns(): of an input from the segment, and from outside.
  int cut = 0;
  int cut_of_outside = 0;
};

/// Of segments that end at one cut.
struct SegmentColumns {
  int end = -1;  ///< which cut
  std::vector<LayerColumns> layers;
  int image_window = 0;
  int image_cut = 0;                      ///< SegmentCosts::held_columns()
  std::vector<std::int64_t> macs_before;  ///< of the layers before each, and of all
  bool has_cuts = false;

  [[nodiscard]] const LayerColumns& at(int layer) const {
    return layers[static_cast<std::size_t>(layer)];
  }
};

/// Keeps what it drew of the network at hand, in memory that it keeps.
class SegmentAxes {
 public:
  /// @param cuts of the network at hand; must outlive it
  /// @param costs asked for the numbers of the cuts along each axis; may be null
  SegmentAxes(const NetworkCuts& cuts, int most_strips, SegmentCosts* costs)
      : cuts_(cuts), most_strips_(most_strips), costs_(costs) {}

  /// `cuts` have changed.
  void assign();

  /// Of segments between two cuts with so many rows a step. The result is valid until a later end
  /// is asked for.
  const SegmentRows& rows(int first, int end, int step_rows);
  /// Of segments of so many strips that end at a cut. The result is valid until those of a cut far
  /// behind are asked for.
  const SegmentColumns& columns(int end, int strips);
  /// The same with the numbers of cuts.
  const SegmentColumns& columns_with_cuts(int end, int strips);

 private:
  // Of segments that begin at one cut.
  struct Beginning {
    int end_layer = 0;                             // up to which its steps of one row are known
    SegmentGeometry one_row;                       // with these
    std::unordered_map<std::uint32_t, int> drawn;  // in drawn_, by rows a step and of the first one
  };

  void draw_rows(const SegmentGeometry& geometry, SegmentRows& rows);
  void draw_input_rows(const SegmentGeometry& geometry, SegmentRows& rows);
  void draw_rows_of(const SegmentGeometry& geometry, int layer, LayerRows& rows) const;
  [[nodiscard]] std::int64_t aligned_distance(const SegmentGeometry& geometry, int last) const;
  void assign_columns(int end_layer, int strips);
  void draw_columns(int end_layer, int strips, SegmentColumns& columns);
  void draw_columns_of(int layer, int strips, bool is_summed, LayerColumns& columns) const;
  void number_columns(int end_layer, int strips, SegmentColumns& columns);

  const NetworkCuts& cuts_;
  int most_strips_;
  SegmentCosts* costs_;
  SegmentGeometry geometry_;
  std::vector<std::int64_t> macs_;     // by layer, of a pixel
  std::vector<char> lies_over_;        // by layer: may be written over an input
  std::vector<Beginning> beginnings_;  // by first cut
  std::deque<SegmentRows> drawn_;
  int drawn_count_ = 0;                  // of the network at hand
  std::vector<SegmentColumns> endings_;  // [end modulo those that are kept][strips]
  std::vector<int> needed_;              // by step: the first row of the input that is read later
  std::vector<int> read_end_;
  std::vector<int> held_of_image_;  // columns by strip
  std::vector<int> kept_of_image_;  // rows by step
};

}  // namespace patchnas
