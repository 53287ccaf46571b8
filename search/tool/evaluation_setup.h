#pragma once

// What `evaluate` is to do, as far as that is known without images: every mistake that can be found
// before they are read.
//
//   const EvaluationSetup setup = evaluation_setup(options);
//   const std::vector<std::int8_t> stored = setup.encode(pixels);

#include <optional>
#include <string>

#include "deploy/reference/class_scores.h"
#include "deploy/reference/input_pixels.h"
#include "search/package/package_runner.h"
#include "search/tool/training.h"
#include "supernet/data/data_config.h"
#include "supernet/data/image_fit.h"

namespace patchnas {

struct EvaluationSetup {
  QuantizedNetwork network;
  std::optional<PackageFolder> package;  ///< where it runs on a target
  std::optional<DataConfig> run;         ///< the data of the run that the network is of
  std::optional<DataConfig> data;        ///< of --config, else `run`
  Arithmetic arithmetic = Arithmetic::kTfliteMicro;
  ImageFit fit;
  PixelEncoder encode;
  ClassScores scores;

  [[nodiscard]] const TensorShape& shape() const { return network.network.input; }
};

/// For a run it needs what trains: require_training().
/// @throws InputError if the network cannot be read, has other inputs than one image of 1 or 3
///         channels or not the output that is asked for; if it is no package and has a target; if
///         there are no images, or options contradict each other or the network.
EvaluationSetup evaluation_setup(const EvaluateOptions& options);

}  // namespace patchnas
