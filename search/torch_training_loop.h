#pragma once

// The loop around a trainer: checkpoints, metrics, progress, stop signals.

#include <optional>

#include "search/checkpoint.h"
#include "search/run_directory.h"
#include "supernet/trainer.h"

namespace patchnas {

/// The newest intact checkpoint of a stage; damage is logged.
/// @throws InputError if there are checkpoints and none is intact.
std::optional<Checkpoint> restorable(const CheckpointStore& store);

/// Continues from `checkpoint` (from the beginning without one) to the last step, and saves that
/// one too.
/// @throws InterruptedError after a stop signal, with a checkpoint of the last step on disk.
void train_to_end(Trainer& trainer, const std::optional<Checkpoint>& checkpoint,
                  const CheckpointStore& store, StageId stage, RunDirectory& run);

}  // namespace patchnas
