#pragma once

// Training, one step at a time. What a step runs is the recipe's; the loop around it (signals,
// progress, checkpoints, metrics) belongs to the caller:
//
//   Trainer trainer(sandwich_recipe(supernet, 4, 1.0), training, config);
//   if (resuming) trainer.load(bytes);
//   while (trainer.step() < trainer.total_steps()) {
//     trainer.train_step();
//     if (time_to_look) print(trainer.last_step());
//     if (time_to_save) write(trainer.save());
//   }
//
// Every random draw of step s comes from stream "<stage>/step/<s>", those of its images from
// "<stage>/image/<s>/<part>/<i>", every shuffle from "<stage>/epoch/<e>", and save() holds weights,
// momentum and step: a trainer that was loaded goes on exactly as the one that was saved would
// have.
//
// With a process group every rank does this with its share of each batch: together they take the
// images that one rank would take, augmented alike, through the same networks, and add up their
// gradients. What differs from one rank is that batch norm sees a rank's share only, as usual, and
// the order of sums. What save() returns is the same on all ranks, and another number of ranks can
// go on from it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <c10/core/Device.h>

#include "arch/float_network.h"
#include "supernet/data/augmentation.h"
#include "supernet/data/image_store.h"
#include "supernet/ranks/process_group.h"
#include "supernet/training/optimiser.h"
#include "supernet/training/recipe.h"

namespace patchnas {

/// Cosine decay after a linear warm-up.
struct TrainerConfig {
  std::string stage = "train";  ///< names the random streams
  std::uint64_t seed = 0;
  double epochs = 1.0;         ///< passes over the training images
  int batch_size = 128;        ///< images per network and step, of all ranks together
  double learning_rate = 0.1;  ///< highest
  double warmup_epochs = 0.0;
  double label_smoothing = 0.1;
  OptimiserConfig optimiser;
  PixelNormalisation normalisation;
  Augmentation augmentation;
  double crop_ratio = 1.0;  ///< centre_crop(), where the augmentation has no random crop
  int data_workers = 0;     ///< threads that make images ahead; results do not depend on them
  /// That ranks add up at a time, of a gradient: the more, the fewer messages; the fewer, the more
  /// of them travel while the backward pass still runs.
  std::int64_t bucket_bytes = 1 << 20;
  bool operator==(const TrainerConfig&) const = default;
};

struct StepReport {
  double loss = 0.0;      ///< mean cross-entropy of what the networks were to answer
  double accuracy = 0.0;  ///< on the augmented images of this step, in [0, 1]
  double learning_rate = 0.0;
  double data_seconds = 0.0;  ///< of this step's time, spent waiting for images or making them
  double rank_seconds = 0.0;  ///< waiting for the other ranks' gradients
};

/// A trainer's state at one step, in host memory: training goes on while its bytes are made.
struct TrainerSnapshot {
  std::string owner;  ///< the training that it belongs to
  Optimiser::State state;

  /// @throws Error if a weight is not finite: a checkpoint never holds such.
  [[nodiscard]] std::string bytes() const;
};

class Trainer {
 public:
  /// `training` must outlive the trainer. Running statistics are not touched: recalibrate when
  /// done.
  /// @param group must outlive the trainer; null: alone. All ranks make the same calls of
  /// train_step(), from the same state: load() one of them's where they could differ.
  /// @throws InputError without images, or for a batch of fewer images than ranks.
  Trainer(std::unique_ptr<Recipe> recipe, const ImageStore& training, TrainerConfig config,
          ProcessGroup* group = nullptr);

  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  ~Trainer();

  [[nodiscard]] std::int64_t step() const;
  [[nodiscard]] c10::Device device() const;
  [[nodiscard]] std::int64_t total_steps() const;
  [[nodiscard]] std::int64_t steps_per_epoch() const;
  /// Forward and backward passes of a step.
  [[nodiscard]] int images_per_step() const;

  /// With an average of the weights (OptimiserConfig::ema_decay), the last step makes it the
  /// weights.
  /// @throws Error if the loss exploded, or loss or gradient was not finite, naming the step; on
  /// CUDA up to some steps later. That step changed no weights.
  /// @throws LostRankError, FailedRankError as the process group's calls; the trainer is as it was
  /// after the step before, and can be saved.
  void train_step();

  /// Of all ranks, but for the times. Waits for the device. Before the first step of this object
  /// all is 0.
  /// @throws Error as train_step().
  [[nodiscard]] StepReport last_step() const;

  /// Calls `look` while the weights are what training would end with now: their average, if there
  /// is one.
  void with_result(const std::function<void()>& look);

  /// Waits for the device. @throws Error as train_step().
  [[nodiscard]] TrainerSnapshot snapshot() const;
  /// The snapshot's bytes, at once. @throws Error as those two.
  [[nodiscard]] std::string save() const { return snapshot().bytes(); }
  /// @throws InputError if the bytes are damaged or belong to another training; nothing has changed
  /// then.
  void load(std::string_view bytes);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace patchnas
