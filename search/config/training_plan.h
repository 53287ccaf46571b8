#pragma once

// The `training` section of a configuration: how weights come about.

#include <optional>
#include <string>
#include <string_view>

#include "arch/base/yaml_reader.h"
#include "arch/precision.h"
#include "arch/search_space.h"

namespace patchnas {

/// mcunetv2: the largest network, sorted channels, then random subnets (Lin et al., 2021).
/// sandwich: largest, smallest and random subnets, the largest teaching the others (Yu et al.,
/// BigNAS, 2020). standalone: one given network from fresh weights; only its schedule is searched.
enum class TrainingRecipe { kMcunetV2, kSandwich, kStandalone };
std::string_view to_string(TrainingRecipe recipe);

/// One training stage: stochastic gradient descent with momentum, cosine decay after a linear
/// warm-up.
struct TrainingSettings {
  double epochs = 0.0;    ///< 0 leaves the stage out, or its weights as they come
  int batch_size = 1024;  ///< images per network and step
  double learning_rate = 0.2;
  double warmup_epochs = 0.0;
  double momentum = 0.9;
  double weight_decay = 4e-5;
  double label_smoothing = 0.1;
  double clip_norm = 0.0;  ///< longest gradient; 0: any
  double ema_decay = 0.0;  ///< of the average of the weights that the stage ends with; 0: none
  bool operator==(const TrainingSettings&) const = default;
};

struct TrainingPlan {
  TrainingRecipe recipe = TrainingRecipe::kMcunetV2;
  Precision precision = Precision::kFloat32;
  TrainingSettings largest{.epochs = 30};  ///< 0 epochs leave it out, as the sandwich rule does
  TrainingSettings supernet{.epochs = 60};
  int subnets_per_step = 4;           ///< whose gradients are averaged; of the supernet stage
  double inplace_distillation = 1.0;  ///< sandwich: share of the largest's answers in the targets
  TrainingSettings finetune{.epochs = 10, .learning_rate = 0.02};
  /// Share of a teacher's answers in the targets of fine-tuning. The teacher is the supernet's
  /// largest network; of a standalone network the winner of `teacher`.
  double finetune_distillation = 0.0;
  /// Once the search is over, fine-tuning and quantisation-aware training learn from the validation
  /// images as well; nothing is evaluated on them any more.
  bool finetune_on_validation = false;
  /// 0 epochs: post-training quantisation only. What a config leaves out is fine-tuning's, at a
  /// tenth of its learning rate.
  TrainingSettings quantisation_aware{.epochs = 10, .learning_rate = 0.002};
  std::optional<Architecture> architecture;  ///< standalone, and there always
  std::string teacher;                       ///< a finished run directory, absolute, or empty
  double evaluate_every_epochs = 1.0;        ///< on validation images; 0: never
  int evaluation_images = 1000;              ///< at most
  bool operator==(const TrainingPlan&) const = default;
};

/// @throws InputError with file, line and column.
TrainingPlan parse_training_plan(YamlReader reader, const SearchSpace& space);
/// Every key, resolved; parse_training_plan reads it back as an equal plan.
std::string to_yaml(const TrainingPlan& plan);

}  // namespace patchnas
