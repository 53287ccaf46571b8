#include "search/report/schedule_text.h"

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

namespace patchnas {
namespace {

std::string leading_layers(const Network& network, int split_layer) {
  const int blocks = split_block(network, split_layer);
  if (blocks < 0) {
    return fmt::format("the first {} of {} layers", split_layer, network.layer_count());
  }
  if (blocks == 0) {
    return "the stem";
  }
  return fmt::format("the stem and the first {} ({} of {} layers)",
                     blocks == 1 ? "block" : fmt::format("{} blocks", blocks), split_layer,
                     network.layer_count());
}

std::string describe(const Network& network, const Segment& segment) {
  const int last = segment.end_layer - 1;
  if (segment.halo() == HaloPolicy::kCache) {
    std::string text = last == segment.first_layer
                           ? fmt::format("layer {}", last)
                           : fmt::format("layers {} to {}", segment.first_layer, last);
    text += segment.step_rows == 1 ? " by rows" : fmt::format(" by {} rows", segment.step_rows);
    return segment.grid.cols == 1 ? text : text + fmt::format(" in {} strips", segment.grid.cols);
  }
  const std::string grid = fmt::format("{} x {}", segment.grid.rows, segment.grid.cols);
  if (segment.first_layer == 0) {
    return grid + " patches over " + leading_layers(network, segment.end_layer);
  }
  return grid + " tiles over " +
         (last == segment.first_layer ? fmt::format("layer {}", last)
                                      : fmt::format("layers {} to {}", segment.first_layer, last));
}

}  // namespace

nlohmann::ordered_json schedule_json(const PatchSchedule& schedule) {
  return nlohmann::ordered_json::parse(to_json(schedule));
}

std::string describe(const Network& network, const PatchSchedule& schedule) {
  std::string text;
  for (const Segment& segment : schedule.segments) {
    text += (text.empty() ? "" : ", then ") + describe(network, segment);
  }
  return text.empty() ? "layer by layer" : text;
}

}  // namespace patchnas
