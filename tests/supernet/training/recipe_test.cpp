#include "supernet/training/recipe.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "arch/base/error.h"
#include "supernet/data/evaluation_images.h"
#include "supernet/network/compute.h"
#include "supernet/network/evaluation.h"
#include "supernet/network/loss.h"
#include "supernet/network/threads.h"
#include "supernet/training/trainer.h"
#include "tests/supernet/network/test_spaces.h"

namespace patchnas {
namespace {

constexpr int kBatchSize = 12;
constexpr double kSmoothing = 0.1;

class RecipeTest : public testing::Test {
 protected:
  void SetUp() override { set_threads(1); }

  /// One step at rate 1 without momentum and decay, on all images at once: parameters change by
  /// exactly the gradient.
  static at::Tensor gradient_of_step(std::unique_ptr<Recipe> recipe, const ImageStore& images) {
    const at::Tensor parameters = recipe->parameters();
    const at::Tensor before = parameters.clone();
    TrainerConfig config;
    config.batch_size = images.size();
    config.learning_rate = 1.0;
    config.label_smoothing = kSmoothing;
    config.optimiser = {.momentum = 0.0, .weight_decay = 0.0};
    Trainer(std::move(recipe), images, config).train_step();
    return before - parameters;
  }

  struct Taught {
    at::Tensor gradient;  // like the owner's parameters
    at::Tensor logits;
  };
  /// The gradient of one network that learns from labels, or from `teacher`'s logits.
  Taught taught(const Supernet& supernet, const Architecture& architecture,
                const at::Tensor& teacher, double share) {
    const Network network = lower(supernet.space(), architecture);
    const Batch batch = ordered_batch(network.input.height);
    Goal goal;
    goal.labels = torch::tensor(batch.labels, torch::kLong);
    goal.targets = smoothed_labels(goal.labels, space_.classes, kSmoothing);
    if (teacher.defined()) {
      goal.targets = (1.0 - share) * goal.targets + share * soft_labels(teacher);
    }
    Taught result{at::zeros_like(supernet.parameters()), {}};
    result.logits = Compute()
                        .add_gradients(network, supernet.active(network), batch, goal, 1.0,
                                       supernet.active(network, result.gradient))
                        .logits;
    return result;
  }

  /// All images in the order in which the trainer takes them: it does not change a gradient, but
  /// soft labels must be of the same image.
  Batch ordered_batch(int resolution) {
    const ImageSet sized = evaluation_images(images_, resolution, 1.0);
    Batch batch;
    batch.labels = sized.labels;
    batch.images.resize(sized.pixels.size());
    normalise_images(sized, 0, sized.size(), {}, batch.images.data());
    return batch;
  }

  SearchSpace space_ = test::varied_space();
  MemoryImages images_{test::synthetic_images(kBatchSize, 20, 1, 5, 1)};
};

// Up to rounding: the trainer shuffles the images.
void expect_same(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_GT(b.abs().max().item<double>(), 1e-3);
  EXPECT_LT((a - b).abs().max().item<double>(), 3e-3 * b.abs().max().item<double>());
}

TEST_F(RecipeTest, ASandwichIsTheMeanOfItsGradients) {
  for (const double share : {1.0, 0.4, 0.0}) {
    for (const int count : {2, 4}) {
      Supernet supernet(space_, 5);
      const Supernet same(space_, 5);
      const Taught largest_one = taught(same, largest(space_), {}, 0.0);
      at::Tensor expected = largest_one.gradient;
      expected = expected + taught(same, smallest(space_), largest_one.logits, share).gradient;
      RandomStream stream(0, "train/step/0");
      for (int i = 2; i < count; ++i) {
        expected =
            expected + taught(same, sample(space_, stream), largest_one.logits, share).gradient;
      }
      expect_same(gradient_of_step(sandwich_recipe(supernet, count, share), images_),
                  expected / count);
    }
  }
}

TEST_F(RecipeTest, RandomSubnetsLearnFromLabelsOnImagesOfTheirOwn) {
  const auto recipe = [](Supernet& supernet) { return random_recipe(supernet, 3); };
  Supernet supernet(space_, 5);
  EXPECT_EQ(recipe(supernet)->images(), StepImages::kOwn);
  RandomStream stream(1, "test/recipe");
  const std::vector<RecipeRun> runs = recipe(supernet)->runs(stream);
  ASSERT_EQ(runs.size(), 3U);
  RandomStream again(1, "test/recipe");
  for (const RecipeRun& run : runs) {
    EXPECT_DOUBLE_EQ(run.weight, 1.0 / 3.0);
    EXPECT_EQ(run.soft_share, 0.0);
    EXPECT_EQ(run.network, lower(space_, sample(space_, again)));
  }
}

TEST_F(RecipeTest, ATaughtSubnetLearnsFromLabelsAndTeacher) {
  const double share = 0.3;
  const Supernet supernet(space_, 5);
  Subnet teacher = Supernet(space_, 6).extract(largest(space_));
  recalibrate_batch_norm(teacher, {images_, Augmenter({}, {}, 1.0), 1, "recalibrate"}, {});
  Subnet student = supernet.extract(smallest(space_));
  const at::Tensor before = teacher.parameters().clone();

  const at::Tensor answers = Compute().answers(teacher.network(), teacher.layers(),
                                               ordered_batch(teacher.network().input.height));
  const Taught expected = taught(supernet, smallest(space_), answers, share);
  const at::Tensor step = gradient_of_step(taught_recipe(student, teacher, share), images_);
  const std::vector<LayerTensors> own = carve(student.network(), step);
  const std::vector<LayerTensors> shared = supernet.active(student.network(), expected.gradient);
  for (std::size_t i = 0; i < own.size(); ++i) {
    for (const auto member : {&LayerTensors::weight, &LayerTensors::bias, &LayerTensors::gamma}) {
      if ((own[i].*member).defined()) {
        EXPECT_LT((own[i].*member - shared[i].*member).abs().max().item<double>(),
                  3e-3 * expected.gradient.abs().max().item<double>());
      }
    }
  }
  EXPECT_TRUE(torch::equal(teacher.parameters(), before));
}

TEST_F(RecipeTest, BadOnesAreErrors) {
  Supernet supernet(space_, 5);
  EXPECT_THROW(random_recipe(supernet, 0), InputError);
  EXPECT_THROW(sandwich_recipe(supernet, 1, 1.0), InputError);
  SearchSpace other = space_;
  other.classes = 7;
  Subnet student = supernet.extract(smallest(space_));
  EXPECT_THROW(taught_recipe(student, Supernet(other, 1).extract(largest(other)), 0.5), InputError);
}

}  // namespace
}  // namespace patchnas
