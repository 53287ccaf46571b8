#include "search/tool/target_options.h"

#include <algorithm>
#include <filesystem>

#include <CLI/CLI.hpp>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "search/config/config.h"
#include "search/report/schedule_tradeoff.h"
#include "search/tool/number_options.h"
#include "search/tool/option_names.h"

namespace patchnas {
namespace {

constexpr const char* kBest = "best";
constexpr const char* kLayerByLayer = "layer-by-layer";
constexpr const char* kTime = "time";
constexpr const char* kBalanced = "balanced";
constexpr const char* kRam = "ram";

/// The text of a schedule, or a file of it.
PatchSchedule given_schedule(const Network& network, const std::string& given) {
  const bool is_text = given.find('{') != std::string::npos;
  std::error_code error;
  if (!is_text && !std::filesystem::is_regular_file(given, error)) {
    throw InputError("--schedule " + given +
                     ": must be best, layer-by-layer, a schedule's JSON or a file of it");
  }
  const std::string source = is_text ? "--schedule" : given;
  const PatchSchedule schedule = parse_patch_schedule(is_text ? given : read_file(given), source);
  try {
    validate(network, schedule);
  } catch (const InputError& wrong) {
    throw InputError(source + ": " + wrong.what());
  }
  return schedule;
}

TileGrid parse_patches(const std::string& text) {
  const std::optional<TileGrid> grid = parse_tile_grid(text);
  if (!grid) {
    throw InputError("--patches " + text + ": must be P or PHxPW, whole numbers from 1 to " +
                     std::to_string(kLargestGrid));
  }
  return *grid;
}

}  // namespace

void TargetOptions::declare(CLI::App& command) {
  command
      .add_option("--device", device_,
                  "SRAM, flash, core and clock of a microcontroller, as stm32h743 "
                  "(configs/targets/); --sram, --flash and --core go before it")
      ->type_name("NAME");
  command.add_option("--sram", sram_bytes_, "Limit, as 64KiB")
      ->transform(byte_size())
      ->type_name("BYTES");
  command.add_option("--flash", flash_bytes_, "Limit, as 1MiB")
      ->transform(byte_size())
      ->type_name("BYTES");
  command
      .add_option("--memory-model", memory_model_,
                  "By which SRAM is limited, traded and drawn; deployed unless a configuration "
                  "says otherwise")
      ->check(CLI::IsMember(names_of(kMemoryModels)));
  command
      .add_option("--input", input_,
                  "Whether the whole image sits in SRAM; resident unless a configuration says "
                  "otherwise")
      ->check(CLI::IsMember(names_of(kInputModes)));
  command
      .add_option("--core", core_,
                  "The processor whose code is counted as flash; cortex-m4 unless --device or a "
                  "configuration says otherwise")
      ->check(CLI::IsMember(names_of(kCores)));
  command
      .add_option("--latency-table", latency_table_,
                  "Adds latency, and ranks schedules by it; a file, or the name of a shipped "
                  "table, as cortex-m7")
      ->type_name("TABLE");
  command.add_option("--patches", patches_, "Patches, P for P x P; 1 is layer by layer")
      ->type_name("P|PHxPW");
  CLI::Option* split_block =
      command
          .add_option("--split-block", split_block_,
                      "With --patches: the stem and the first N blocks run as patches")
          ->type_name("N");
  command
      .add_option("--split-layer", split_layer_,
                  "With --patches: the first N layers run as patches")
      ->type_name("N")
      ->excludes(split_block);
  command
      .add_option("--schedule", schedule_,
                  "best: of the schedules that fit the limits the one of least MACs, or of least "
                  "latency with --latency-table; without limits the one of least SRAM. The "
                  "default where there are limits. Or the schedule itself, as reports have it: "
                  "JSON or a file of it")
      ->type_name("best|layer-by-layer|JSON");
  command
      .add_option("--schedules", family_,
                  "Which schedules are tried: patches as MCUNetV2 published them, rows that are "
                  "cached, or both (the default)")
      ->check(CLI::IsMember(names_of(kScheduleFamilies)));
  command
      .add_option(
          "--optimise", optimise_,
          "Of the schedules that fit: time, the fastest (the default); ram, the one of least "
          "SRAM; balanced, one between")
      ->check(CLI::IsMember({kTime, kBalanced, kRam}));
  command
      .add_option("--max-strips", max_strips_,
                  "Strips of columns that are tried where rows are cached; default 12")
      ->check(CLI::Range(1, kLargestGrid))
      ->type_name("N");
  command
      .add_option("--max-patches", max_patches_,
                  "Patches along each axis that are tried; a configuration says its own")
      ->check(CLI::Range(1, kLargestGrid))
      ->capture_default_str()
      ->type_name("P");
  command.add_flag("--json", json_, "One JSON object on standard output (docs/reports.md)");
}

Target TargetOptions::target(Target base) const {
  if (!device_.empty()) {
    const Target device = read_device(device_);
    base.sram_bytes = device.sram_bytes;
    base.flash_bytes = device.flash_bytes;
    base.core = device.core;
    base.clock_mhz = device.clock_mhz;
    base.instructions_per_cycle = device.instructions_per_cycle;
  }
  base.sram_bytes = sram_bytes_.value_or(base.sram_bytes);
  base.flash_bytes = flash_bytes_.value_or(base.flash_bytes);
  if (!memory_model_.empty()) {
    base.memory_model = named(kMemoryModels, memory_model_);
  }
  if (!input_.empty()) {
    base.input = named(kInputModes, input_);
  }
  if (!core_.empty()) {
    base.core = named(kCores, core_);
  }
  if (!latency_table_.empty()) {
    base.latency_table = latency_table_;
  }
  return base;
}

ScheduleSpace TargetOptions::schedules(std::optional<ScheduleSpace> base) const {
  ScheduleSpace space = base.value_or(ScheduleSpace{.patch_grids = grids_up_to(max_patches_)});
  if (!family_.empty()) {
    space.family = named(kScheduleFamilies, family_);
  }
  space.most_strips = max_strips_.value_or(space.most_strips);
  return space;
}

bool TargetOptions::ask_for_schedule() const {
  return !patches_.empty() || !schedule_.empty() || !optimise_.empty();
}

bool TargetOptions::name_schedule() const {
  return !patches_.empty() || (!schedule_.empty() && schedule_ != kBest);
}

PatchSchedule TargetOptions::given_patches(const Network& network) const {
  const TileGrid grid = parse_patches(patches_);
  if (grid == TileGrid{1, 1}) {
    return PatchSchedule::layer_by_layer();
  }
  if (!split_block_ && !split_layer_) {
    throw InputError("--patches " + patches_ + ": needs --split-block N or --split-layer N");
  }
  const int split_layer =
      split_layer_ ? *split_layer_ : split_layer_after_block(network, *split_block_);
  if (split_layer < 1 || split_layer > network.layer_count()) {
    throw InputError("--split-layer " + std::to_string(split_layer) + ": allowed: 1 to " +
                     std::to_string(network.layer_count()));
  }
  return PatchSchedule::leading(grid, split_layer);
}

PatchSchedule TargetOptions::schedule(const Network& network, ScheduleChooser& chooser,
                                      Unasked unasked) const {
  if (patches_.empty() && (split_block_ || split_layer_)) {
    throw InputError("--split-block and --split-layer: need --patches P");
  }
  if (!patches_.empty() && !schedule_.empty()) {
    throw InputError("--schedule " + schedule_ +
                     ": says how the network is executed; give either it or --patches");
  }
  if (!patches_.empty()) {
    return given_patches(network);
  }
  if (name_schedule() && schedule_ != kLayerByLayer) {
    return given_schedule(network, schedule_);
  }
  const bool is_unasked = schedule_.empty() && optimise_.empty();
  if (is_unasked ? unasked == Unasked::kLayerByLayer : schedule_ == kLayerByLayer) {
    return PatchSchedule::layer_by_layer();
  }
  return best(network, chooser);
}

PatchSchedule TargetOptions::best(const Network& network, ScheduleChooser& chooser) const {
  if (optimise_ == kTime || (optimise_.empty() && has_limits(chooser.target()))) {
    return chooser.choose(network).schedule;
  }
  std::vector<ScheduleChoice> front = pareto_front(chooser.all(network));
  const auto unfit = [](const ScheduleChoice& choice) { return !choice.fits; };
  if (std::all_of(front.begin(), front.end(), unfit)) {
    return front.back().schedule;
  }
  std::erase_if(front, unfit);
  if (optimise_ != kBalanced) {
    return front.back().schedule;
  }
  const auto product = [](const ScheduleChoice& choice) {
    return static_cast<double>(choice.costs.sram_bytes) *
           choice.costs.latency.value_or(static_cast<double>(choice.costs.macs));
  };
  return std::min_element(front.begin(), front.end(),
                          [&](const auto& a, const auto& b) { return product(a) < product(b); })
      ->schedule;
}

SramWays TargetOptions::sram_ways() const {
  if (name_schedule()) {
    return {.best_schedule = "--schedule best"};
  }
  return {.streamed = "--input streamed",
          .more_patches = "--max-patches " + std::to_string(kAdvisedPatches)};
}

}  // namespace patchnas
