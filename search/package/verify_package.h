#pragma once

// Does an exported package do what was promised? Its outputs against the integer reference, its
// memory against the estimates.
//
//   const Verification result =
//       verify_package(package, network, RunTarget::kCortexM4, Rounding::kDouble, images);
//   std::cout << table(result);

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "arch/quantized_network.h"
#include "search/package/package_runner.h"

namespace patchnas {

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
  std::string package;
  RunTarget target = RunTarget::kHost;
  Rounding rounding = Rounding::kDouble;
  int images = 0;
  std::optional<Difference> first_difference;
  std::int64_t estimated_sram_bytes = 0;  ///< by the deployed memory model
  std::int64_t arena_bytes = 0;           ///< linked
  std::int64_t static_bytes = 0;          ///< linked, beside the arena
  std::int64_t stack_bytes = 0;
  std::optional<std::int64_t> estimated_flash_bytes;  ///< of cores that it was measured for
  std::int64_t flash_bytes = 0;                       ///< linked
  std::optional<std::int64_t> instructions;           ///< of one inference, on average
  std::vector<LayerInstructions> layers;              ///< emulated targets
  std::int64_t estimated_macs = 0;                    ///< of the schedule, halos included
  std::optional<std::int64_t> macs;                   ///< executed for one image; on the host

  /// Outputs identical, linked SRAM and executed multiply-accumulates as estimated, on emulated
  /// targets stack within its allowance.
  [[nodiscard]] bool holds() const;
};

/// @param images back to back, [N, H, W, C]
/// @throws InputError as PackageRunner, or if `network` is not the package's.
Verification verify_package(const PackageFolder& package, const QuantizedNetwork& network,
                            RunTarget target, Rounding rounding,
                            std::span<const std::int8_t> images);

/// For people.
std::string table(const Verification& verification);
/// For report.json.
nlohmann::ordered_json verification_json(const Verification& verification);
/// Adds it to report.json, in place of an earlier one on the same target with the same rounding.
/// @throws InputError if the file is not a report.
void add_to_report(const std::filesystem::path& file, const Verification& verification);

}  // namespace patchnas
