#include "search/torch_workspace.h"

#include <algorithm>
#include <numeric>
#include <string>

#include <spdlog/spdlog.h>

#include "arch/error.h"
#include "deploy/calibration.h"
#include "deploy/fold_batch_norm.h"
#include "deploy/quantize.h"
#include "search/export_network.h"
#include "search/files.h"
#include "search/torch_training_loop.h"
#include "supernet/evaluation.h"

namespace patchnas {
namespace {

constexpr std::string_view kWeightsName = "best";
constexpr std::string_view kQuantisedName = "quantised";

void require_fit(const Config& config, const ImageSet& images) {
  const SearchSpace& space = config.space;
  if (images.classes != space.classes) {
    throw InputError("space.classes: " + std::to_string(space.classes) + ", but the images have " +
                     std::to_string(images.classes) + " classes");
  }
  if (images.channels != space.input_channels) {
    throw InputError("space.input_channels: " + std::to_string(space.input_channels) +
                     ", but the images have " + std::to_string(images.channels));
  }
}

}  // namespace

TorchWorkspace::TorchWorkspace(RunDirectory& run)
    : run_(run), device_(resolve_device(to_string(run.config().device))) {
  set_threads(run.config().threads);
}

const TrainingData& TorchWorkspace::data() {
  if (!data_) {
    data_ = load_training_data(run_.config().data, run_.config().seed);
    require_fit(run_.config(), data_->training);
    spdlog::info("data: {} training and {} validation images, {}x{}x{}", data_->training.size(),
                 data_->validation.size(), data_->training.height, data_->training.width,
                 data_->training.channels);
  }
  return *data_;
}

const ImageSet& TorchWorkspace::validation_images(int resolution) {
  const auto found = validation_images_.find(resolution);
  return found != validation_images_.end()
             ? found->second
             : validation_images_.emplace(resolution, resized(data().validation, resolution))
                   .first->second;
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
          .optimiser = {.momentum = settings.momentum, .weight_decay = settings.weight_decay},
          .normalisation = config.data.normalisation,
          .augmentation = {.shift_pixels = config.data.shift_pixels, .flip = config.data.flip}};
}

CheckpointStore TorchWorkspace::checkpoints(StageId stage) const {
  return {run_.supernet(), std::string(to_string(stage))};
}

Supernet& TorchWorkspace::trained_largest() {
  if (!supernet_stage_) {
    const Config& config = run_.config();
    const CheckpointStore store = checkpoints(StageId::kTrainLargest);
    const std::optional<Checkpoint> checkpoint = restorable(store);
    supernet_.emplace(config.space, config.seed, device_);
    Trainer trainer(largest_recipe(*supernet_), data().training,
                    trainer_config(StageId::kTrainLargest, config.training.largest));
    train_to_end(trainer, checkpoint, store, StageId::kTrainLargest, run_);
    supernet_stage_ = StageId::kTrainLargest;
  }
  return *supernet_;
}

Supernet& TorchWorkspace::trained_supernet() {
  if (supernet_stage_ != StageId::kTrainSupernet) {
    const Config& config = run_.config();
    const CheckpointStore store = checkpoints(StageId::kTrainSupernet);
    const std::optional<Checkpoint> checkpoint = restorable(store);
    if (checkpoint) {
      supernet_.emplace(config.space, config.seed, device_);  // its weights are in the checkpoint
    } else {
      trained_largest().sort_channels();
      supernet_stage_.reset();
    }
    Trainer trainer(random_recipe(*supernet_, config.training.subnets_per_step), data().training,
                    trainer_config(StageId::kTrainSupernet, config.training.supernet));
    train_to_end(trainer, checkpoint, store, StageId::kTrainSupernet, run_);
    supernet_stage_ = StageId::kTrainSupernet;
  }
  return *supernet_;
}

void TorchWorkspace::recalibrate(Subnet& subnet, std::string_view stream_name) {
  const Config& config = run_.config();
  RandomStream stream(config.seed, stream_name);
  recalibrate_batch_norm(
      subnet, data().training, config.data.normalisation,
      {.batches = config.recalibration.batches, .batch_size = config.recalibration.batch_size},
      stream);
}

Subnet TorchWorkspace::recalibrated(const Architecture& architecture) {
  Subnet subnet = trained_supernet().extract(architecture);
  recalibrate(subnet,
              "search/recalibration");  // the same images for every candidate: a fair comparison
  return subnet;
}

Subnet TorchWorkspace::finetuned(const Architecture& architecture) {
  const Config& config = run_.config();
  const CheckpointStore store = checkpoints(StageId::kFinetune);
  const std::optional<Checkpoint> checkpoint = restorable(store);
  Subnet subnet = checkpoint ? Subnet(lower(config.space, architecture), config.seed, device_)
                             : trained_supernet().extract(architecture);
  Trainer trainer(subnet_recipe(subnet), data().training,
                  trainer_config(StageId::kFinetune, config.training.finetune));
  train_to_end(trainer, checkpoint, store, StageId::kFinetune, run_);
  recalibrate(subnet, "finetune/recalibration");
  write_file(run_.best_weights_file(),
             encode_checkpoint(kWeightsName, {trainer.step(), subnet.save()}));
  return subnet;
}

Subnet TorchWorkspace::finetuned_weights(const Architecture& architecture) {
  const Config& config = run_.config();
  const std::filesystem::path file = run_.best_weights_file();
  const Checkpoint weights = decode_checkpoint(kWeightsName, read_file(file), file.string());
  Subnet subnet(lower(config.space, architecture), config.seed, device_);
  subnet.load(weights.bytes);
  return subnet;
}

// A seeded sample of training images.
ImageSet TorchWorkspace::calibration_images(int resolution) {
  const Config& config = run_.config();
  const ImageSet& training = data().training;
  std::vector<int> indices(static_cast<std::size_t>(training.size()));
  std::iota(indices.begin(), indices.end(), 0);
  RandomStream stream(config.seed, "quantise/calibration");
  stream.shuffle(std::span(indices));
  indices.resize(std::min(indices.size(), static_cast<std::size_t>(config.calibration.images)));
  return resized(subset(training, indices), resolution);
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
    return quantize(network, ranges, pixels);
  };
}

FoldedSubnet TorchWorkspace::quantised(FoldedSubnet calibrated) {
  const CheckpointStore store = checkpoints(StageId::kQuantise);
  const std::optional<Checkpoint> checkpoint = restorable(store);
  Trainer trainer(quantised_recipe(calibrated, quantiser()), data().training,
                  trainer_config(StageId::kQuantise, run_.config().training.quantisation_aware));
  train_to_end(trainer, checkpoint, store, StageId::kQuantise, run_);
  write_file(run_.quantised_weights_file(),
             encode_checkpoint(kQuantisedName, {trainer.step(), calibrated.save()}));
  return calibrated;
}

FoldedSubnet TorchWorkspace::exported_weights(const Architecture& architecture) {
  const std::filesystem::path file = run_.quantised_weights_file();
  const Checkpoint weights = decode_checkpoint(kQuantisedName, read_file(file), file.string());
  FoldedSubnet subnet(lower(run_.config().space, architecture), device_);
  subnet.load(weights.bytes);
  return subnet;
}

QuantizedNetwork TorchWorkspace::to_int8(const FoldedSubnet& subnet) const {
  return quantiser()(subnet.to_float_network(), subnet.ranges());
}

double TorchWorkspace::validation_accuracy(const Subnet& subnet) {
  return accuracy(subnet, validation_images(subnet.network().input.height),
                  run_.config().data.normalisation);
}

double TorchWorkspace::validation_accuracy(const QuantizedNetwork& network) {
  return run_int8(network, validation_images(network.network.input.height)).accuracy;
}

}  // namespace patchnas
