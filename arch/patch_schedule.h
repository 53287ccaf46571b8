#pragma once

// How a network is executed: which runs of layers are computed piece by piece.
//
//   PatchSchedule schedule = PatchSchedule::leading({4, 4}, 13);   // layers [0, 13) as 4x4 patches
//   schedule = {{Segment::rows(0, 7, 1, 1), Segment::rows(7, 16, 2, 3)}};   // rows cached

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/network.h"

namespace patchnas {

struct TileGrid {
  int rows = 1;
  int cols = 1;
  auto operator<=>(const TileGrid&) const = default;
};

/// Tiles along one axis, at most.
inline constexpr int kLargestGrid = 64;

/// "3" for 3 x 3 tiles, "2x4" for 2 rows of 4; and back. Empty if the text is no grid.
std::optional<TileGrid> parse_tile_grid(std::string_view text);
std::string to_string(const TileGrid& grid);
/// p x p for every count.
std::vector<TileGrid> square_grids(const std::vector<int>& counts);

/// What happens to the overlap between neighbouring tiles along the rows: columns always recompute
/// it.
enum class HaloPolicy {
  kRecompute,  ///< patches: all of a tile's rows at once
  kCache       ///< rows: a few at a time, and every layer keeps those that its readers still need
};
std::string_view to_string(HaloPolicy halo);

/// Layers [first_layer, end_layer) run once per tile of a grid over the output of the paced layer:
/// the last one, or, where a global pooling of cached rows comes last, the one before it
/// (adds_up()).
struct Segment {
  int first_layer = 0;
  int end_layer = 0;
  TileGrid grid;
  /// 0: halos are recomputed. Else rows are cached, the grid has one row of tiles, which are
  /// strips, and each is computed from top to bottom in steps: a step adds so many rows to the
  /// output of the first layer, and every other layer computes what it can from the rows that are
  /// there, once.
  int step_rows = 0;

  static Segment patches(int first_layer, int end_layer, TileGrid grid) {
    return {.first_layer = first_layer, .end_layer = end_layer, .grid = grid};
  }
  static Segment rows(int first_layer, int end_layer, int step_rows, int strips) {
    return {.first_layer = first_layer,
            .end_layer = end_layer,
            .grid = {1, strips},
            .step_rows = step_rows};
  }
  [[nodiscard]] constexpr HaloPolicy halo() const {
    return step_rows > 0 ? HaloPolicy::kCache : HaloPolicy::kRecompute;
  }
  auto operator<=>(const Segment&) const = default;
};

/// Whether the layer is a sum over all that the layer before it computes: a pooling or mean, or
/// fully connected.
bool is_global_sum(const Network& network, int layer);
/// Whether the segment adds up the input of its last layer as it comes, so that it never exists
/// whole: rows must be cached.
/// @param ends_in_global_sum is_global_sum() of that layer
constexpr bool adds_up(const Segment& segment, bool ends_in_global_sum) {
  return ends_in_global_sum && segment.halo() == HaloPolicy::kCache &&
         segment.end_layer - segment.first_layer > 1;
}
/// The layer whose output the segment's grid divides.
int paced_layer(const Network& network, const Segment& segment);

/// Disjoint segments in execution order; layers in none of them run layer by layer.
struct PatchSchedule {
  std::vector<Segment> segments;

  static PatchSchedule layer_by_layer() { return {}; }
  /// MCUNetV2's schedule: patches over the first `split_layer` layers. A 1x1 grid or an empty patch
  /// stage is layer-by-layer execution, which has only one form: no segments.
  static PatchSchedule leading(TileGrid grid, int split_layer);

  /// Patch grid and split layer of MCUNetV2's form: {1, 1} and 0 for layer-by-layer execution.
  [[nodiscard]] TileGrid leading_grid() const;
  [[nodiscard]] int split_layer() const;
  auto operator<=>(const PatchSchedule&) const = default;
};

/// Where the patch stage may end: after every layer, or after the stem and after each block.
enum class SplitPoints { kLayers, kBlocks };

/// Which schedules a network's is chosen from.
enum class ScheduleFamily {
  kPatches,  ///< MCUNetV2's: one leading stage of patches, as published
  kRows,     ///< segments anywhere that cache rows
  kBoth
};
inline constexpr ScheduleFamily kScheduleFamilies[] = {
    ScheduleFamily::kPatches, ScheduleFamily::kRows, ScheduleFamily::kBoth};
std::string_view to_string(ScheduleFamily family);

struct ScheduleSpace {
  ScheduleFamily family = ScheduleFamily::kBoth;
  std::vector<TileGrid> patch_grids{{1, 1}};
  SplitPoints split_points = SplitPoints::kLayers;
  int most_strips = 12;
  bool operator==(const ScheduleSpace&) const = default;
};

/// {"segments":[{"first_layer":0,"end_layer":7,"rows":3,"cols":3,"halo":"recompute"},
///              {"first_layer":7,"end_layer":9,"step_rows":1,"strips":2,"halo":"cache"}]}
std::string to_json(const PatchSchedule& schedule);
/// @throws InputError with `source` and the position.
PatchSchedule parse_patch_schedule(std::string_view json, const std::string& source);

/// Checks segments' order and bounds, that no grid is finer than the output it tiles and no step
/// has more rows than there are, and that the MACs with recomputed halos cannot exceed kMostMacs.
/// `network` must be valid.
/// @throws InputError naming the segment.
void validate(const Network& network, const PatchSchedule& schedule);

/// MCUNetV2's candidates: layer-by-layer execution, then every other grid with every split layer up
/// to the first whose output it cannot tile.
std::vector<PatchSchedule> enumerate_schedules(const Network& network,
                                               const std::vector<TileGrid>& grids,
                                               SplitPoints split_points);

/// Whether `layer` is the last one of the stem or of a block. `network` must come from an
/// architecture, or have the blocks of one.
bool ends_block(const Network& network, int layer);

/// Number of blocks (the stem not counted) that end at or before `split_layer` if it falls on the
/// end of the stem or of a block, else -1. `network` must come from an architecture.
int split_block(const Network& network, int split_layer);
/// The split layer that puts the stem and the first `blocks` blocks in the patch stage.
/// @throws InputError if there are fewer blocks.
int split_layer_after_block(const Network& network, int blocks);

}  // namespace patchnas
