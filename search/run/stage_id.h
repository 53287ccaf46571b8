#pragma once

// The names of a run's stages, and which of them a training recipe has.

#include <string_view>
#include <vector>

#include "search/config/training_plan.h"

namespace patchnas {

enum class StageId { kTrainLargest, kTrainSupernet, kSearch, kFinetune, kQuantise, kExport };
inline constexpr std::size_t kStageCount = 6;

/// "train_largest", "train_supernet", "search", "finetune", "quantise", "export".
std::string_view to_string(StageId stage);

/// In the order in which they run.
std::vector<StageId> stages_of(const TrainingPlan& plan);

}  // namespace patchnas
