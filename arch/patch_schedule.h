#pragma once

// How a network is executed: which runs of layers are computed tile by tile.
//
//   PatchSchedule schedule = PatchSchedule::leading({4, 4}, 13);   // layers [0, 13) as 4x4 patches

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

/// What happens to the overlap between neighbouring tiles.
enum class HaloPolicy { kRecompute };

/// Layers [first_layer, end_layer) run once per tile of a grid over the output of layer end_layer
/// - 1.
struct Segment {
  int first_layer = 0;
  int end_layer = 0;
  TileGrid grid;
  HaloPolicy halo = HaloPolicy::kRecompute;
  auto operator<=>(const Segment&) const = default;
};

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

/// {"segments":[{"first_layer":0,"end_layer":7,"rows":3,"cols":3,"halo":"recompute"}]}
std::string to_json(const PatchSchedule& schedule);
/// @throws InputError with `source` and the position.
PatchSchedule parse_patch_schedule(std::string_view json, const std::string& source);

/// Checks segments' order and bounds, that no grid is finer than the output it tiles, and that the
/// MACs with recomputed halos cannot exceed kMostMacs. `network` must be valid.
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
