#pragma once

// Networks to estimate, in every form that other people keep them in.
//
//   const NetworkFile file = read_network_file("mobilenet_v2", {.resolution = 160, .width = 0.5});
//   use(file.network);

#include <optional>
#include <string>
#include <vector>

#include "arch/network.h"
#include "deploy/prepare/prepare.h"

namespace patchnas {

struct NetworkFileOptions {
  std::optional<int> resolution{};  ///< of the image, instead of the file's; not of trained models
  std::optional<double> width{};    ///< multiplier of all base widths; YAML that states them
  std::vector<std::string> assignments{};  ///< "space.classes=2", YAML only
  Folding folding = Folding::kExact;       ///< of trained models
};

struct NetworkFile {
  Network network;
  FoldedParts folded{};  ///< what a trained model has besides
  /// What an estimate of it takes for granted, as one line; empty if nothing.
  std::string assumption{};
};

/// Reads
/// - a .tflite or .onnx file, int8 or float32, prepared as it would be scheduled (prepare.h), its
///   inverted residuals recognised as blocks;
/// - the JSON description of ProxylessNAS, Once-for-All and MCUNet (read_network_description());
/// - YAML with a `space` that offers exactly one architecture, as in configs/networks/.
///
/// The ending of the name decides, else the content. A bare name that is no file is looked up in
/// configs/networks/.
/// @throws InputError.
NetworkFile read_network_file(const std::string& name, const NetworkFileOptions& options);

}  // namespace patchnas
