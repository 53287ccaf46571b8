#pragma once

// What `estimate` and `schedule` are asked alike: a microcontroller, and how a network is executed
// on it.
//
//   TargetOptions options;
//   options.declare(command);
//   ...                                              // when the command line has been parsed:
//   const Target target = options.target(kUnlimitedTarget);
//   ScheduleChooser chooser(options.schedules({}), target, latency);
//   const PatchSchedule schedule = options.schedule(network, chooser, Unasked::kBest);

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "search/engine/schedule_chooser.h"
#include "search/engine/sram_advice.h"
#include "search/engine/target.h"

namespace patchnas {

/// The schedule where no option says one.
enum class Unasked { kBest, kLayerByLayer };

class TargetOptions {
 public:
  /// `this` must outlive the command.
  void declare(CLI::App& command);

  /// `base` with what was given in its place; --sram, --flash and --core go before --device.
  /// @throws InputError if there is no such device.
  [[nodiscard]] Target target(Target base) const;

  /// `base` with what was given in its place; --max-patches, where there is no configuration.
  [[nodiscard]] ScheduleSpace schedules(std::optional<ScheduleSpace> base) const;

  /// Whether --patches or --schedule was given.
  [[nodiscard]] bool ask_for_schedule() const;
  /// Whether --patches or --schedule layer-by-layer was: nothing is chosen.
  [[nodiscard]] bool name_schedule() const;
  /// The schedule that was asked for. The best is what the search would choose, of the schedules
  /// that fit the one of least MACs or latency; without limits the one of least SRAM.
  /// @throws InputError if options contradict each other or do not fit the network.
  [[nodiscard]] PatchSchedule schedule(const Network& network, ScheduleChooser& chooser,
                                       Unasked unasked) const;

  /// What else could be given to need less SRAM.
  [[nodiscard]] SramWays sram_ways() const;

  [[nodiscard]] bool json() const { return json_; }

 private:
  [[nodiscard]] PatchSchedule given_patches(const Network& network) const;
  [[nodiscard]] PatchSchedule best(const Network& network, ScheduleChooser& chooser) const;

  std::optional<std::int64_t> sram_bytes_;
  std::optional<std::int64_t> flash_bytes_;
  std::string memory_model_;
  std::string input_;
  std::string core_;
  std::string device_;
  std::string latency_table_;
  std::string patches_;
  std::optional<int> split_block_;
  std::optional<int> split_layer_;
  std::string schedule_;
  int max_patches_ = 4;
  std::string family_;
  std::optional<int> max_strips_;
  std::string optimise_;
  bool json_ = false;
};

}  // namespace patchnas
