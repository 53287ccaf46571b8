#include "latency_models/operator_space.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "arch/row_schedules.h"
#include "arch/tile_geometry.h"

namespace patchnas {
namespace {

// Architectures are too many to walk, but a tile's shape knows little of them. It follows from what
// the layers behind demand of their block's output, and that from their kernel sizes and the split;
// so do demands on the block's input. Hence blocks are visited from the last to the first with the
// set of all demands on their outputs. Each demand is kept with one architecture that makes it, so
// that every rule of lowering and of tile geometry is asked, not repeated.

// A run of layers that lies between two choices of widths: the stem, a block, or what follows the
// last block.
struct Part {
  enum class Kind { kStem, kBlock, kTail };
  Kind kind = Kind::kStem;
  std::size_t stage = 0;
  std::size_t block = 0;
};

// Choices of one part.
struct Variant {
  BlockChoice choice;  // of blocks
  int input_width = 0;
  std::vector<OperatorFamily> families;  // of its layers
};

// Variants whose layers have the same geometry: same roles, same kernel size.
struct Form {
  std::vector<Variant> variants;
};

// One architecture and split that make a demand.
struct Suffix {
  Architecture architecture;
  // The last part with layers in the patch stage, and how many: those behind them may differ.
  std::size_t split_part = 0;
  int split_layers = 0;
};

// Of a tensor inside the patch stage: what is computed of it, by tile.
struct Demand {
  bool materialised = false;
  std::vector<Interval> rows, cols;
  auto operator<=>(const Demand&) const = default;
};

// Demands on a tensor, each with the tensor's channels that it can come with.
using Demands = std::map<Demand, std::map<int, Suffix>>;

// A tile of one layer of a form.
using TileShape = std::tuple<std::size_t, bool, OperatorAxis, OperatorAxis, bool>;

struct KeyHash {
  std::size_t operator()(const OperatorKey& key) const {
    std::uint64_t hash = 0;
    const auto add = [&](int value) {
      hash = (hash ^ static_cast<std::uint64_t>(value)) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    };
    const OperatorFamily& f = key.family;
    for (const int value :
         {static_cast<int>(f.kernel), f.kernel_h, f.kernel_w, f.stride_h, f.stride_w,
          f.input_channels, f.output_channels, f.over_input ? 1 : 0, key.rows.output,
          key.rows.input, key.rows.pad, key.cols.output, key.cols.input, key.cols.pad}) {
      add(value);
    }
    return static_cast<std::size_t>(hash);
  }
};

constexpr std::size_t kMoreByRows = 8;  // so that a space with few patches has some

class Enumeration {
 public:
  Enumeration(const SearchSpace& space, std::size_t most) : space_(space), most_(most) {
    parts_.push_back({.kind = Part::Kind::kStem});
    for (std::size_t s = 0; s < space.stages.size(); ++s) {
      const std::vector<int>& depths = space.stages[s].depths;
      const int deepest = *std::max_element(depths.begin(), depths.end());
      for (std::size_t b = 0; b < static_cast<std::size_t>(deepest); ++b) {
        parts_.push_back({.kind = Part::Kind::kBlock, .stage = s, .block = b});
      }
    }
    parts_.push_back({.kind = Part::Kind::kTail});
    forms_.resize(parts_.size());
    recorded_.resize(parts_.size());
    demands_.resize(parts_.size());
  }

  std::optional<std::vector<OperatorKey>> run() {
    for (const int resolution : space_.resolutions) {
      for (std::size_t p = 0; p < parts_.size(); ++p) {
        find_forms(p, resolution);
        list_whole_layers(p, resolution);
      }
      for (const TileGrid& grid : std::set<TileGrid>(space_.schedules.patch_grids.begin(),
                                                     space_.schedules.patch_grids.end())) {
        for (std::size_t p = parts_.size(); p-- > 0;) {
          split_inside(p, resolution, grid);
          split_behind(p, grid);
          demands_[p].clear();
          if (keys_.size() > most_) {
            return std::nullopt;
          }
        }
      }
    }
    if (keys_.size() > most_) {
      return std::nullopt;
    }
    std::vector<OperatorKey> keys(keys_.begin(), keys_.end());
    std::sort(keys.begin(), keys.end());
    return keys;
  }

 private:
  // Parts that may come before: the last blocks of a stage of any depth.
  [[nodiscard]] std::vector<std::size_t> parts_before(std::size_t part) const {
    const Part& at = parts_[part];
    if (at.kind == Part::Kind::kStem) {
      return {};
    }
    if (at.kind == Part::Kind::kBlock && at.block > 0) {
      return {part - 1};
    }
    const std::size_t stage = at.kind == Part::Kind::kTail ? space_.stages.size() : at.stage;
    if (stage == 0) {
      return {0};
    }
    const std::vector<int>& depths = space_.stages[stage - 1].depths;
    std::vector<std::size_t> before;
    for (std::size_t p = 0; p < part; ++p) {
      if (parts_[p].kind == Part::Kind::kBlock && parts_[p].stage == stage - 1 &&
          std::find(depths.begin(), depths.end(), static_cast<int>(parts_[p].block) + 1) !=
              depths.end()) {
        before.push_back(p);
      }
    }
    return before;
  }

  [[nodiscard]] std::vector<int> input_widths(std::size_t part) const {
    const std::vector<std::size_t> before = parts_before(part);
    if (before.empty()) {
      return {space_.input_channels};
    }
    const Part& last = parts_[before.front()];
    return last.kind == Part::Kind::kStem ? std::vector<int>{space_.stem_width}
                                          : space_.stages[last.stage].widths;
  }

  [[nodiscard]] int default_depth(std::size_t stage, std::size_t least) const {
    int depth = 0;
    for (const int offered : space_.stages[stage].depths) {
      if (offered >= static_cast<int>(least) && (depth == 0 || offered < depth)) {
        depth = offered;
      }
    }
    return depth;
  }

  [[nodiscard]] BlockChoice default_block(std::size_t stage) const {
    return block_choices(space_.stages[stage]).front();
  }

  // Some architecture that has this part.
  [[nodiscard]] Architecture architecture_with(const Part& part, int resolution) const {
    Architecture architecture{.resolution = resolution, .stages = {}};
    for (std::size_t s = 0; s < space_.stages.size(); ++s) {
      const bool is_inside = part.kind == Part::Kind::kBlock && part.stage == s;
      const int depth = default_depth(s, is_inside ? part.block + 1 : 1);
      architecture.stages.emplace_back(static_cast<std::size_t>(depth), default_block(s));
    }
    return architecture;
  }

  // Lets `architecture` have `variant` as this part, behind a part of the variant's input width.
  void choose(Architecture& architecture, std::size_t part, const Variant& variant) const {
    const Part& at = parts_[part];
    if (at.kind == Part::Kind::kBlock) {
      architecture.stages[at.stage][at.block] = variant.choice;
    }
    if (at.kind == Part::Kind::kBlock && at.block > 0) {
      architecture.stages[at.stage][at.block - 1].width = variant.input_width;
    } else if (at.kind != Part::Kind::kStem) {
      const std::size_t stage = at.kind == Part::Kind::kTail ? space_.stages.size() : at.stage;
      if (stage > 0) {
        architecture.stages[stage - 1].back().width = variant.input_width;
      }
    }
  }

  // Its first layer and the one behind its last, in network_.
  [[nodiscard]] Interval layers_of(const Part& part) const {
    const auto is_inside = [&](const Layer& layer) {
      switch (part.kind) {
        case Part::Kind::kStem:
          return layer.role == LayerRole::kStem;
        case Part::Kind::kBlock:
          return layer.stage == static_cast<int>(part.stage) &&
                 layer.block == static_cast<int>(part.block);
        default:
          return layer.role != LayerRole::kStem && layer.stage < 0;
      }
    };
    const auto begin = std::find_if(network_.layers.begin(), network_.layers.end(), is_inside);
    const auto end = std::find_if_not(begin, network_.layers.end(), is_inside);
    return {static_cast<int>(begin - network_.layers.begin()),
            static_cast<int>(end - network_.layers.begin())};
  }

  void find_forms(std::size_t part, int resolution) {
    forms_[part].clear();
    recorded_[part].clear();
    const Part& at = parts_[part];
    std::vector<BlockChoice> choices{{}};
    if (at.kind == Part::Kind::kBlock) {
      choices = block_choices(space_.stages[at.stage]);
    }
    std::map<std::pair<int, std::vector<LayerRole>>, Form> forms;
    for (const BlockChoice& choice : choices) {
      for (const int input_width : input_widths(part)) {
        Variant variant{.choice = choice, .input_width = input_width, .families = {}};
        Architecture architecture = architecture_with(at, resolution);
        choose(architecture, part, variant);
        lower(space_, architecture, network_);
        lister_.assign(network_);
        std::vector<LayerRole> roles;
        const Interval layers = layers_of(at);
        for (int layer = layers.begin; layer < layers.end; ++layer) {
          variant.families.push_back(lister_.family(layer));
          roles.push_back(network_.layers[static_cast<std::size_t>(layer)].role);
        }
        forms[{choice.kernel_size, roles}].variants.push_back(variant);
      }
    }
    for (auto& [key, form] : forms) {
      forms_[part].push_back(std::move(form));
    }
  }

  // Operators of a layer, which all variants of the form have that fit one of the widths behind.
  template <typename IsPossible>
  void record(std::size_t part, std::size_t form, std::size_t layer, IsPossible is_possible) {
    const bool over_input = operators_.family.over_input;
    for (const AxisUse& row : operators_.rows) {
      for (const AxisUse& col : operators_.cols) {
        std::set<int>& widths =
            recorded_[part][{form, {layer, over_input, row.axis, col.axis, col.is_whole_row}}];
        for (const Variant& variant : forms_[part][form].variants) {
          const int width = variant.choice.width;
          if (is_possible(width) && !widths.contains(width)) {
            operators_.family = variant.families[layer];
            operators_.family.over_input = over_input;
            keys_.insert(operators_.key(row, col));
          }
        }
        for (const Variant& variant : forms_[part][form].variants) {
          if (is_possible(variant.choice.width)) {
            widths.insert(variant.choice.width);
          }
        }
      }
    }
  }

  void list_whole_layers(std::size_t part, int resolution) {
    for (std::size_t form = 0; form < forms_[part].size(); ++form) {
      Architecture architecture = architecture_with(parts_[part], resolution);
      choose(architecture, part, forms_[part][form].variants.front());
      lower(space_, architecture, network_);
      lister_.assign(network_);
      const Interval layers = layers_of(parts_[part]);
      for (int layer = layers.begin; layer < layers.end; ++layer) {
        lister_.list(layer, operators_);
        record(part, form, static_cast<std::size_t>(layer - layers.begin),
               [](int) { return true; });
      }
    }
  }

  // Of the part's layers in the patch stage that geometry_ is of, which is what `suffix` says.
  // Variants are those with a width behind for which `is_possible`.
  template <typename IsPossible, typename SuffixOfWidth>
  void list_tiles(std::size_t part, std::size_t form, int split, IsPossible is_possible,
                  SuffixOfWidth suffix_of_width) {
    const Interval layers = layers_of(parts_[part]);
    for (int layer = layers.begin; layer < std::min(layers.end, split); ++layer) {
      if (geometry_.computed_pixels(layer) > 0) {
        lister_.list(layer, geometry_, operators_);
        record(part, form, static_cast<std::size_t>(layer - layers.begin), is_possible);
      }
    }
    if (layers.begin == 0) {
      return;
    }
    const int producer = layers.begin - 1;
    Demand demand{.materialised = geometry_.materialised(layers.begin), .rows = {}, .cols = {}};
    for (int i = 0; i < geometry_.grid().rows; ++i) {
      demand.rows.push_back(geometry_.span(Axis::kRows, producer, i).computed);
    }
    for (int i = 0; i < geometry_.grid().cols; ++i) {
      demand.cols.push_back(geometry_.span(Axis::kCols, producer, i).computed);
    }
    for (const std::size_t before : parts_before(part)) {
      std::map<int, Suffix>& widths = demands_[before][demand];
      for (const Variant& variant : forms_[part][form].variants) {
        if (is_possible(variant.choice.width) && !widths.contains(variant.input_width)) {
          Suffix suffix = suffix_of_width(variant.choice.width);
          if (const Part& last = parts_[before]; last.kind == Part::Kind::kBlock) {
            if (parts_[part].kind == Part::Kind::kTail || parts_[part].block == 0) {
              suffix.architecture.stages[last.stage].assign(last.block + 1,
                                                            default_block(last.stage));
            }
          }
          choose(suffix.architecture, part, variant);
          widths.emplace(variant.input_width, std::move(suffix));
        }
      }
    }
  }

  void split_inside(std::size_t part, int resolution, TileGrid grid) {
    for (std::size_t form = 0; form < forms_[part].size(); ++form) {
      Architecture architecture = architecture_with(parts_[part], resolution);
      choose(architecture, part, forms_[part][form].variants.front());
      lower(space_, architecture, network_);
      lister_.assign(network_);
      const Interval layers = layers_of(parts_[part]);
      for (const PatchSchedule& schedule :
           enumerate_schedules(network_, {grid}, space_.schedules.split_points)) {
        const int split = schedule.split_layer();
        if (split > layers.begin && split <= layers.end) {
          geometry_.assign(network_, schedule.segments.front());
          const Suffix suffix{architecture, part, split - layers.begin};
          list_tiles(
              part, form, split, [](int) { return true; }, [&](int) { return suffix; });
        }
      }
    }
  }

  void split_behind(std::size_t part, TileGrid grid) {
    for (const auto& [demand, suffixes] : demands_[part]) {
      if (keys_.size() > most_) {
        return;
      }
      for (std::size_t form = 0; form < forms_[part].size(); ++form) {
        const std::vector<Variant>& variants = forms_[part][form].variants;
        // The stem has one variant, and one width behind it.
        const bool is_stem = parts_[part].kind == Part::Kind::kStem;
        const auto is_possible = [&](int width) { return is_stem || suffixes.contains(width); };
        const auto suffix_of_width = [&](int width) {
          return is_stem ? suffixes.begin()->second : suffixes.at(width);
        };
        const auto variant = std::find_if(variants.begin(), variants.end(), [&](const Variant& v) {
          return is_possible(v.choice.width);
        });
        if (variant == variants.end()) {
          continue;
        }
        Suffix suffix = suffix_of_width(variant->choice.width);
        choose(suffix.architecture, part, *variant);
        lower(space_, suffix.architecture, network_);
        lister_.assign(network_);
        const int split = layers_of(parts_[suffix.split_part]).begin + suffix.split_layers;
        if (!std::all_of(network_.layers.begin(), network_.layers.begin() + split, fits_segments)) {
          continue;
        }
        geometry_.assign(network_, {.first_layer = 0, .end_layer = split, .grid = grid});
        list_tiles(part, form, split, is_possible, suffix_of_width);
      }
    }
  }

  const SearchSpace& space_;
  std::size_t most_;
  std::vector<Part> parts_;
  std::vector<std::vector<Form>> forms_;  // of each part
  std::vector<Demands> demands_;          // on each part's output
  // Of each part: tiles of a form's layers, and the widths behind of which all variants are in
  // keys_.
  std::vector<std::map<std::pair<std::size_t, TileShape>, std::set<int>>> recorded_;
  std::unordered_set<OperatorKey, KeyHash> keys_;
  // Memory that is used again.
  Network network_;
  OperatorLister lister_;
  LayerOperators operators_;
  SegmentGeometry geometry_;
};

}  // namespace

std::optional<std::vector<OperatorKey>> enumerate_operators(const SearchSpace& space,
                                                            std::size_t most) {
  return Enumeration(space, most).run();
}

std::vector<PatchSchedule> sampled_schedules(const Network& network, const ScheduleSpace& space,
                                             RandomStream& stream) {
  std::vector<PatchSchedule> schedules = {PatchSchedule::layer_by_layer()};
  if (space.family != ScheduleFamily::kRows) {
    schedules = enumerate_schedules(network, space.patch_grids, space.split_points);
  }
  const std::size_t patches = schedules.size();
  for (std::size_t i = 0; space.family != ScheduleFamily::kPatches && i < patches + kMoreByRows;
       ++i) {
    schedules.push_back(random_rows(network, space.most_strips, stream));
  }
  return schedules;
}

std::map<OperatorKey, double> sampled_operators(const SearchSpace& space, int samples,
                                                RandomStream& stream) {
  std::unordered_map<OperatorKey, double, KeyHash> sums;
  std::int64_t candidates = 0;
  for (int i = 0; i < samples; ++i) {
    const Network network = lower(space, sample(space, stream));
    for (const PatchSchedule& schedule : sampled_schedules(network, space.schedules, stream)) {
      ++candidates;
      for (const OperatorUse& use :
           operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
        sums[use.key] += static_cast<double>(use.count * (use.key.macs() + use.key.bytes_moved()));
      }
    }
  }
  std::map<OperatorKey, double> weights;
  for (const auto& [key, sum] : sums) {
    weights.emplace(key, sum / static_cast<double>(candidates));
  }
  return weights;
}

}  // namespace patchnas
