#include "search/stages/torch_winner.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "search/stages/torch_evaluation.h"
#include "search/stages/torch_training_loop.h"

namespace patchnas {
namespace {

constexpr std::string_view kWeightsName = "best";

/// @throws InputError naming the file if it is damaged or its weights are another network's.
Subnet decode_subnet(const TorchContext& context, std::string_view container,
                     const std::string& source, Network network) {
  Subnet subnet(std::move(network), context.config().seed, context.device);
  load_weights(container, kWeightsName, source, subnet);
  return subnet;
}

/// Of fine-tuning, with statistics of its own.
Subnet teacher_of(const TorchContext& context, RunImages& images, TrainedSupernet& supernet) {
  const Config& config = context.config();
  if (config.training.recipe != TrainingRecipe::kStandalone) {
    supernet.train_all();
    Subnet largest_one = supernet.extract(largest(config.space));
    recalibrate(context, images, largest_one, "finetune/teacher");
    return largest_one;
  }
  const std::filesystem::path path = config.training.teacher;
  const Config of_teacher = parse_config(YamlReader::parse_file(path / "config.yaml"), "teacher");
  if (of_teacher.data.normalisation != config.data.normalisation) {
    throw InputError("training.teacher: " + path.string() +
                     " was trained with another data.mean or data.stddev");
  }
  const SearchResult result = read_search_result(path / "best" / "candidate.json");
  const std::filesystem::path weights = path / "best" / "weights.ckpt";
  return decode_subnet(context, read_file(weights), weights.string(),
                       lower(of_teacher.space, result.best.architecture));
}

std::unique_ptr<Recipe> finetune_recipe(const TorchContext& context, RunImages& images,
                                        TrainedSupernet& supernet, Subnet& subnet) {
  const TrainingPlan& plan = context.config().training;
  return plan.finetune_distillation > 0.0
             ? taught_recipe(subnet, teacher_of(context, images, supernet),
                             plan.finetune_distillation)
             : subnet_recipe(subnet);
}

Subnet untuned(const TorchContext& context, TrainedSupernet& supernet,
               const Architecture& architecture) {
  const Config& config = context.config();
  if (config.training.recipe == TrainingRecipe::kStandalone) {
    return Subnet(lower(config.space, architecture), config.seed, context.device);
  }
  supernet.train_all();
  return supernet.extract(architecture);
}

}  // namespace

SearchResult read_winner(const TorchContext& context) {
  const std::filesystem::path file = context.run.best_candidate_file();
  return parse_search_result(read_shared(context, file), file.string());
}

Subnet finetune(const TorchContext& context, RunImages& images, TrainedSupernet& supernet,
                const Architecture& architecture) {
  const Config& config = context.config();
  const std::optional<Checkpoint> checkpoint = restorable(context, StageId::kFinetune);
  Subnet subnet = checkpoint
                      ? Subnet(lower(config.space, architecture), config.seed, context.device)
                      : untuned(context, supernet, architecture);
  Trainer trainer(finetune_recipe(context, images, supernet, subnet), images.finetuning(),
                  trainer_config(config, StageId::kFinetune), &context.group);
  train_to_end(trainer, checkpoint, StageId::kFinetune, context,
               [&] { return evaluate_subnet(context, images, subnet); });
  recalibrate(context, images, subnet, "finetune/recalibration");
  if (context.run.writes()) {
    write_file(context.run.best_weights_file(),
               encode_checkpoint(kWeightsName, {trainer.step(), subnet.save()}));
  }
  return subnet;
}

Subnet read_finetuned(const TorchContext& context, const Architecture& architecture) {
  const std::filesystem::path file = context.run.best_weights_file();
  return decode_subnet(context, read_shared(context, file), file.string(),
                       lower(context.config().space, architecture));
}

}  // namespace patchnas
