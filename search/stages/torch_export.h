#pragma once

// From a trained subnet to the files in export/.

#include <filesystem>
#include <optional>

#include "search/engine/candidate.h"
#include "search/engine/evolution.h"
#include "search/stages/torch_images.h"
#include "supernet/network/folded_subnet.h"
#include "supernet/network/subnet.h"

namespace patchnas {

struct ExportPlan {
  Candidate candidate;
  std::optional<EvolutionCounts> counts;  ///< of the search, if the candidate is its winner
  bool finetuned = true;
  std::filesystem::path folder;
  int dumped_test_images = 0;
};

/// Measures on the test images (the one place where they are opened) and writes
/// model.tflite, the C package in c/, then report.json; runs the package on the emulated target
/// core if that is installed.
/// @throws Error if the package does not do what was promised.
/// @param subnet in float, to compare with
/// @param folded what is exported
void export_subnet(const TorchContext& context, RunImages& images, const Subnet& subnet,
                   const FoldedSubnet& folded, const ExportPlan& plan);

}  // namespace patchnas
