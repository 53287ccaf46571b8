#include "arch/patch_schedule.h"

#include <algorithm>
#include <charconv>

#include "arch/base/error.h"
#include "arch/base/yaml_reader.h"

namespace patchnas {

std::optional<TileGrid> parse_tile_grid(std::string_view text) {
  const char* const end = text.data() + text.size();
  TileGrid grid;
  auto read = std::from_chars(text.data(), end, grid.rows);
  grid.cols = grid.rows;
  if (read.ec == std::errc() && read.ptr != end && *read.ptr == 'x') {
    read = std::from_chars(read.ptr + 1, end, grid.cols);
  }
  const auto allowed = [](int tiles) { return tiles >= 1 && tiles <= kLargestGrid; };
  const bool is_grid =
      read.ec == std::errc() && read.ptr == end && allowed(grid.rows) && allowed(grid.cols);
  return is_grid ? std::optional(grid) : std::nullopt;
}

std::string to_string(const TileGrid& grid) {
  const std::string rows = std::to_string(grid.rows);
  return grid.rows == grid.cols ? rows : rows + "x" + std::to_string(grid.cols);
}

std::vector<TileGrid> square_grids(const std::vector<int>& counts) {
  std::vector<TileGrid> grids;
  for (const int count : counts) {
    grids.push_back({count, count});
  }
  return grids;
}

PatchSchedule PatchSchedule::leading(TileGrid grid, int split_layer) {
  if (split_layer == 0 || (grid.rows == 1 && grid.cols == 1)) {
    return layer_by_layer();
  }
  return {{Segment{.first_layer = 0, .end_layer = split_layer, .grid = grid}}};
}

TileGrid PatchSchedule::leading_grid() const {
  return segments.empty() || segments.front().first_layer != 0 ? TileGrid{} : segments.front().grid;
}

int PatchSchedule::split_layer() const {
  return segments.empty() || segments.front().first_layer != 0 ? 0 : segments.front().end_layer;
}

std::string to_json(const PatchSchedule& schedule) {
  std::string text = "{\"segments\":[";
  for (const Segment& segment : schedule.segments) {
    text += text.back() == '[' ? "" : ",";
    text += "{\"first_layer\":" + std::to_string(segment.first_layer) +
            ",\"end_layer\":" + std::to_string(segment.end_layer) +
            ",\"rows\":" + std::to_string(segment.grid.rows) +
            ",\"cols\":" + std::to_string(segment.grid.cols) + ",\"halo\":\"recompute\"}";
  }
  return text + "]}";
}

PatchSchedule parse_patch_schedule(std::string_view json, const std::string& source) {
  YamlReader reader = YamlReader::parse_text(json, source);
  PatchSchedule schedule;
  for (YamlReader& segment : reader.maps("segments")) {
    const int first_layer = segment.integer("first_layer", {0, 1 << 20});
    const int end_layer = segment.integer("end_layer", {first_layer + 1, 1 << 20});
    const TileGrid grid{segment.integer("rows", {1, 4096}), segment.integer("cols", {1, 4096})};
    segment.choice("halo", {"recompute"}, 0);
    segment.finish();
    schedule.segments.push_back({.first_layer = first_layer, .end_layer = end_layer, .grid = grid});
  }
  reader.finish();
  return schedule;
}

void validate(const Network& network, const PatchSchedule& schedule) {
  int previous_end = 0;
  for (const Segment& segment : schedule.segments) {
    const std::string where = "segment of layers [" + std::to_string(segment.first_layer) + ", " +
                              std::to_string(segment.end_layer) + ")";
    if (segment.first_layer < previous_end || segment.end_layer <= segment.first_layer) {
      throw InputError(where + ": must be non-empty and come after the segment before it");
    }
    if (segment.end_layer > network.layer_count()) {
      throw InputError(where + ": the network has only " + std::to_string(network.layer_count()) +
                       " layers");
    }
    const TensorShape& out = network.shape(segment.end_layer);
    const TileGrid& grid = segment.grid;
    if (grid.rows < 1 || grid.cols < 1 || grid.rows > out.height || grid.cols > out.width) {
      throw InputError(where + ": a grid of " + std::to_string(grid.rows) + "x" +
                       std::to_string(grid.cols) + " tiles does not fit its output of " +
                       std::to_string(out.height) + "x" + std::to_string(out.width) + " pixels");
    }
    // No halo makes a tile larger than the whole layer, so this bounds the MACs of the schedule.
    const std::int64_t tiles = std::int64_t{grid.rows} * grid.cols;
    if (tiles > kMostMacs / std::max<std::int64_t>(1, network_macs(network))) {
      throw InputError(where + ": " + std::to_string(grid.rows) + "x" + std::to_string(grid.cols) +
                       " tiles could need more than " + std::to_string(kMostMacs) +
                       " multiply-accumulates");
    }
    previous_end = segment.end_layer;
  }
}

bool ends_block(const Network& network, int layer) {
  const auto at = [&](int i) -> const Layer& {
    return network.layers[static_cast<std::size_t>(i)];
  };
  if (at(layer).role == LayerRole::kStem) {
    return true;
  }
  const bool is_last = layer + 1 == network.layer_count();
  return at(layer).stage >= 0 && (is_last || at(layer + 1).stage != at(layer).stage ||
                                  at(layer + 1).block != at(layer).block);
}

std::vector<PatchSchedule> enumerate_schedules(const Network& network,
                                               const std::vector<TileGrid>& grids,
                                               SplitPoints split_points) {
  std::vector<PatchSchedule> schedules{PatchSchedule::layer_by_layer()};
  for (const TileGrid& grid : grids) {
    if (grid == TileGrid{1, 1}) {
      continue;
    }
    for (int split = 1; split < network.layer_count(); ++split) {
      const TensorShape& out = network.shape(split);
      if (out.height < grid.rows || out.width < grid.cols) {
        break;
      }
      if (split_points == SplitPoints::kLayers || ends_block(network, split - 1)) {
        schedules.push_back(PatchSchedule::leading(grid, split));
      }
    }
  }
  return schedules;
}

int split_block(const Network& network, int split_layer) {
  if (split_layer < 1 || split_layer > network.layer_count() ||
      !ends_block(network, split_layer - 1)) {
    return -1;
  }
  int blocks = 0;
  for (int i = 0; i < split_layer; ++i) {
    blocks +=
        network.layers[static_cast<std::size_t>(i)].stage >= 0 && ends_block(network, i) ? 1 : 0;
  }
  return blocks;
}

int split_layer_after_block(const Network& network, int blocks) {
  int available = -1;
  for (int split = 1; split <= network.layer_count(); ++split) {
    const int ended = split_block(network, split);
    if (ended == blocks && blocks >= 0) {
      return split;
    }
    available = std::max(available, ended);
  }
  if (available < 0) {
    throw InputError("split after block " + std::to_string(blocks) +
                     ": the network has no stem and no blocks; give a split layer");
  }
  throw InputError("split after block " + std::to_string(blocks) + ": allowed: 0 to " +
                   std::to_string(available));
}

}  // namespace patchnas
