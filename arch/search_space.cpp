#include "arch/search_space.h"

#include <algorithm>
#include <cmath>

namespace patchnas {
namespace {

std::vector<int> sorted_unique(std::vector<int> values) {
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
  stage.groups = reader.integer("groups", {1, 65536}, 1);
  require_groups_divide(reader, stage.groups, input_widths);
  require_groups_divide(reader, stage.groups, stage.widths);
  stage.residual = reader.boolean("residual", true);
  reader.finish();
  return stage;
}

std::string yaml_list(const std::vector<int>& values) {
  std::string text = "[";
  for (const int value : values) {
    text += (text.size() == 1 ? "" : ", ") + std::to_string(value);
  }
  return text + "]";
}

std::string yaml_list(const std::vector<TileGrid>& grids) {
  std::string text = "[";
  for (const TileGrid& grid : grids) {
    text += (text.size() == 1 ? "" : ", ") + to_string(grid);
  }
  return text + "]";
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
  std::sort(grids.begin(), grids.end());
  grids.erase(std::unique(grids.begin(), grids.end()), grids.end());
  return grids;
}

/// A natural number of any size, for counting.
class BigNatural {
 public:
  explicit BigNatural(std::uint32_t value) : digits_{value} {}

  BigNatural& operator*=(std::uint32_t factor) {
    std::uint64_t carry = 0;
    for (std::uint32_t& digit : digits_) {
      carry += std::uint64_t{digit} * factor;
      digit = static_cast<std::uint32_t>(carry % kBase);
      carry /= kBase;
    }
    return append(carry);
  }

  BigNatural& operator+=(const BigNatural& other) {
    digits_.resize(std::max(digits_.size(), other.digits_.size()));
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < digits_.size(); ++i) {
      carry += std::uint64_t{digits_[i]} + (i < other.digits_.size() ? other.digits_[i] : 0);
      digits_[i] = static_cast<std::uint32_t>(carry % kBase);
      carry /= kBase;
    }
    return append(carry);
  }

  BigNatural& operator*=(const BigNatural& other) {
    BigNatural product(0);
    for (std::size_t i = other.digits_.size(); i-- > 0;) {
      product *= kBase;
      BigNatural term = *this;
      term *= other.digits_[i];
      product += term;
    }
    return *this = product;
  }

  [[nodiscard]] std::string to_string() const {
    std::size_t top = digits_.size();
    while (top > 1 && digits_[top - 1] == 0) {
      --top;
    }
    std::string text = std::to_string(digits_[top - 1]);
    for (std::size_t i = top - 1; i-- > 0;) {
      const std::string part = std::to_string(digits_[i]);
      text += std::string(9 - part.size(), '0') + part;
    }
    return text;
  }

 private:
  static constexpr std::uint32_t kBase = 1'000'000'000;

  BigNatural& append(std::uint64_t carry) {
    if (carry > 0) {
      digits_.push_back(static_cast<std::uint32_t>(carry));
    }
    return *this;
  }

  std::vector<std::uint32_t> digits_;  // least significant first
};

BlockChoice sample_block(const StageSpace& stage, RandomStream& stream) {
  BlockChoice block;
  block.kernel_size = stream.pick(stage.kernel_sizes);
  block.expand_ratio = stream.pick(stage.expand_ratios);
  block.width = stream.pick(stage.widths);
  return block;
}

template <typename Select>
Architecture extreme(const SearchSpace& space, Select select) {
  Architecture architecture;
  architecture.resolution = select(space.resolutions);
  for (const StageSpace& stage : space.stages) {
    const BlockChoice block{.kernel_size = select(stage.kernel_sizes),
                            .expand_ratio = select(stage.expand_ratios),
                            .width = select(stage.widths)};
    architecture.stages.emplace_back(static_cast<std::size_t>(select(stage.depths)), block);
  }
  return architecture;
}

bool offers(const std::vector<int>& options, int value) {
  return std::find(options.begin(), options.end(), value) != options.end();
}

}  // namespace

int round_channels(double width, int divisor) {
  int rounded = std::max(divisor, static_cast<int>(width + divisor / 2.0) / divisor * divisor);
  if (rounded < 0.9 * width) {
    rounded += divisor;
  }
  return rounded;
}

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
  line("resolution: " + yaml_list(space.resolutions));
  line(std::string("padding: ") + (space.padding == Padding::kSame ? "same" : "symmetric"));
  line("stem: {width: " + std::to_string(space.stem_width) +
       ", kernel_size: " + std::to_string(space.stem_kernel_size) +
       ", stride: " + std::to_string(space.stem_stride) + "}");
  line("stages:");
  for (const StageSpace& stage : space.stages) {
    line("  - {stride: " + std::to_string(stage.stride) + ", depth: " + yaml_list(stage.depths) +
         ", kernel_size: " + yaml_list(stage.kernel_sizes) + ", expand_ratio: " +
         yaml_list(stage.expand_ratios) + ", widths: " + yaml_list(stage.widths) +
         (stage.groups == 1 ? "" : ", groups: " + std::to_string(stage.groups)) +
         (stage.residual ? "" : ", residual: false") + "}");
  }
  line("head_width: " + std::to_string(space.head_width));
  line("schedules: " + std::string(to_string(space.schedules.family)));
  line("strips: " + std::to_string(space.schedules.most_strips));
  line("patches: " + yaml_list(space.schedules.patch_grids));
  line(std::string("split_points: ") +
       (space.schedules.split_points == SplitPoints::kLayers ? "layers" : "blocks"));
  return text;
}

std::string count_architectures(const SearchSpace& space) {
  BigNatural total(static_cast<std::uint32_t>(space.resolutions.size()));
  for (const StageSpace& stage : space.stages) {
    const auto choices = static_cast<std::uint32_t>(
        stage.kernel_sizes.size() * stage.expand_ratios.size() * stage.widths.size());
    BigNatural of_stage(0);
    for (const int depth : stage.depths) {
      BigNatural of_depth(1);
      for (int i = 0; i < depth; ++i) {
        of_depth *= choices;
      }
      of_stage += of_depth;
    }
    total *= of_stage;
  }
  return total.to_string();
}

Architecture sample(const SearchSpace& space, RandomStream& stream) {
  Architecture architecture;
  architecture.resolution = stream.pick(space.resolutions);
  for (const StageSpace& stage : space.stages) {
    std::vector<BlockChoice>& blocks = architecture.stages.emplace_back();
    const int depth = stream.pick(stage.depths);
    for (int i = 0; i < depth; ++i) {
      blocks.push_back(sample_block(stage, stream));
    }
  }
  return architecture;
}

Architecture largest(const SearchSpace& space) {
  return extreme(space, [](const std::vector<int>& options) { return options.back(); });
}

Architecture smallest(const SearchSpace& space) {
  return extreme(space, [](const std::vector<int>& options) { return options.front(); });
}

Architecture mutate(const SearchSpace& space, const Architecture& parent, double rate,
                    RandomStream& stream) {
  Architecture child = parent;
  const auto redraw = [&](int& value, const std::vector<int>& options) {
    if (stream.chance(rate)) {
      value = stream.pick(options);
    }
  };
  redraw(child.resolution, space.resolutions);
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    const StageSpace& stage = space.stages[s];
    std::vector<BlockChoice>& blocks = child.stages[s];
    int depth = static_cast<int>(blocks.size());
    redraw(depth, stage.depths);
    for (BlockChoice& block : blocks) {
      redraw(block.kernel_size, stage.kernel_sizes);
      redraw(block.expand_ratio, stage.expand_ratios);
      redraw(block.width, stage.widths);
    }
    while (static_cast<int>(blocks.size()) < depth) {
      blocks.push_back(sample_block(stage, stream));
    }
    blocks.resize(static_cast<std::size_t>(depth));
  }
  return child;
}

Architecture crossover(const SearchSpace& space, const Architecture& a, const Architecture& b,
                       RandomStream& stream) {
  const auto either = [&](const auto& of_a, const auto& of_b) {
    return stream.chance(0.5) ? of_a : of_b;
  };
  Architecture child;
  child.resolution = either(a.resolution, b.resolution);
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    const std::vector<BlockChoice>& in_a = a.stages[s];
    const std::vector<BlockChoice>& in_b = b.stages[s];
    std::vector<BlockChoice>& blocks = child.stages.emplace_back();
    const std::size_t depth = either(in_a.size(), in_b.size());
    for (std::size_t i = 0; i < depth; ++i) {
      // Where only one parent has the block, it gives all of it.
      const BlockChoice& from_a = i < in_a.size() ? in_a[i] : in_b[i];
      const BlockChoice& from_b = i < in_b.size() ? in_b[i] : in_a[i];
      BlockChoice& block = blocks.emplace_back();
      block.kernel_size = either(from_a.kernel_size, from_b.kernel_size);
      block.expand_ratio = either(from_a.expand_ratio, from_b.expand_ratio);
      block.width = either(from_a.width, from_b.width);
    }
  }
  return child;
}

Membership contains(const SearchSpace& space, const Architecture& architecture) {
  const auto outside = [](const std::string& what, int value, const std::vector<int>& options) {
    return Membership{false, what + " " + std::to_string(value) +
                                 " is not offered; allowed: " + yaml_list(options)};
  };
  if (!offers(space.resolutions, architecture.resolution)) {
    return outside("resolution", architecture.resolution, space.resolutions);
  }
  if (architecture.stages.size() != space.stages.size()) {
    return outside("number of stages", static_cast<int>(architecture.stages.size()),
                   {static_cast<int>(space.stages.size())});
  }
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    const StageSpace& stage = space.stages[s];
    const std::vector<BlockChoice>& blocks = architecture.stages[s];
    const auto outside_stage = [&](const char* what, int value, const std::vector<int>& options) {
      return outside("stage " + std::to_string(s) + ": " + what, value, options);
    };
    if (!offers(stage.depths, static_cast<int>(blocks.size()))) {
      return outside_stage("depth", static_cast<int>(blocks.size()), stage.depths);
    }
    for (const BlockChoice& block : blocks) {
      if (!offers(stage.kernel_sizes, block.kernel_size)) {
        return outside_stage("kernel", block.kernel_size, stage.kernel_sizes);
      }
      if (!offers(stage.expand_ratios, block.expand_ratio)) {
        return outside_stage("expand", block.expand_ratio, stage.expand_ratios);
      }
      if (!offers(stage.widths, block.width)) {
        return outside_stage("width", block.width, stage.widths);
      }
    }
  }
  return {};
}

}  // namespace patchnas
