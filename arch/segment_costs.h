#pragma once

// What the parts of a chain of segments cost in a unit that is not multiply-accumulates, for those
// who look for the cheapest chain of many. Ways to cut a layer along one axis have numbers: a
// segment's rows follow from where it begins and its columns from where it ends, so that both are
// looked at once, and a layer in a segment is two numbers.

#include <span>

#include "arch/tile_geometry.h"

namespace patchnas {

/// Of a layer in a segment, what follows from both axes.
struct LayerPlace {
  bool over_input = false;  ///< its output is written over its input
  bool slides = false;      ///< of its output, rows that the next step reads are moved
};

class SegmentCosts {
 public:
  SegmentCosts() = default;
  SegmentCosts(const SegmentCosts&) = delete;
  SegmentCosts& operator=(const SegmentCosts&) = delete;
  virtual ~SegmentCosts() = default;

  /// Of another network, valid, which stays as it is.
  virtual void assign(const Network& network) = 0;

  /// Of a layer outside segments.
  virtual double whole(int layer) = 0;

  /// How the steps of a segment that caches rows cut the layer's rows, and what is kept of them.
  /// @param geometry of a segment that begins where theirs does, and that ends no earlier
  virtual int rows(int layer, const SegmentGeometry& geometry) = 0;
  /// How its strips cut the layer's columns.
  /// @param geometry of patches from the first layer of the network on, in one row, that end there;
  /// if the segment adds up its last layer's input, with that input
  /// @param is_summed whether the layer computes that input
  /// @param reads_whole whether the layer's input comes from outside the segment
  virtual int columns(int layer, const SegmentGeometry& geometry, bool is_summed,
                      bool reads_whole) = 0;
  /// Numbers for moves alone: by step how many rows of a tensor stay, by strip how many columns
  /// there are.
  virtual int kept_rows(std::span<const int> rows) = 0;
  virtual int held_columns(std::span<const int> cols) = 0;

  /// All calls of a layer.
  virtual double layer(int layer, int rows, int columns, LayerPlace place) = 0;
  /// Of a layer that adds up what the one before it brings, which is cut so.
  virtual double sum(int layer, int rows, int columns) = 0;
  /// Of the rows that stay.
  virtual double moves(int channels, int rows, int columns) = 0;
  /// Of each step in each strip, beside its layers.
  virtual double step() const = 0;
};

}  // namespace patchnas
