#include "search/stages/torch_workspace.h"

#include <algorithm>
#include <numeric>
#include <string>

#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "deploy/quantise/calibration.h"
#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/quantise/quantise.h"
#include "search/base/files.h"
#include "search/stages/data_progress.h"
#include "search/stages/torch_evaluation.h"
#include "search/stages/torch_training_loop.h"
#include "search/stages/validation_file.h"
#include "supernet/data/evaluation_images.h"
#include "supernet/network/evaluation.h"
#include "supernet/network/threads.h"

namespace patchnas {
namespace {

constexpr std::string_view kWeightsName = "best";
constexpr std::string_view kQuantisedName = "quantised";

/// Reads weights into a subnet of either kind.
/// @throws InputError naming the file if it is damaged or its weights are another network's.
template <typename AnySubnet>
void load_weights(std::string_view container, std::string_view name, const std::string& source,
                  AnySubnet& subnet) {
  const Checkpoint weights = decode_checkpoint(name, container, source);
  try {
    subnet.load(weights.bytes);
  } catch (const InputError& error) {
    throw InputError(source + ": " + error.what());
  }
}

std::unique_ptr<Recipe> supernet_recipe(const TrainingPlan& plan, Supernet& supernet) {
  return plan.recipe == TrainingRecipe::kSandwich
             ? sandwich_recipe(supernet, plan.subnets_per_step, plan.inplace_distillation)
             : random_recipe(supernet, plan.subnets_per_step);
}

}  // namespace

TorchWorkspace::TorchWorkspace(RunDirectory& run, ProcessGroup& group)
    : run_(run),
      group_(group),
      device_(resolve_device(to_string(run.config().device), group.place().local_rank)) {
  if (run.config().training.precision == Precision::kMixed && !device_.is_cuda()) {
    throw InputError(
        "training.precision: mixed needs a CUDA device, and there is none; allowed on the CPU: "
        "float32");
  }
  const int threads = set_threads(run.config().threads, group.place().local_count);
  spdlog::info("computing on {}, ranks: {}, threads of each: {}", device_.str(), group.size(),
               threads);
}

const TrainingData& TorchWorkspace::data() {
  if (!data_) {
    const Config& config = run_.config();
    group_.rank_0_first([&] {  // which fills the cache
      data_ = load_training_data(config.data, config.seed, console_observer());
    });
    const std::string description = describe(*data_);
    if (run_.writes() || (run_.archived() && std::filesystem::exists(run_.validation_file()))) {
      keep_or_compare(run_.validation_file(), description);
    }
    if (const std::string of_rank_0 = group_.broadcast(description); of_rank_0 != description) {
      throw InputError(
          "data.path: rank " + std::to_string(group_.rank()) +
          " finds other images there than rank 0: " + first_change(of_rank_0, description));
    }
    spdlog::info("data: {} training and {} validation images", data_->training->size(),
                 data_->validation->size());
  }
  return *data_;
}

const ImageSet& TorchWorkspace::validation_images(int resolution) {
  const auto found = validation_images_.find(resolution);
  return found != validation_images_.end()
             ? found->second
             : validation_images_
                   .emplace(resolution, evaluation_images(*data().validation, resolution,
                                                          run_.config().data.crop_ratio))
                   .first->second;
}

bool TorchWorkspace::validates_winner() const {
  return !run_.config().training.finetune_on_validation;
}

const ImageStore& TorchWorkspace::finetuning_images() {
  return validates_winner() ? *data().training : *data().both;
}

TrainerConfig TorchWorkspace::trainer_config(StageId stage,
                                             const TrainingSettings& settings) const {
  const Config& config = run_.config();
  return {.stage = std::string(to_string(stage)),
          .seed = config.seed,
          .epochs = settings.epochs,
          .batch_size = settings.batch_size,
          .learning_rate = settings.learning_rate,
          .warmup_epochs = settings.warmup_epochs,
          .label_smoothing = settings.label_smoothing,
          .optimiser = {.momentum = settings.momentum,
                        .weight_decay = settings.weight_decay,
                        .clip_norm = settings.clip_norm,
                        .ema_decay = settings.ema_decay,
                        .precision = config.training.precision},
          .normalisation = config.data.normalisation,
          .augmentation = config.data.augmentation,
          .crop_ratio = config.data.crop_ratio,
          .data_workers = config.data.workers};
}

CheckpointStore TorchWorkspace::checkpoints(StageId stage) const {
  return {run_.supernet(), std::string(to_string(stage))};
}

Supernet& TorchWorkspace::trained_largest() {
  if (!supernet_stage_) {
    const Config& config = run_.config();
    const CheckpointStore store = checkpoints(StageId::kTrainLargest);
    const std::optional<Checkpoint> checkpoint = restorable(store, group_);
    supernet_.emplace(config.space, config.seed, device_);
    Trainer trainer(largest_recipe(*supernet_), *data().training,
                    trainer_config(StageId::kTrainLargest, config.training.largest), &group_);
    train_to_end(trainer, checkpoint, store, StageId::kTrainLargest, run_, group_,
                 [&] { return evaluate_supernet(*this, *supernet_, StageId::kTrainLargest); });
    supernet_stage_ = StageId::kTrainLargest;
  }
  return *supernet_;
}

Supernet& TorchWorkspace::trained_supernet() {
  if (supernet_stage_ != StageId::kTrainSupernet) {
    const Config& config = run_.config();
    const CheckpointStore store = checkpoints(StageId::kTrainSupernet);
    const std::optional<Checkpoint> checkpoint = restorable(store, group_);
    if (checkpoint || config.training.largest.epochs == 0.0) {
      supernet_.emplace(config.space, config.seed, device_);  // or its weights are in a checkpoint
    } else {
      trained_largest().sort_channels();
      supernet_stage_.reset();
    }
    Trainer trainer(supernet_recipe(config.training, *supernet_), *data().training,
                    trainer_config(StageId::kTrainSupernet, config.training.supernet), &group_);
    train_to_end(trainer, checkpoint, store, StageId::kTrainSupernet, run_, group_,
                 [&] { return evaluate_supernet(*this, *supernet_, StageId::kTrainSupernet); });
    supernet_stage_ = StageId::kTrainSupernet;
  }
  return *supernet_;
}

void TorchWorkspace::recalibrate(Subnet& subnet, const std::string& stream_name) {
  const Config& config = run_.config();
  recalibrate_batch_norm(
      subnet,
      {.training = *data().training,
       .augmenter =
           Augmenter(config.data.normalisation, config.data.augmentation, config.data.crop_ratio),
       .seed = config.seed,
       .stream = stream_name,
       .workers = config.data.workers},
      {.batches = config.recalibration.batches, .batch_size = config.recalibration.batch_size});
}

Subnet TorchWorkspace::recalibrated(const Architecture& architecture) {
  Subnet subnet = trained_supernet().extract(architecture);
  recalibrate(subnet,
              "search/recalibration");  // the same images for every candidate: a fair comparison
  return subnet;
}

Subnet TorchWorkspace::untuned(const Architecture& architecture) {
  const Config& config = run_.config();
  return config.training.recipe == TrainingRecipe::kStandalone
             ? Subnet(lower(config.space, architecture), config.seed, device_)
             : trained_supernet().extract(architecture);
}

std::unique_ptr<Recipe> TorchWorkspace::finetune_recipe(Subnet& subnet) {
  const TrainingPlan& plan = run_.config().training;
  return plan.finetune_distillation > 0.0
             ? taught_recipe(subnet, teacher(), plan.finetune_distillation)
             : subnet_recipe(subnet);
}

Subnet TorchWorkspace::teacher() {
  const Config& config = run_.config();
  if (config.training.recipe != TrainingRecipe::kStandalone) {
    Subnet largest_one = trained_supernet().extract(largest(config.space));
    recalibrate(largest_one, "finetune/teacher");
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
  return read_subnet(read_file(weights), weights.string(),
                     lower(of_teacher.space, result.best.architecture));
}

Subnet TorchWorkspace::finetuned(const Architecture& architecture) {
  const Config& config = run_.config();
  const CheckpointStore store = checkpoints(StageId::kFinetune);
  const std::optional<Checkpoint> checkpoint = restorable(store, group_);
  Subnet subnet = checkpoint ? Subnet(lower(config.space, architecture), config.seed, device_)
                             : untuned(architecture);
  Trainer trainer(finetune_recipe(subnet), finetuning_images(),
                  trainer_config(StageId::kFinetune, config.training.finetune), &group_);
  train_to_end(trainer, checkpoint, store, StageId::kFinetune, run_, group_,
               [&] { return evaluate_subnet(*this, subnet); });
  recalibrate(subnet, "finetune/recalibration");
  if (run_.writes()) {
    write_file(run_.best_weights_file(),
               encode_checkpoint(kWeightsName, {trainer.step(), subnet.save()}));
  }
  return subnet;
}

std::string TorchWorkspace::read_shared(const std::filesystem::path& file) {
  return group_.broadcast(group_.rank() == 0 ? read_file(file) : "");
}

SearchResult TorchWorkspace::winner() {
  const std::filesystem::path file = run_.best_candidate_file();
  return parse_search_result(read_shared(file), file.string());
}

Subnet TorchWorkspace::read_subnet(std::string_view container, const std::string& source,
                                   Network network) const {
  Subnet subnet(std::move(network), run_.config().seed, device_);
  load_weights(container, kWeightsName, source, subnet);
  return subnet;
}

Subnet TorchWorkspace::finetuned_weights(const Architecture& architecture) {
  const std::filesystem::path file = run_.best_weights_file();
  return read_subnet(read_shared(file), file.string(), lower(run_.config().space, architecture));
}

// A seeded sample of training images.
ImageSet TorchWorkspace::calibration_images(int resolution) {
  const Config& config = run_.config();
  const ImageStore& training = *data().training;
  std::vector<int> indices(static_cast<std::size_t>(training.size()));
  std::iota(indices.begin(), indices.end(), 0);
  RandomStream stream(config.seed, "quantise/calibration");
  stream.shuffle(std::span(indices));
  indices.resize(std::min(indices.size(), static_cast<std::size_t>(config.calibration.images)));
  return evaluation_images(training, indices, resolution, config.data.crop_ratio);
}

FoldedSubnet TorchWorkspace::calibrated(const Subnet& subnet) {
  const Config& config = run_.config();
  const std::vector<ValueHistogram> histograms = subnet.observe_histograms(
      calibration_images(subnet.network().input.height), config.data.normalisation);
  std::vector<ValueRange> ranges;
  for (const ValueHistogram& histogram : histograms) {
    ranges.push_back(calibrated_range(histogram, config.calibration.rule));
  }
  return {fold_batch_norm(subnet.to_float_network()), std::move(ranges), device_};
}

Quantiser TorchWorkspace::quantiser() const {
  return [pixels = run_.config().data.normalisation](const FloatNetwork& network,
                                                     const std::vector<ValueRange>& ranges) {
    return quantise(network, ranges, pixels);
  };
}

FoldedSubnet TorchWorkspace::quantised(FoldedSubnet calibrated) {
  const CheckpointStore store = checkpoints(StageId::kQuantise);
  const std::optional<Checkpoint> checkpoint = restorable(store, group_);
  Trainer trainer(quantised_recipe(calibrated, quantiser()), finetuning_images(),
                  trainer_config(StageId::kQuantise, run_.config().training.quantisation_aware),
                  &group_);
  train_to_end(trainer, checkpoint, store, StageId::kQuantise, run_, group_,
               [&] { return evaluate_int8(*this, to_int8(calibrated)); });
  if (run_.writes()) {
    write_file(run_.quantised_weights_file(),
               encode_checkpoint(kQuantisedName, {trainer.step(), calibrated.save()}));
  }
  return calibrated;
}

FoldedSubnet TorchWorkspace::exported_weights(const Architecture& architecture) {
  const std::filesystem::path file = run_.quantised_weights_file();
  FoldedSubnet subnet(lower(run_.config().space, architecture), device_);
  load_weights(read_shared(file), kQuantisedName, file.string(), subnet);
  return subnet;
}

QuantizedNetwork TorchWorkspace::to_int8(const FoldedSubnet& subnet) const {
  return quantiser()(subnet.to_float_network(), subnet.ranges());
}

double TorchWorkspace::validation_accuracy(const Subnet& subnet, int most_images) {
  return accuracy(subnet, some_validation_images(subnet.network().input.height, most_images),
                  run_.config().data.normalisation);
}

double TorchWorkspace::validation_accuracy(const QuantizedNetwork& network, int most_images) {
  return accuracy(network, some_validation_images(network.network.input.height, most_images));
}

ImageSet TorchWorkspace::some_validation_images(int resolution, int most) {
  const ImageSet& all = validation_images(resolution);
  if (most >= all.size()) {
    return all;
  }
  std::vector<int> indices;  // evenly spaced: files may be in the order of their classes
  for (std::int64_t i = 0; i < most; ++i) {
    indices.push_back(static_cast<int>(i * all.size() / most));
  }
  return subset(all, indices);
}

}  // namespace patchnas
