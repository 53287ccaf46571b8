#pragma once

// What one step of a training runs: which networks, on which images, and what they learn from.
//
//   const std::unique_ptr<Recipe> recipe = sandwich_recipe(supernet, 4, 1.0);
//   for (const RecipeRun& run : recipe->runs(stream)) {
//     recipe->tensors(run, recipe->parameters());   // its weights
//     recipe->tensors(run, gradient);               // where its gradient goes
//   }

#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "arch/base/random.h"
#include "arch/float_network.h"
#include "arch/network.h"
#include "arch/quantized_network.h"
#include "supernet/network/folded_subnet.h"
#include "supernet/network/layer_tensors.h"
#include "supernet/network/subnet.h"
#include "supernet/network/supernet.h"

namespace patchnas {

/// One network of a step.
struct RecipeRun {
  Network network;
  double weight = 1.0;  ///< of its gradient; 0: it only answers, with running statistics
  /// Of what it learns, the share that are soft labels: the answers of the step's first network to
  /// the same images. The rest are labels.
  double soft_share = 0.0;
};

/// Whether every network of a step sees images of its own, or all of them the same ones, each at
/// its own resolution and otherwise augmented alike.
enum class StepImages { kOwn, kShared };

class Recipe {
 public:
  virtual ~Recipe() = default;
  /// The network that owns all parameters.
  [[nodiscard]] virtual const Network& full() const = 0;
  /// [trained_count(full(), form())]
  [[nodiscard]] virtual const at::Tensor& parameters() const = 0;
  [[nodiscard]] virtual TrainedForm form() const { return TrainedForm::kNormed; }
  [[nodiscard]] virtual StepImages images() const = 0;
  /// How many networks learn in a step.
  [[nodiscard]] virtual int learners() const = 0;

  /// The networks of a step, in order; the last one learns. Their number, weights and shares are
  /// those of every step, and nothing depends on the parameters: a step can be known ahead.
  /// @param stream of the step
  [[nodiscard]] virtual std::vector<RecipeRun> runs(RandomStream& stream) const = 0;
  /// Whose integers the run computes, from the parameters as they are; none: floats.
  [[nodiscard]] virtual std::optional<QuantizedNetwork> quantised(const RecipeRun& /*run*/) const {
    return std::nullopt;
  }
  /// What its networks read for a pixel, where float networks read it so: for integers steps.
  [[nodiscard]] virtual PixelNormalisation pixels(const PixelNormalisation& normalisation) const {
    return normalisation;
  }
  /// The part of `flat`, a tensor like parameters(), that the run works with; for a run that only
  /// answers its own tensors.
  [[nodiscard]] virtual std::vector<LayerTensors> tensors(const RecipeRun& run,
                                                          const at::Tensor& flat) const = 0;
};

// Supernets and subnets must outlive their recipes.

/// The largest architecture of the space alone.
std::unique_ptr<Recipe> largest_recipe(Supernet& supernet);
/// `count` architectures drawn uniformly with arch's sample(), gradients averaged (MCUNetV2).
std::unique_ptr<Recipe> random_recipe(Supernet& supernet, int count);
/// The sandwich rule (Yu et al., BigNAS, 2020): the largest architecture, the smallest and
/// count - 2 random ones on the same images, gradients averaged. The largest learns from labels,
/// the others to the share `distillation` from its answers (1 as published).
/// @throws InputError for fewer than two.
std::unique_ptr<Recipe> sandwich_recipe(Supernet& supernet, int count, double distillation);
/// A stand-alone network.
std::unique_ptr<Recipe> subnet_recipe(Subnet& subnet);
/// A stand-alone network that learns to the share `distillation` from the answers of a teacher to
/// the same images; the teacher has its running statistics and stays as it is.
/// @throws InputError if they differ in classes or input channels.
std::unique_ptr<Recipe> taught_recipe(Subnet& subnet, Subnet teacher, double distillation);
/// Quantisation-aware: every step quantises the folded weights anew, and the loss is that of the
/// int8 network that would be exported.
std::unique_ptr<Recipe> quantised_recipe(FoldedSubnet& subnet, Quantiser quantiser);

}  // namespace patchnas
