#pragma once

// A run is a row of stages over one run directory. Each can be stopped at any moment and run again:
// it finds what it wrote, goes on from there, and ends in the same files.

#include <memory>
#include <span>

#include "search/run/run_directory.h"

namespace patchnas {

class Stage {
 public:
  virtual ~Stage() = default;
  [[nodiscard]] virtual StageId id() const = 0;
  /// Returns when the stage's results are on disk.
  /// @throws InterruptedError after a stop signal, with everything saved.
  virtual void run() = 0;
};

/// Runs the stages in order, without those that are done already.
void run_stages(RunDirectory& run, std::span<const std::unique_ptr<Stage>> stages);

}  // namespace patchnas
