#pragma once

// The candidates that the benchmarks of the memory models judge.

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "arch/arch.h"
#include "memory_models/memory_models.h"
#include "memory_models/schedule_sweep.h"

namespace patchnas::benchmarks {

inline constexpr Core kCore = Core::kCortexM4;
inline constexpr InputMode kInput = InputMode::kResident;

/// `file` is YAML with a `space`, whatever else it has.
inline SearchSpace read_space(const std::filesystem::path& file) {
  YamlReader reader = YamlReader::parse_file(file);
  return parse_search_space(reader.map("space"));
}

/// Always the same ones.
inline std::vector<Architecture> random_architectures(const SearchSpace& space, int count) {
  RandomStream stream(1, "benchmark/architectures");
  std::vector<Architecture> drawn;
  for (int i = 0; i < count; ++i) {
    drawn.push_back(sample(space, stream));
  }
  return drawn;
}

/// Lowers architectures and judges them under all their schedules, in memory that is used again.
class CandidateJudge {
 public:
  /// `space` must outlive it.
  explicit CandidateJudge(const SearchSpace& space, InputMode input = kInput)
      : space_(space),
        sweep_(space.schedules.patch_grids, space.schedules.split_points, input),
        flash_(input, kCore) {}

  void judge(const Architecture& architecture) {
    lower(space_, architecture, network_);
    flash_.prepare(network_);
    costs_ = sweep_.run(network_);
    flash_bytes_.clear();
    for (const ScheduleCosts& costs : costs_) {
      flash_bytes_.push_back(flash_.total_bytes(costs));
    }
  }

  [[nodiscard]] const Network& network() const { return network_; }
  /// Of every schedule; until the next candidate.
  [[nodiscard]] std::span<const ScheduleCosts> costs() const { return costs_; }
  [[nodiscard]] std::span<const std::int64_t> flash_bytes() const { return flash_bytes_; }

 private:
  const SearchSpace& space_;
  ScheduleSweep sweep_;
  FlashSweep flash_;
  Network network_;
  std::span<const ScheduleCosts> costs_;
  std::vector<std::int64_t> flash_bytes_;
};

}  // namespace patchnas::benchmarks
