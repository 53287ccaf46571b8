#pragma once

// Everything that a run is told, with the published values as defaults (MCUNetV2; each is a key of
// the YAML).
//
//   Config config = read_config("fashion_mnist_32kb.yaml", {"search.population=50"});
//   write_file(run / "config.yaml", to_yaml(config));            // reads back equal

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "arch/base/yaml_reader.h"
#include "arch/search_space.h"
#include "deploy/quantise/calibration.h"
#include "search/config/training_plan.h"
#include "search/engine/evolution_settings.h"
#include "search/engine/target.h"
#include "supernet/data/data_config.h"

namespace patchnas {

/// Batch norm's statistics are measured again for every subnet that is evaluated.
struct RecalibrationSettings {
  int batches = 20;
  int batch_size = 64;
  bool operator==(const RecalibrationSettings&) const = default;
};

/// Which training images give the ranges of int8 activations, and how.
struct CalibrationSettings {
  int images = 500;
  CalibrationRule rule;
  bool operator==(const CalibrationSettings&) const = default;
};

enum class DeviceChoice { kAuto, kCpu, kCuda };
std::string_view to_string(DeviceChoice device);

struct Config {
  std::string name;  ///< folder of the run within `output`
  std::uint64_t seed = 1;
  int threads = 0;  ///< of each process; 0: its share of the machine's cores
  DeviceChoice device = DeviceChoice::kAuto;
  std::string output = "runs";  ///< folder that holds the run directories
  DataConfig data;
  SearchSpace space;
  Target target;
  TrainingPlan training;
  EvolutionSettings search;
  RecalibrationSettings recalibration;
  CalibrationSettings calibration;
  double checkpoint_every_seconds = 60;
  bool operator==(const Config&) const = default;

  [[nodiscard]] std::filesystem::path run_directory() const {
    return std::filesystem::path(output) / name;
  }
};

/// Reads a whole configuration. `default_name` is the name of the run if the config gives none.
/// @throws InputError with file, line and column.
Config parse_config(YamlReader reader, const std::string& default_name);
/// Every key, resolved; parse_config reads it back as an equal config.
std::string to_yaml(const Config& config);

/// What a microcontroller has: SRAM, flash, core and clock of a file in configs/targets/, or of any
/// other of its form.
/// @throws InputError.
Target read_device(const std::string& name);

/// Finds (shipped_files.h), reads and overrides ("a.b=value").
/// @throws InputError.
Config read_config(const std::string& name, const std::vector<std::string>& assignments);

/// Of all that decides what a run computes: not its name, nor the machine, nor where its files are.
std::string run_identity(const Config& config);

/// The first line in which two configurations differ, as "training.finetune.epochs: 3 and 4"; "" if
/// they are equal.
std::string first_difference(const Config& a, const Config& b);

}  // namespace patchnas
