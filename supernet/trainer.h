#pragma once

// Training, one step at a time. The loop around it (signals, progress, checkpoints, metrics)
// belongs to the caller:
//
//   Trainer trainer = Trainer::of_subnets(supernet, training, config);
//   if (resuming) trainer.load(bytes);
//   while (trainer.step() < trainer.total_steps()) {
//     StepReport report = trainer.train_step();
//     if (time_to_save) write(trainer.save());
//   }
//
// Every random draw of step s comes from stream "<stage>/step/<s>", every shuffle from
// "<stage>/epoch/<e>", and save() holds weights, momentum and step: a trainer that was loaded goes
// on exactly as the one that was saved would have.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "arch/float_network.h"
#include "supernet/augmentation.h"
#include "supernet/folded_subnet.h"
#include "supernet/image_set.h"
#include "supernet/subnet.h"
#include "supernet/supernet.h"

namespace patchnas {

/// Stochastic gradient descent with momentum, cosine decay after a linear warm-up.
struct TrainerConfig {
  std::string stage = "train";  ///< names the random streams
  std::uint64_t seed = 0;
  double epochs = 1.0;   ///< passes over the training images
  int batch_size = 128;  ///< images per network and step
  int subnets_per_step =
      1;  ///< of_subnets: random architectures, gradients averaged, each with a batch of its own
  double learning_rate = 0.1;  ///< highest
  double warmup_epochs = 0.0;
  double momentum = 0.9;       ///< Nesterov's
  double weight_decay = 4e-5;  ///< not on batch norm and biases
  double label_smoothing = 0.1;
  PixelNormalisation normalisation;
  Augmentation augmentation;
  bool operator==(const TrainerConfig&) const = default;
};

struct StepReport {
  double loss = 0.0;      ///< mean cross-entropy with smoothed labels
  double accuracy = 0.0;  ///< on the augmented images of this step, in [0, 1]
  double learning_rate = 0.0;
  int images = 0;  ///< forward and backward passes done
};

class Trainer {
 public:
  /// The largest network of the space, at its largest resolution. `supernet` and `training` must
  /// outlive the trainer.
  static Trainer of_largest(Supernet& supernet, const ImageSet& training, TrainerConfig config);
  /// `subnets_per_step` networks a step, drawn uniformly with arch's sample().
  static Trainer of_subnets(Supernet& supernet, const ImageSet& training, TrainerConfig config);
  /// A stand-alone network. Its running statistics are not touched: recalibrate when done.
  static Trainer of_subnet(Subnet& subnet, const ImageSet& training, TrainerConfig config);
  /// Quantisation-aware: every step quantises the folded weights anew, and the loss is that of the
  /// int8 network that would be exported.
  static Trainer of_quantised(FoldedSubnet& subnet, Quantiser quantiser, const ImageSet& training,
                              TrainerConfig config);

  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  ~Trainer();

  [[nodiscard]] std::int64_t step() const;
  [[nodiscard]] std::int64_t total_steps() const;
  /// @throws Error if loss or gradient is not finite; the weights are those before the step.
  StepReport train_step();

  [[nodiscard]] std::string save() const;
  /// @throws InputError if the bytes are damaged or belong to another training; nothing has changed
  /// then.
  void load(std::string_view bytes);

 private:
  class Impl;
  explicit Trainer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace patchnas
