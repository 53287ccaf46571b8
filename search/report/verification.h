#pragma once

// What a package took when it ran, and whether that is what was promised.
//
//   const Verification result = verify_package(package, network, target, rounding, images);
//   std::cout << table(result);
//   add_to_report(folder / "report.json", result);

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "search/report/run_target.h"

namespace patchnas {

/// A package that was compiled, linked and run: measured, not estimated.
struct PackageFigures {
  std::string package;
  RunTarget target = RunTarget::kHost;
  Rounding rounding = Rounding::kDouble;
  std::int64_t arena_bytes = 0;              ///< linked
  std::int64_t static_bytes = 0;             ///< linked, beside the arena
  std::int64_t stack_bytes = 0;              ///< deepest
  std::int64_t flash_bytes = 0;              ///< linked
  std::optional<std::int64_t> instructions;  ///< of one inference, on average; emulated targets
};

struct LayerInstructions {
  std::string layer;
  std::int64_t instructions = 0;  ///< of one inference, all patches
};

struct Difference {
  int image = 0;
  int byte = 0;
  int expected = 0;
  int actual = 0;
};

struct Verification {
  PackageFigures figures;
  int images = 0;
  std::optional<Difference> first_difference;
  std::int64_t estimated_sram_bytes = 0;              ///< by the deployed memory model
  std::optional<std::int64_t> allowed_stack_bytes;    ///< emulated targets
  std::optional<std::int64_t> estimated_flash_bytes;  ///< of cores that it was measured for
  std::vector<LayerInstructions> layers;              ///< emulated targets
  std::int64_t estimated_macs = 0;                    ///< of the schedule, halos included
  std::optional<std::int64_t> macs;                   ///< executed for one image; on the host

  /// Outputs identical, linked SRAM and executed multiply-accumulates as estimated, the
  /// stack within what is allowed.
  [[nodiscard]] bool holds() const;
};

/// For people.
std::string table(const PackageFigures& figures);
std::string table(const Verification& verification);

/// What `run --json` and `verify --json` print.
std::string figures_report(const PackageFigures& figures);
std::string verification_report(const Verification& verification);

/// Adds it to report.json, in place of an earlier one on the same target with the same rounding.
/// @throws InputError if the file is not a report, or one of a version that had no schema.
void add_to_report(const std::filesystem::path& file, const Verification& verification);

}  // namespace patchnas
