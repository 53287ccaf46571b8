#include "search/run/stage_id.h"

#include <array>

namespace patchnas {
namespace {

constexpr std::array<std::string_view, kStageCount> kStageNames = {
    "train_largest", "train_supernet", "search", "finetune", "quantise", "export"};

}  // namespace

std::string_view to_string(StageId stage) { return kStageNames[static_cast<std::size_t>(stage)]; }

std::vector<StageId> stages_of(const TrainingPlan& plan) {
  std::vector<StageId> stages;
  if (plan.recipe != TrainingRecipe::kStandalone) {
    if (plan.largest.epochs > 0.0) {
      stages.push_back(StageId::kTrainLargest);
    }
    stages.push_back(StageId::kTrainSupernet);
  }
  for (const StageId stage :
       {StageId::kSearch, StageId::kFinetune, StageId::kQuantise, StageId::kExport}) {
    stages.push_back(stage);
  }
  return stages;
}

}  // namespace patchnas
