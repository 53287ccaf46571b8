#include "supernet/trainer.h"

#include <cmath>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "arch/error.h"
#include "supernet/device.h"
#include "supernet/evaluation.h"
#include "supernet/loss.h"
#include "tests/supernet/test_spaces.h"

namespace patchnas {
namespace {

TrainerConfig config(const std::string& stage) {
  TrainerConfig c;
  c.stage = stage;
  c.seed = 11;
  c.epochs = 2;
  c.batch_size = 20;
  c.subnets_per_step = 2;
  c.learning_rate = 0.05;
  c.warmup_epochs = 0.2;
  c.augmentation = {.shift_pixels = 1, .flip = true};
  return c;
}

class TrainerTest : public testing::Test {
 protected:
  void SetUp() override { set_threads(2); }
  SearchSpace space_ = test::varied_space();
  ImageSet images_ = test::synthetic_images(200, 20, 1, 5, 1);
};

enum class Subject { kLargest, kSubnets, kSubnet };

// Six steps, stopped after `stop` of them and continued by new objects from the saved bytes.
std::string train_six_steps(Subject subject, const SearchSpace& space, const ImageSet& images,
                            int stop) {
  std::string bytes;
  for (const int steps : {stop, 6 - stop}) {
    Supernet supernet(space, bytes.empty() ? 1 : 2);
    Subnet subnet(lower(space, largest(space)), bytes.empty() ? 1 : 2);
    Trainer trainer =
        subject == Subject::kLargest   ? Trainer::of_largest(supernet, images, config("a"))
        : subject == Subject::kSubnets ? Trainer::of_subnets(supernet, images, config("b"))
                                       : Trainer::of_subnet(subnet, images, config("c"));
    if (!bytes.empty()) {
      trainer.load(bytes);
    }
    for (int i = 0; i < steps; ++i) {
      trainer.train_step();
    }
    bytes = trainer.save();
  }
  return bytes;
}

TEST_F(TrainerTest, ResumedTrainingIsBitIdentical) {
  for (const Subject subject : {Subject::kLargest, Subject::kSubnets, Subject::kSubnet}) {
    const std::string straight = train_six_steps(subject, space_, images_, 6);
    EXPECT_TRUE(train_six_steps(subject, space_, images_, 6) == straight);
    EXPECT_TRUE(train_six_steps(subject, space_, images_, 3) == straight);
    EXPECT_TRUE(train_six_steps(subject, space_, images_, 1) == straight);
  }
}

TEST_F(TrainerTest, LearnsSyntheticImages) {
  Subnet subnet(lower(space_, largest(space_)), 3);
  TrainerConfig c = config("learn");
  c.epochs = 6;
  c.augmentation.flip = false;  // a mirrored image would be of another class
  Trainer trainer = Trainer::of_subnet(subnet, images_, c);
  const double first = trainer.train_step().loss;
  StepReport report;
  while (trainer.step() < trainer.total_steps()) {
    report = trainer.train_step();
  }
  EXPECT_EQ(trainer.total_steps(), 60);
  EXPECT_LT(report.loss, 0.75 * first);
  RandomStream stream(1, "test/recalibrate");
  recalibrate_batch_norm(subnet, images_, c.normalisation, {}, stream);
  EXPECT_GT(accuracy(subnet, test::synthetic_images(100, 20, 1, 5, 2), c.normalisation), 0.6);
}

TEST_F(TrainerTest, SupernetLossFalls) {
  Supernet supernet(space_, 4);
  TrainerConfig c = config("subnets");
  c.epochs = 24;
  c.learning_rate = 0.1;
  c.augmentation.flip = false;
  Trainer trainer = Trainer::of_subnets(supernet, images_, c);
  double first = 0.0;
  double last = 0.0;
  for (std::int64_t i = 0; i < trainer.total_steps(); ++i) {
    const double loss = trainer.train_step().loss;
    first += i < 10 ? loss : 0.0;
    last += i + 10 >= trainer.total_steps() ? loss : 0.0;
  }
  EXPECT_LT(last, 0.9 * first);
}

TEST_F(TrainerTest, LearningRateWarmsUpAndDecays) {
  Subnet subnet(lower(space_, smallest(space_)), 3);
  Trainer trainer = Trainer::of_subnet(subnet, images_, config("rate"));
  std::vector<double> rates;
  while (trainer.step() < trainer.total_steps()) {
    rates.push_back(trainer.train_step().learning_rate);
  }
  EXPECT_LT(rates[0], rates[1]);
  EXPECT_DOUBLE_EQ(*std::max_element(rates.begin(), rates.end()), 0.05);
  EXPECT_TRUE(std::is_sorted(rates.rbegin(), rates.rend() - 2));
  EXPECT_LT(rates.back(), 0.002);
}

TEST_F(TrainerTest, BatchNormAndBiasesDoNotDecay) {
  const Network network = lower(space_, largest(space_));
  const at::Tensor mask = decay_mask(network);
  for (const LayerTensors& layer : carve(network, mask)) {
    if (layer.weight.defined()) {
      EXPECT_EQ(layer.weight.min().item<float>(), 1.0F);
      EXPECT_EQ((layer.gamma.defined() ? layer.gamma : layer.bias).max().item<float>(), 0.0F);
    }
  }
}

TEST_F(TrainerTest, DamagedOrForeignStateIsRefusedAndChangesNothing) {
  Subnet subnet(lower(space_, largest(space_)), 3);
  Trainer trainer = Trainer::of_subnet(subnet, images_, config("state"));
  trainer.train_step();
  const std::string bytes = trainer.save();
  RandomStream stream(5, "test/damage");
  for (int i = 0; i < 50; ++i) {
    std::string damaged = bytes;
    damaged[stream.below(damaged.size())] ^= static_cast<char>(1 << stream.below(8));
    EXPECT_THROW(trainer.load(damaged), InputError);
    EXPECT_THROW(trainer.load(bytes.substr(0, stream.below(bytes.size()))), InputError);
  }
  EXPECT_TRUE(trainer.save() == bytes);
  Trainer other = Trainer::of_subnet(subnet, images_, config("another"));
  EXPECT_THROW(other.load(bytes), InputError);
}

TEST_F(TrainerTest, DivergenceIsAnErrorAndKeepsTheWeights) {
  Subnet subnet(lower(space_, smallest(space_)), 3);
  subnet.layers().back().weight.fill_(1e38);
  Trainer trainer = Trainer::of_subnet(subnet, images_, config("nan"));
  const std::string before = trainer.save();
  EXPECT_THROW(trainer.train_step(), Error);
  EXPECT_TRUE(trainer.save() == before);
}

TEST(LossTest, GradientIsTheDerivativeOfTheMean) {
  std::vector<float> logits{1.0F, -0.5F, 2.0F, 0.3F, 0.1F, -1.0F};
  const std::vector<std::int32_t> labels{2, 1};
  const Loss loss = smoothed_cross_entropy(logits, labels, 0.1);
  EXPECT_EQ(loss.correct, 1);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    std::vector<float> up = logits;
    std::vector<float> down = logits;
    up[i] += 0.01F;
    down[i] -= 0.01F;
    const double slope = (smoothed_cross_entropy(up, labels, 0.1).mean -
                          smoothed_cross_entropy(down, labels, 0.1).mean) /
                         0.02;
    EXPECT_NEAR(loss.gradient[i], slope, 1e-4);
  }
  const double expected =
      -std::log(std::exp(2.0) / (std::exp(1.0) + std::exp(-0.5) + std::exp(2.0)));
  EXPECT_NEAR(
      smoothed_cross_entropy(std::span(logits).first(3), std::span(labels).first(1), 0.0).mean,
      expected, 1e-6);
}

}  // namespace
}  // namespace patchnas
