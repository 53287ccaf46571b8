#include "search/stages/torch_supernet.h"

#include <memory>
#include <utility>

#include "search/stages/torch_evaluation.h"
#include "search/stages/torch_training_loop.h"

namespace patchnas {
namespace {

std::unique_ptr<Recipe> supernet_recipe(const TrainingPlan& plan, Supernet& supernet) {
  return plan.recipe == TrainingRecipe::kSandwich
             ? sandwich_recipe(supernet, plan.subnets_per_step, plan.inplace_distillation)
             : random_recipe(supernet, plan.subnets_per_step);
}

}  // namespace

void TrainedSupernet::train_largest() {
  if (trained_) {
    return;
  }
  const Config& config = context_.config();
  const std::optional<Checkpoint> checkpoint = restorable(context_, StageId::kTrainLargest);
  supernet_.emplace(config.space, config.seed, context_.device);
  Trainer trainer(largest_recipe(*supernet_), images_.training(),
                  trainer_config(config, StageId::kTrainLargest), &context_.group);
  train_to_end(trainer, checkpoint, StageId::kTrainLargest, context_, [&] {
    return evaluate_supernet(context_, images_, *supernet_, StageId::kTrainLargest);
  });
  trained_ = StageId::kTrainLargest;
}

void TrainedSupernet::train_all() {
  if (trained_ == StageId::kTrainSupernet) {
    return;
  }
  const Config& config = context_.config();
  const std::optional<Checkpoint> checkpoint = restorable(context_, StageId::kTrainSupernet);
  if (checkpoint || config.training.largest.epochs == 0.0) {
    supernet_.emplace(config.space, config.seed,
                      context_.device);  // weights of a checkpoint follow
  } else {
    train_largest();
    supernet_->sort_channels();
    trained_.reset();
  }
  Trainer trainer(supernet_recipe(config.training, *supernet_), images_.training(),
                  trainer_config(config, StageId::kTrainSupernet), &context_.group);
  train_to_end(trainer, checkpoint, StageId::kTrainSupernet, context_, [&] {
    return evaluate_supernet(context_, images_, *supernet_, StageId::kTrainSupernet);
  });
  trained_ = StageId::kTrainSupernet;
}

Subnet TrainedSupernet::extract(const Architecture& architecture) const {
  return supernet_->extract(architecture);
}

Subnet TrainedSupernet::extract_recalibrated(const Architecture& architecture) const {
  Subnet subnet = extract(architecture);
  recalibrate(context_, images_, subnet, "search/recalibration");
  return subnet;
}

}  // namespace patchnas
