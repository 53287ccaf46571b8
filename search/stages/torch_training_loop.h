#pragma once

// The loop around a trainer: checkpoints, metrics, progress, stop signals.

#include <functional>
#include <optional>

#include "search/stages/torch_context.h"
#include "supernet/training/trainer.h"

namespace patchnas {

/// As configured for a stage that trains.
TrainerConfig trainer_config(const Config& config, StageId stage);

/// The newest intact checkpoint of a stage that rank 0 finds, on every rank; damage is logged.
/// @throws InputError if there are checkpoints and none is intact.
std::optional<Checkpoint> restorable(const TorchContext& context, StageId stage);

/// Accuracies on validation images of what training would end with now.
using Evaluation = std::function<MetricsLog::Values()>;

/// Continues from `checkpoint` (from the beginning without one) to the last step, and saves that
/// one too. Loss, learning rate and evaluations go to metrics.jsonl, images a second to
/// timing.jsonl.
/// @param evaluate called every training.evaluate_every_epochs and at the end, unless that is 0
/// On several ranks a signal to one stops all after the same step, and rank 0 saves and evaluates.
/// @throws InterruptedError after a stop signal, or on the CPU LostRankError, with a checkpoint of
/// the last step on disk.
/// @throws Error if training diverged; the checkpoints are of steps before that.
void train_to_end(Trainer& trainer, const std::optional<Checkpoint>& checkpoint, StageId stage,
                  const TorchContext& context, const Evaluation& evaluate);

}  // namespace patchnas
