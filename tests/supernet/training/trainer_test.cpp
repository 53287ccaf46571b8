#include "supernet/training/trainer.h"

#include <cmath>
#include <functional>
#include <limits>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "arch/base/error.h"
#include "supernet/network/evaluation.h"
#include "supernet/network/threads.h"
#include "tests/supernet/network/test_spaces.h"

namespace patchnas {
namespace {

TrainerConfig config(const std::string& stage) {
  TrainerConfig c;
  c.stage = stage;
  c.seed = 11;
  c.epochs = 2;
  c.batch_size = 20;
  c.learning_rate = 0.05;
  c.warmup_epochs = 0.2;
  c.augmentation = {.shift_pixels = 1, .flip = true};
  return c;
}

class TrainerTest : public testing::Test {
 protected:
  void SetUp() override { set_threads(2); }
  SearchSpace space_ = test::varied_space();
  MemoryImages images_{test::synthetic_images(200, 20, 1, 5, 1)};
};

// Every recipe, and everything that a checkpoint may hold.
struct Training {
  std::string stage;
  TrainerConfig config;
  std::function<std::unique_ptr<Recipe>(Supernet&, Subnet&)> recipe;
};

std::vector<Training> trainings() {
  TrainerConfig averaged = config("");
  averaged.optimiser.ema_decay = 0.7;
  averaged.optimiser.clip_norm = 1.0;
  TrainerConfig mixed = averaged;
  mixed.optimiser.precision = Precision::kMixed;
  const auto largest_one = [](Supernet& s, Subnet&) { return largest_recipe(s); };
  const auto random_ones = [](Supernet& s, Subnet&) { return random_recipe(s, 2); };
  const auto sandwich = [](Supernet& s, Subnet&) { return sandwich_recipe(s, 3, 1.0); };
  const auto alone = [](Supernet&, Subnet& s) { return subnet_recipe(s); };
  const auto taught = [](Supernet&, Subnet& s) {
    return taught_recipe(s, Subnet(s.network(), 77), 0.5);
  };
  return {{"largest", config(""), largest_one},       {"random", config(""), random_ones},
          {"random averaged", averaged, random_ones}, {"sandwich", config(""), sandwich},
          {"sandwich averaged", averaged, sandwich},  {"alone", config(""), alone},
          {"taught averaged", averaged, taught},      {"taught mixed", mixed, taught}};
}

// Six steps, stopped after `stop` of them and continued by new objects from the saved bytes.
std::string train_six_steps(const Training& training, const SearchSpace& space,
                            const ImageStore& images, int stop) {
  std::string bytes;
  TrainerConfig c = training.config;
  c.stage = training.stage;
  for (const int steps : {stop, 6 - stop}) {
    Supernet supernet(space, bytes.empty() ? 1 : 2);
    Subnet subnet(lower(space, smallest(space)), bytes.empty() ? 1 : 2);
    Trainer trainer(training.recipe(supernet, subnet), images, c);
    if (!bytes.empty()) {
      trainer.load(bytes);
    }
    for (int i = 0; i < steps; ++i) {
      trainer.train_step();
      trainer.with_result([] {});
    }
    bytes = trainer.save();
  }
  return bytes;
}

TEST_F(TrainerTest, ResumedTrainingIsBitIdentical) {
  for (const Training& training : trainings()) {
    const std::string straight = train_six_steps(training, space_, images_, 6);
    EXPECT_TRUE(train_six_steps(training, space_, images_, 6) == straight) << training.stage;
    EXPECT_TRUE(train_six_steps(training, space_, images_, 3) == straight) << training.stage;
    EXPECT_TRUE(train_six_steps(training, space_, images_, 1) == straight) << training.stage;
  }
  const Training sandwich = trainings()[3];
  EXPECT_TRUE(train_six_steps(sandwich, test::excited_space(), images_, 3) ==
              train_six_steps(sandwich, test::excited_space(), images_, 6));
}

TEST_F(TrainerTest, LearnsSyntheticImages) {
  Subnet subnet(lower(space_, largest(space_)), 3);
  TrainerConfig c = config("learn");
  c.epochs = 6;
  c.augmentation.flip = false;  // a mirrored image would be of another class
  Trainer trainer(subnet_recipe(subnet), images_, c);
  EXPECT_EQ(trainer.last_step().loss, 0.0);
  trainer.train_step();
  const double first = trainer.last_step().loss;
  while (trainer.step() < trainer.total_steps()) {
    trainer.train_step();
  }
  EXPECT_EQ(trainer.total_steps(), 60);
  EXPECT_LT(trainer.last_step().loss, 0.75 * first);
  recalibrate_batch_norm(
      subnet, {images_, Augmenter(c.normalisation, c.augmentation, 1.0), 1, "recalibrate"}, {});
  EXPECT_GT(accuracy(subnet, test::synthetic_images(100, 20, 1, 5, 2), c.normalisation), 0.6);
}

TEST_F(TrainerTest, SupernetLossFalls) {
  for (const int round : {0, 1, 2}) {
    const bool is_sandwich = round > 0;
    Supernet supernet(round == 2 ? test::excited_space() : space_, 4);
    TrainerConfig c = config("subnets");
    c.epochs = is_sandwich ? 4 : 20;  // a sandwich takes fewer images out of an epoch
    c.learning_rate = 0.1;
    c.augmentation.flip = false;
    Trainer trainer(is_sandwich ? sandwich_recipe(supernet, 3, 1.0) : random_recipe(supernet, 2),
                    images_, c);
    double first = 0.0;
    double last = 0.0;
    for (std::int64_t i = 0; i < trainer.total_steps(); ++i) {
      trainer.train_step();
      const double loss = trainer.last_step().loss;
      first += i < 10 ? loss : 0.0;
      last += i + 10 >= trainer.total_steps() ? loss : 0.0;
    }
    EXPECT_LT(last, 0.9 * first);
  }
}

TEST_F(TrainerTest, ASandwichTakesEveryImageOnceAnEpochForAllItsNetworks) {
  Supernet supernet(space_, 4);
  const Trainer own(random_recipe(supernet, 4), images_, config("own"));
  const Trainer shared(sandwich_recipe(supernet, 4, 1.0), images_, config("shared"));
  EXPECT_EQ(own.images_per_step(), 80);
  EXPECT_EQ(shared.images_per_step(), 80);
  EXPECT_EQ(own.steps_per_epoch(), 2);
  EXPECT_EQ(shared.steps_per_epoch(), 10);
}

TEST_F(TrainerTest, NoEpochsAreNoSteps) {
  Supernet supernet(space_, 4);
  TrainerConfig c = config("none");
  c.epochs = 0;
  EXPECT_EQ(Trainer(largest_recipe(supernet), images_, c).total_steps(), 0);
}

TEST_F(TrainerTest, TheResultIsTheAverage) {
  TrainerConfig c = config("average");
  c.epochs = 0.3;
  c.optimiser.ema_decay = 0.5;
  Subnet subnet(lower(space_, smallest(space_)), 3);
  at::Tensor average = subnet.parameters().clone();
  Trainer trainer(subnet_recipe(subnet), images_, c);
  ASSERT_EQ(trainer.total_steps(), 3);
  for (int t = 0; t < 3; ++t) {
    const at::Tensor before = subnet.parameters().clone();
    trainer.train_step();
    if (t < 2) {
      EXPECT_FALSE(torch::equal(subnet.parameters(), before));
      const double decay = std::min(0.5, (1.0 + t) / (10.0 + t));
      average = decay * average + (1.0 - decay) * subnet.parameters();
      trainer.with_result(
          [&] { EXPECT_LT((subnet.parameters() - average).abs().max().item<double>(), 1e-6); });
    }
  }
  const at::Tensor at_end = subnet.parameters().clone();
  trainer.with_result([&] { EXPECT_TRUE(torch::equal(subnet.parameters(), at_end)); });
}

TEST_F(TrainerTest, LearningRateWarmsUpAndDecays) {
  Subnet subnet(lower(space_, smallest(space_)), 3);
  Trainer trainer(subnet_recipe(subnet), images_, config("rate"));
  std::vector<double> rates;
  while (trainer.step() < trainer.total_steps()) {
    trainer.train_step();
    rates.push_back(trainer.last_step().learning_rate);
  }
  EXPECT_LT(rates[0], rates[1]);
  EXPECT_DOUBLE_EQ(*std::max_element(rates.begin(), rates.end()), 0.05);
  EXPECT_TRUE(std::is_sorted(rates.rbegin(), rates.rend() - 2));
  EXPECT_LT(rates.back(), 0.002);
}

TEST_F(TrainerTest, BatchNormAndBiasesDoNotDecay) {
  const SearchSpace space = test::excited_space();
  const Network network = lower(space, largest(space));
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
  Trainer trainer(subnet_recipe(subnet), images_, config("state"));
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
  Trainer other(subnet_recipe(subnet), images_, config("another"));
  EXPECT_THROW(other.load(bytes), InputError);
  TrainerConfig averaged = config("state");
  averaged.optimiser.ema_decay = 0.9;
  Trainer with_average(subnet_recipe(subnet), images_, averaged);
  EXPECT_THROW(with_average.load(bytes), InputError);
}

TEST_F(TrainerTest, DivergenceIsAnErrorThatKeepsTheWeightsAndSavesNothing) {
  const auto message = [](const std::function<void()>& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto diverge = [&](float weight) {
    Subnet subnet(lower(space_, smallest(space_)), 3);
    Trainer trainer(subnet_recipe(subnet), images_, config("diverges"));
    trainer.train_step();
    subnet.layers().back().weight.fill_(weight);
    subnet.layers().back().weight[0].neg_();  // else all logits are as large, and the loss is not
    const at::Tensor before = subnet.parameters().clone();
    const std::string why = message([&] { trainer.train_step(); });
    EXPECT_TRUE(torch::equal(subnet.parameters(), before));
    EXPECT_EQ(message([&] { (void)trainer.save(); }), why);
    EXPECT_EQ(message([&] { (void)trainer.last_step(); }), why);
    return why;
  };
  EXPECT_EQ(diverge(std::numeric_limits<float>::infinity()),
            "diverges: loss or gradient is not finite at step 1; a lower learning rate than "
            "0.050000 or a clip_norm may help");
  EXPECT_EQ(diverge(1e5F).find("diverges: the loss exploded to "), 0U);
}

}  // namespace
}  // namespace patchnas
