#pragma once

// The stages that train, evaluate and export with LibTorch. This header needs none of it.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "search/run/stage.h"

namespace patchnas {

class ProcessGroup;

/// The stages of the run's training recipe (stage_id.h), in order. Both must outlive them. All
/// ranks of the group run them together; the export is rank 0's alone.
/// @throws InputError if the configured device is not there.
std::vector<std::unique_ptr<Stage>> make_stages(RunDirectory& run, ProcessGroup& group);

struct ExportRequest {
  std::string candidate_id;      ///< empty for the winner
  std::filesystem::path folder;  ///< empty for the run directory's own
  int dumped_test_images =
      0;  ///< inputs and reference outputs of so many, for checks with other runtimes
};

/// Exports from a run directory again. A candidate other than the winner has the supernet's
/// weights.
/// @return the folder that holds the files
/// @throws InputError saying what is missing if the run has not got that far.
std::filesystem::path export_again(RunDirectory& run, const ExportRequest& request);

}  // namespace patchnas
