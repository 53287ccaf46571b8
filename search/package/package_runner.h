#pragma once

// Exported packages, compiled and run: on the host, or on an emulated Cortex-M.
//
//   const PackageFolder package("runs/vww/export/c");
//   PackageRunner runner(package, RunTarget::kCortexM4, Rounding::kDouble, Profiling::kOff);
//   const PackageRun run = runner.run(images);

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/quantized_network.h"
#include "deploy/reference/end_numbers.h"
#include "deploy/reference/litert_arithmetic.h"
#include "memory_models/memory_models.h"
#include "search/base/process.h"
#include "search/package/link_map.h"
#include "search/package/toolchain.h"
#include "search/report/verification.h"

namespace patchnas {

/// What package.json says about a package.
struct PackageFolder {
  /// `path` is the package's folder, or has it in c/ or export/c/.
  /// @throws InputError if there is none, or its package.json is damaged.
  explicit PackageFolder(const std::filesystem::path& path);

  /// A file in the package's folder or, where it is not there, in the one above it: model.tflite,
  /// report.json.
  [[nodiscard]] std::filesystem::path beside(const std::string& file) const;
  /// What it computes layer by layer: the model beside it, prepared (deploy/prepare) or, in
  /// packages of runs, as it is.
  /// @throws InputError if the package is of another model.
  [[nodiscard]] Network executed_network(const QuantizedNetwork& model) const;

  std::filesystem::path path;
  std::string name;
  InputMode input = InputMode::kResident;
  PatchSchedule schedule;
  std::int64_t arena_bytes = 0;
  std::vector<EndFormat> inputs;  ///< the image first
  std::vector<EndFormat> outputs;
  std::int64_t input_bytes = 0;   ///< of all inputs in int8
  std::int64_t output_bytes = 0;  ///< of all outputs in int8
  std::vector<std::string> sources;
  std::vector<std::string> layers;
  std::vector<TensorShape> layer_outputs;  ///< empty in packages of versions that did not say

 private:
  [[nodiscard]] bool has_shapes_of(const Network& network) const;
};

/// The network of the file beside it that it was made of, model.tflite or model.onnx.
QuantizedNetwork read_model_of(const PackageFolder& package);

/// Instructions of each layer, on emulated targets; or the executed multiply-accumulates, counted
/// by the portable kernels.
enum class Profiling { kOff, kLayers, kMacs };

/// The integer reference's that is the same.
Arithmetic arithmetic_of(Rounding rounding);

/// Measured, not estimated.
struct PackageRun {
  std::vector<std::int8_t> outputs;              ///< back to back
  std::optional<std::int64_t> instructions;      ///< of all images; emulated targets
  std::vector<std::int64_t> layer_instructions;  ///< with profiling: of all images
  std::optional<std::int64_t> macs;              ///< with profiling: of all images
  std::int64_t stack_bytes = 0;                  ///< deepest, from the caller of NAME_invoke down
};

class PackageRunner {
 public:
  /// Compiles and links in a temporary folder.
  /// @throws InputError as require_tools(), and with the compiler's first line if it refuses.
  PackageRunner(const PackageFolder& package, RunTarget target, Rounding rounding,
                Profiling profiling);

  /// Inputs back to back, [N, input_bytes], any number.
  /// @throws InputError if they are not; Error if the program fails.
  PackageRun run(std::span<const std::int8_t> images) const;

  /// Of the linked program, what belongs to the package: arena, and everything else of it in SRAM
  /// and flash.
  [[nodiscard]] std::int64_t arena_bytes() const { return arena_bytes_; }
  [[nodiscard]] std::int64_t static_bytes() const { return linked_.sram(); }
  [[nodiscard]] std::int64_t flash_bytes() const { return linked_.flash(); }
  /// With what a run of `images` images took.
  [[nodiscard]] PackageFigures figures(const PackageRun& run, int images) const;

 private:
  void compile();
  void run_some(std::span<const std::int8_t> images, PackageRun& result) const;

  PackageFolder package_;
  RunTarget target_;
  Toolchain tools_;
  Rounding rounding_;
  Profiling profiling_;
  TemporaryFolder folder_;
  std::int64_t images_at_a_time_ = 1;
  std::int64_t arena_bytes_ = 0;
  LinkedBytes linked_;
};

}  // namespace patchnas
