// Search spaces as text.

#include <algorithm>

#include "arch/block_options.h"
#include "arch/search_space.h"

namespace patchnas {
namespace {

template <typename Option>
std::vector<Option> sorted_unique(std::vector<Option> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

void require_odd(const YamlReader& reader, const std::string& key,
                 const std::vector<int>& kernel_sizes) {
  for (const int size : kernel_sizes) {
    if (size % 2 == 0) {
      reader.fail(key,
                  "kernel size " + std::to_string(size) + " is even; allowed: odd sizes, 1 to 15");
    }
  }
}

void require_groups_divide(const YamlReader& reader, int groups, const std::vector<int>& widths) {
  for (const int width : widths) {
    if (width % groups != 0) {
      reader.fail("groups", std::to_string(groups) + " groups do not divide " +
                                std::to_string(width) +
                                " channels; allowed: divisors of the stage's widths and of those "
                                "before it");
    }
  }
}

/// Of a list of names.
template <typename Option>
std::vector<Option> parse_named(YamlReader& reader, const std::string& key,
                                const std::vector<Option>& all, Option fallback) {
  std::vector<Option> chosen;
  for (const std::string& name :
       reader.strings(key, std::vector<std::string>{option_text(fallback)})) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](Option option) { return option_text(option) == name; });
    if (found == all.end()) {
      reader.fail(key, "'" + name + "' is unknown; allowed: " + options_text(all));
    }
    chosen.push_back(*found);
  }
  return sorted_unique(chosen);
}

StageSpace parse_stage(YamlReader& reader, const std::vector<double>& multipliers, int divisor,
                       const std::vector<int>& input_widths) {
  StageSpace stage;
  stage.stride = reader.integer("stride", {1, 2}, 1);
  stage.depths = sorted_unique(reader.integers("depth", {1, 64}, std::vector<int>{2, 3, 4}));
  stage.kernel_sizes =
      sorted_unique(reader.integers("kernel_size", {1, 15}, std::vector<int>{3, 5, 7}));
  require_odd(reader, "kernel_size", stage.kernel_sizes);
  stage.expand_ratios =
      sorted_unique(reader.integers("expand_ratio", {1, 64}, std::vector<int>{3, 4, 6}));
  if (reader.has("widths")) {
    stage.widths = reader.integers("widths", {1, 65536});
  } else {
    const int width = reader.integer("width", {1, 65536});
    for (const double multiplier : reader.numbers("width_multiplier", {0.01, 16.0}, multipliers)) {
      stage.widths.push_back(round_channels(width * multiplier, divisor));
    }
  }
  stage.widths = sorted_unique(stage.widths);
  stage.activations =
      parse_named(reader, "activation", {BlockActivation::kRelu6, BlockActivation::kHardSwish},
                  BlockActivation::kRelu6);
  stage.squeeze_excitations = parse_named(reader, "squeeze_excitation",
                                          {SqueezeExcitation::kAbsent, SqueezeExcitation::kPresent},
                                          SqueezeExcitation::kAbsent);
  stage.groups = reader.integer("groups", {1, 65536}, 1);
  require_groups_divide(reader, stage.groups, input_widths);
  require_groups_divide(reader, stage.groups, stage.widths);
  stage.residual = reader.boolean("residual", true);
  reader.finish();
  return stage;
}

std::vector<TileGrid> parse_grids(YamlReader& reader) {
  std::vector<TileGrid> grids;
  for (const std::string& text :
       reader.strings("patches", std::vector<std::string>{"1", "2", "3", "4"})) {
    const std::optional<TileGrid> grid = parse_tile_grid(text);
    if (!grid) {
      reader.fail("patches", "'" + text + "' must be P or PHxPW, whole numbers from 1 to " +
                                 std::to_string(kLargestGrid));
    }
    grids.push_back(*grid);
  }
  return sorted_unique(grids);
}

}  // namespace

SearchSpace parse_search_space(YamlReader reader) {
  SearchSpace space;
  space.input_channels = reader.integer("input_channels", {1, 64}, 3);
  space.classes = reader.integer("classes", {2, 65536});
  space.resolutions = sorted_unique(reader.integers("resolution", {8, 1024}));
  space.padding = static_cast<Padding>(reader.choice("padding", {"same", "symmetric"}, 0));
  const std::vector<double> multipliers =
      reader.numbers("width_multiplier", {0.01, 16.0}, std::vector<double>{0.5, 0.75, 1.0});
  const int divisor = reader.integer("channel_divisor", {1, 64}, 8);

  YamlReader stem = reader.map("stem");
  space.stem_width = stem.integer("width", {1, 65536});
  space.stem_kernel_size = stem.integer("kernel_size", {1, 15}, 3);
  require_odd(stem, "kernel_size", {space.stem_kernel_size});
  space.stem_stride = stem.integer("stride", {1, 2}, 2);
  stem.finish();

  std::vector<YamlReader> stages = reader.maps("stages");
  if (stages.empty()) {
    reader.fail("stages", "must have at least one stage");
  }
  for (YamlReader& stage : stages) {
    const std::vector<int> input_widths =
        space.stages.empty() ? std::vector<int>{space.stem_width} : space.stages.back().widths;
    space.stages.push_back(parse_stage(stage, multipliers, divisor, input_widths));
  }
  space.head_width = reader.integer("head_width", {0, 65536}, 0);
  space.schedules.patch_grids = parse_grids(reader);
  space.schedules.family = static_cast<ScheduleFamily>(
      reader.choice("schedules", {"patches", "rows", "both"}, std::size_t{2}));
  space.schedules.most_strips =
      reader.integer("strips", {1, kLargestGrid}, ScheduleSpace{}.most_strips);
  space.schedules.split_points =
      static_cast<SplitPoints>(reader.choice("split_points", {"layers", "blocks"}, 0));
  reader.finish();

  const int smallest_image = space.resolutions.front();
  int total_stride = space.stem_stride;
  for (const StageSpace& stage : space.stages) {
    total_stride *= stage.stride;
  }
  if (smallest_image < total_stride) {
    reader.fail("resolution", std::to_string(smallest_image) +
                                  " is smaller than the network's total stride of " +
                                  std::to_string(total_stride));
  }
  return space;
}

std::string to_yaml(const SearchSpace& space, int indent) {
  const std::string margin(static_cast<std::size_t>(indent), ' ');
  std::string text;
  const auto line = [&](const std::string& content) { text += margin + content + "\n"; };
  line("input_channels: " + std::to_string(space.input_channels));
  line("classes: " + std::to_string(space.classes));
  line("resolution: " + options_text(space.resolutions));
  line(std::string("padding: ") + (space.padding == Padding::kSame ? "same" : "symmetric"));
  line("stem: {width: " + std::to_string(space.stem_width) +
       ", kernel_size: " + std::to_string(space.stem_kernel_size) +
       ", stride: " + std::to_string(space.stem_stride) + "}");
  line("stages:");
  const StageSpace usual;
  for (const StageSpace& stage : space.stages) {
    line("  - {stride: " + std::to_string(stage.stride) + ", depth: " + options_text(stage.depths) +
         ", kernel_size: " + options_text(stage.kernel_sizes) + ", expand_ratio: " +
         options_text(stage.expand_ratios) + ", widths: " + options_text(stage.widths) +
         (stage.activations == usual.activations
              ? ""
              : ", activation: " + options_text(stage.activations)) +
         (stage.squeeze_excitations == usual.squeeze_excitations
              ? ""
              : ", squeeze_excitation: " + options_text(stage.squeeze_excitations)) +
         (stage.groups == 1 ? "" : ", groups: " + std::to_string(stage.groups)) +
         (stage.residual ? "" : ", residual: false") + "}");
  }
  line("head_width: " + std::to_string(space.head_width));
  line("schedules: " + std::string(to_string(space.schedules.family)));
  line("strips: " + std::to_string(space.schedules.most_strips));
  line("patches: " + options_text(space.schedules.patch_grids));
  line(std::string("split_points: ") +
       (space.schedules.split_points == SplitPoints::kLayers ? "layers" : "blocks"));
  return text;
}

}  // namespace patchnas
