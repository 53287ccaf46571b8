#include "arch/patch_schedule.h"

#include <algorithm>
#include <charconv>

#include "arch/base/error.h"
#include "arch/base/yaml_reader.h"
#include "arch/operator_table.h"

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
  return {{Segment::patches(0, split_layer, grid)}};
}

TileGrid PatchSchedule::leading_grid() const {
  return segments.empty() || segments.front().first_layer != 0 ? TileGrid{} : segments.front().grid;
}

int PatchSchedule::split_layer() const {
  return segments.empty() || segments.front().first_layer != 0 ? 0 : segments.front().end_layer;
}

std::string_view to_string(HaloPolicy halo) {
  return halo == HaloPolicy::kCache ? "cache" : "recompute";
}

std::string_view to_string(ScheduleFamily family) {
  switch (family) {
    case ScheduleFamily::kPatches:
      return "patches";
    case ScheduleFamily::kRows:
      return "rows";
    case ScheduleFamily::kBoth:
      break;
  }
  return "both";
}

bool is_global_sum(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const TensorShape& input = network.shape(l.inputs[0]);
  if (l.inputs[0] != layer || !operator_facts(l.kind).can_add_up) {
    return false;
  }
  if (operator_facts(l.kind).reads == Reads::kEverything) {
    return input.pixels() > 1;
  }
  return l.output.height == 1 && l.output.width == 1 && l.kernel.pad_top == 0 &&
         l.kernel.pad_left == 0 && l.kernel.height == input.height && l.kernel.width == input.width;
}

int paced_layer(const Network& network, const Segment& segment) {
  const int last = segment.end_layer - 1;
  return last - (adds_up(segment, is_global_sum(network, last)) ? 1 : 0);
}

std::string to_json(const PatchSchedule& schedule) {
  std::string text = "{\"segments\":[";
  const auto add = [&](std::string_view key, int value) {
    text.append("\"").append(key).append("\":").append(std::to_string(value)).append(",");
  };
  for (const Segment& segment : schedule.segments) {
    text += text.back() == '[' ? "{" : ",{";
    add("first_layer", segment.first_layer);
    add("end_layer", segment.end_layer);
    if (segment.halo() == HaloPolicy::kCache) {
      add("step_rows", segment.step_rows);
      add("strips", segment.grid.cols);
    } else {
      add("rows", segment.grid.rows);
      add("cols", segment.grid.cols);
    }
    text.append("\"halo\":\"").append(to_string(segment.halo())).append("\"}");
  }
  return text + "]}";
}

PatchSchedule parse_patch_schedule(std::string_view json, const std::string& source) {
  YamlReader reader = YamlReader::parse_text(json, source);
  PatchSchedule schedule;
  for (YamlReader& segment : reader.maps("segments")) {
    const int first_layer = segment.integer("first_layer", {0, 1 << 20});
    const int end_layer = segment.integer("end_layer", {first_layer + 1, 1 << 20});
    const auto halo =
        static_cast<HaloPolicy>(segment.choice("halo",
                                               {std::string(to_string(HaloPolicy::kRecompute)),
                                                std::string(to_string(HaloPolicy::kCache))},
                                               0));
    const auto count = [&](const char* key) { return segment.integer(key, {1, kLargestExtent}); };
    if (halo == HaloPolicy::kCache) {
      const int step_rows = count("step_rows");
      schedule.segments.push_back(
          Segment::rows(first_layer, end_layer, step_rows, count("strips")));
    } else {
      const int rows = count("rows");
      schedule.segments.push_back(Segment::patches(first_layer, end_layer, {rows, count("cols")}));
    }
    segment.finish();
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
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      const Layer& l = network.layers[static_cast<std::size_t>(layer)];
      if (!fits_segments(l)) {
        throw InputError(where + ": layer " + std::to_string(layer) + " (" +
                         network.layer_name(layer) + ") needs its whole input at once");
      }
      if (l.writes_part() && l.inputs[1] != kNoTensor && l.inputs[1] <= segment.first_layer) {
        throw InputError(where + ": layer " + std::to_string(layer) + " (" +
                         network.layer_name(layer) +
                         ") writes channels of a tensor that layers before the segment write too");
      }
      if (l.writes_part() && segment.halo() == HaloPolicy::kRecompute) {
        throw InputError(where + ": layer " + std::to_string(layer) + " (" +
                         network.layer_name(layer) +
                         ") writes a part of its output's channels, which patches cannot");
      }
    }
    const TensorShape& out = network.shape(paced_layer(network, segment) + 1);
    const TileGrid& grid = segment.grid;
    if (segment.halo() == HaloPolicy::kCache) {
      const int rows = network.shape(segment.first_layer + 1).height;
      if (segment.step_rows > rows) {
        throw InputError(where + ": steps of " + std::to_string(segment.step_rows) +
                         " rows, its first layer has only " + std::to_string(rows));
      }
      if (grid.cols < 1 || grid.cols > out.width) {
        throw InputError(where + ": " + std::to_string(grid.cols) +
                         " strips of an output that is " + std::to_string(out.width) +
                         " columns wide");
      }
    }
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
  const bool is_last = layer + 1 == network.layer_count();
  if (at(layer).role == LayerRole::kStem || at(layer).role == LayerRole::kStemActivation) {
    return is_last || at(layer + 1).role != LayerRole::kStemActivation;
  }
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
      if (out.height < grid.rows || out.width < grid.cols ||
          !fits_patches(network.layers[static_cast<std::size_t>(split - 1)])) {
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
