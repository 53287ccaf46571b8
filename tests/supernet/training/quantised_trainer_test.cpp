// Quantisation-aware training with the quantiser that exports.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "arch/base/error.h"
#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/quantise/quantise.h"
#include "deploy/reference/reference_executor.h"
#include "supernet/network/evaluation.h"
#include "supernet/network/loss.h"
#include "supernet/network/threads.h"
#include "supernet/training/trainer.h"
#include "tests/supernet/network/test_spaces.h"

namespace patchnas {
namespace {

constexpr PixelNormalisation kPixels{.mean = 120, .stddev = 60};

QuantizedNetwork quantised(const FloatNetwork& network, const std::vector<ValueRange>& ranges) {
  return quantise(network, ranges, {.pixels = kPixels});
}

TrainerConfig config(const std::string& stage) {
  TrainerConfig c;
  c.stage = stage;
  c.seed = 11;
  c.epochs = 3;
  c.batch_size = 20;
  c.learning_rate = 0.005;
  c.normalisation = kPixels;
  c.augmentation = {.shift_pixels = 1, .flip = false};
  return c;
}

class QuantisedTrainerTest : public testing::Test {
 protected:
  void SetUp() override { set_threads(2); }

  // Trained in float.
  static const Subnet& trained() {
    static const Subnet instance = [] {
      const SearchSpace space = test::varied_space();
      const MemoryImages images(test::synthetic_images(200, 20, 1, 5, 1));
      Subnet subnet(lower(space, largest(space)), 3);
      TrainerConfig c = config("float");
      c.epochs = 5;
      c.learning_rate = 0.05;
      Trainer trainer(subnet_recipe(subnet), images, c);
      while (trainer.step() < trainer.total_steps()) {
        trainer.train_step();
      }
      recalibrate_batch_norm(
          subnet, {images, Augmenter(c.normalisation, c.augmentation, 1.0), 1, "recalibrate"}, {});
      return subnet;
    }();
    return instance;
  }

  // Folded, with ranges `coarseness` times too wide.
  FoldedSubnet folded(float coarseness) const {
    std::vector<ValueRange> ranges = trained().observe_ranges(images_, kPixels);
    for (ValueRange& range : ranges) {
      range = {range.min * coarseness, range.max * coarseness};
    }
    return {fold_batch_norm(trained().to_float_network()), ranges};
  }

  // Of the exported network, on images that were not trained on.
  double int8_loss(const FoldedSubnet& subnet) const {
    const QuantizedNetwork network = quantised(subnet.to_float_network(), subnet.ranges());
    const ImageSet images = test::synthetic_images(100, 20, 1, 5, 2);
    std::vector<std::int8_t> stored;
    for (const std::uint8_t pixel : images.pixels) {
      stored.push_back(stored_pixel(pixel));
    }
    const TensorQuantisation& q = network.output_quantisation();
    std::vector<float> logits;
    for (const std::int8_t logit : run_images(network, stored)) {
      logits.push_back(static_cast<float>(logit - q.zero_point) * q.scale);
    }
    const at::Tensor labels = torch::tensor(images.labels, torch::kLong);
    return cross_entropy(torch::tensor(logits).view({images.size(), space_.classes}),
                         smoothed_labels(labels, space_.classes, 0.1))
        .mean.item<double>();
  }

  SearchSpace space_ = test::varied_space();
  ImageSet images_ = test::synthetic_images(200, 20, 1, 5, 1);
  MemoryImages store_{images_};
};

TEST_F(QuantisedTrainerTest, TrainsWhatCoarseQuantisationLost) {
  // Relu6 bounds the ranges of activations, so it is the others that get coarse.
  FoldedSubnet subnet = folded(24.0F);
  const double before = int8_loss(subnet);
  Trainer trainer(quantised_recipe(subnet, quantised), store_, config("quantise"));
  while (trainer.step() < trainer.total_steps()) {
    trainer.train_step();
  }
  const double fine = int8_loss(folded(1.0F));
  EXPECT_GT(before, fine + 0.1);
  EXPECT_LT(int8_loss(subnet), fine + 0.5 * (before - fine));
}

TEST_F(QuantisedTrainerTest, ResumedTrainingIsBitIdentical) {
  const std::string start = folded(1.0F).save();
  const auto train = [&](int stop) {
    std::string bytes;
    for (const int steps : {stop, 6 - stop}) {
      FoldedSubnet subnet(lower(space_, largest(space_)));
      subnet.load(start);
      Trainer trainer(quantised_recipe(subnet, quantised), store_, config("resume"));
      if (!bytes.empty()) {
        trainer.load(bytes);
      }
      for (int i = 0; i < steps; ++i) {
        trainer.train_step();
      }
      bytes = trainer.save();
    }
    return bytes;
  };
  const std::string straight = train(6);
  EXPECT_TRUE(train(6) == straight);
  EXPECT_TRUE(train(3) == straight);
  EXPECT_TRUE(train(1) == straight);
}

TEST_F(QuantisedTrainerTest, SavedSubnetsComeBackWithTheirRanges) {
  const FoldedSubnet subnet = folded(1.0F);
  const std::string bytes = subnet.save();
  FoldedSubnet loaded(subnet.network());
  loaded.load(bytes);
  EXPECT_EQ(loaded.ranges(), subnet.ranges());
  EXPECT_EQ(quantised(loaded.to_float_network(), loaded.ranges()),
            quantised(subnet.to_float_network(), subnet.ranges()));
  RandomStream stream(5, "test/damage");
  for (int i = 0; i < 50; ++i) {
    std::string damaged = bytes;
    damaged[stream.below(damaged.size())] ^= static_cast<char>(1 << stream.below(8));
    EXPECT_THROW(loaded.load(damaged), InputError);
    EXPECT_THROW(loaded.load(bytes.substr(0, stream.below(bytes.size()))), InputError);
  }
  EXPECT_TRUE(loaded.save() == bytes);
  FoldedSubnet other(lower(space_, smallest(space_)));
  EXPECT_THROW(other.load(bytes), InputError);
}

TEST_F(QuantisedTrainerTest, OnlyFoldedNetworksAreTaken) {
  const Subnet subnet(lower(space_, smallest(space_)), 3);
  const std::vector<ValueRange> ranges(static_cast<std::size_t>(subnet.network().tensor_count()));
  EXPECT_THROW(FoldedSubnet(subnet.to_float_network(), ranges), InputError);
  const FloatNetwork folded = fold_batch_norm(subnet.to_float_network());
  EXPECT_NO_THROW(FoldedSubnet(folded, ranges));
  EXPECT_THROW(FoldedSubnet(folded, {}), InputError);
}

TEST(FoldedSubnetTest, BiasesDoNotDecay) {
  const Network network = lower(test::varied_space(), largest(test::varied_space()));
  for (const LayerTensors& layer :
       carve(network, decay_mask(network, TrainedForm::kFolded), TrainedForm::kFolded)) {
    if (layer.weight.defined()) {
      EXPECT_EQ(layer.weight.min().item<float>(), 1.0F);
      EXPECT_EQ(layer.bias.max().item<float>(), 0.0F);
    }
  }
}

}  // namespace
}  // namespace patchnas
