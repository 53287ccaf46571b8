#pragma once

// What the stages that need LibTorch share while one process runs: images, device, supernet.
// Everything is made when it is first needed, and comes from the run directory where an earlier
// process has left it there.

#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "search/run/checkpoint.h"
#include "search/run/run_directory.h"
#include "search/run/search_stage.h"
#include "supernet/data/data_source.h"
#include "supernet/network/device.h"
#include "supernet/network/folded_subnet.h"
#include "supernet/network/supernet.h"
#include "supernet/ranks/process_group.h"
#include "supernet/training/trainer.h"

namespace patchnas {

class TorchWorkspace {
 public:
  /// Sets the number of threads. Both must outlive it. All ranks of the group call the same
  /// functions in the same order, but for validation_accuracy() and recalibrate().
  /// @throws InputError if the configured device is not there, or cannot compute in the configured
  /// precision.
  TorchWorkspace(RunDirectory& run, ProcessGroup& group);

  /// @throws InputError also if the images do not suit the search space.
  const TrainingData& data();
  /// The validation images at a network's resolution.
  const ImageSet& validation_images(int resolution);

  /// The supernet after its largest network was trained; trains what is missing.
  Supernet& trained_largest();
  /// The supernet after all of its training; trains what is missing.
  Supernet& trained_supernet();
  /// The search's winner with weights of its own, fine-tuned, or trained from fresh ones where the
  /// recipe is standalone; trains what is missing.
  Subnet finetuned(const Architecture& architecture);
  /// A subnet with the supernet's weights and statistics of its own.
  Subnet recalibrated(const Architecture& architecture);
  /// What the search found. @throws InputError if best/candidate.json is missing or damaged.
  SearchResult winner();
  /// The winner as the fine-tuning stage left it. @throws InputError if its weights are missing or
  /// damaged.
  Subnet finetuned_weights(const Architecture& architecture);
  /// Batch norm folded, ranges over the calibration images: post-training quantisation.
  FoldedSubnet calibrated(const Subnet& subnet);
  /// The calibrated winner after quantisation-aware training; trains what is missing.
  FoldedSubnet quantised(FoldedSubnet calibrated);
  /// The winner as the quantisation stage left it. @throws InputError if its weights are missing or
  /// damaged.
  FoldedSubnet exported_weights(const Architecture& architecture);
  /// The int8 network that a folded subnet becomes.
  [[nodiscard]] QuantizedNetwork to_int8(const FoldedSubnet& subnet) const;

  /// Measures the statistics of batch norm, on augmented training images drawn from the named
  /// stream.
  void recalibrate(Subnet& subnet, const std::string& stream_name);
  /// The images that the winner is trained on.
  const ImageStore& finetuning_images();
  /// Whether validation images still tell how good the winner is: it was not trained on them.
  [[nodiscard]] bool validates_winner() const;
  /// On at most so many of the validation images.
  double validation_accuracy(const Subnet& subnet,
                             int most_images = std::numeric_limits<int>::max());
  double validation_accuracy(const QuantizedNetwork& network,
                             int most_images = std::numeric_limits<int>::max());
  [[nodiscard]] RunDirectory& run() { return run_; }
  [[nodiscard]] ProcessGroup& group() { return group_; }

 private:
  [[nodiscard]] TrainerConfig trainer_config(StageId stage, const TrainingSettings& settings) const;
  [[nodiscard]] CheckpointStore checkpoints(StageId stage) const;
  [[nodiscard]] Quantiser quantiser() const;
  ImageSet calibration_images(int resolution);
  ImageSet some_validation_images(int resolution, int most);
  Subnet untuned(const Architecture& architecture);
  std::unique_ptr<Recipe> finetune_recipe(Subnet& subnet);
  /// Of fine-tuning, with statistics of its own.
  /// @throws InputError if the run directory that holds it is not finished, or damaged.
  Subnet teacher();
  /// A file of the run directory as rank 0 reads it.
  std::string read_shared(const std::filesystem::path& file);
  [[nodiscard]] Subnet read_subnet(std::string_view container, const std::string& source,
                                   Network network) const;

  RunDirectory& run_;
  ProcessGroup& group_;
  c10::Device device_;
  std::optional<TrainingData> data_;
  std::map<int, ImageSet> validation_images_;  ///< by resolution
  std::optional<Supernet> supernet_;
  std::optional<StageId> supernet_stage_;  ///< the training that supernet_ has behind it
};

}  // namespace patchnas
