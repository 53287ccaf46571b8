// Training on several ranks, which are processes of their own.

#include <csignal>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "arch/base/error.h"
#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/quantise/quantise.h"
#include "supernet/network/threads.h"
#include "supernet/training/gradient_reducer.h"
#include "supernet/training/trainer.h"
#include "tests/supernet/network/test_spaces.h"
#include "tests/supernet/ranks/ranks.h"

namespace patchnas {
namespace {

using test::End;
using test::run_ranks;
using testing::HasSubstr;

constexpr int kSteps = 4;
constexpr PixelNormalisation kPixels{.mean = 120, .stddev = 60};

TrainerConfig config() {
  TrainerConfig c;
  c.stage = "ranks";
  c.seed = 11;
  c.epochs = 4;
  c.batch_size = 10;
  c.learning_rate = 0.05;
  c.normalisation = kPixels;
  c.augmentation = {.shift_pixels = 1, .flip = true};
  return c;
}

ImageSet images() { return test::synthetic_images(60, 20, 1, 5, 1); }

QuantizedNetwork quantised(const FloatNetwork& network, const std::vector<ValueRange>& ranges) {
  return quantise(network, ranges, {.pixels = kPixels});
}

// What recipes train, made anew in each rank.
struct Networks {
  SearchSpace space = test::varied_space();
  Supernet supernet{space, 1};
  Subnet subnet{lower(space, largest(space)), 1};
  FoldedSubnet folded{
      fold_batch_norm(subnet.to_float_network()),
      std::vector<ValueRange>(static_cast<std::size_t>(subnet.network().tensor_count()),
                              ValueRange{-6.0F, 6.0F})};
};

struct Training {
  std::string name;
  std::function<std::unique_ptr<Recipe>(Networks&)> recipe;
  Precision precision = Precision::kFloat32;
};

// Fused kernels and LibTorch's operators, runs that only answer, int8.
std::vector<Training> trainings() {
  return {
      {"largest", [](Networks& n) { return largest_recipe(n.supernet); }},
      {"random", [](Networks& n) { return random_recipe(n.supernet, 3); }},
      {"sandwich", [](Networks& n) { return sandwich_recipe(n.supernet, 3, 1.0); }},
      {"taught",
       [](Networks& n) { return taught_recipe(n.subnet, Subnet(n.subnet.network(), 77), 0.5); }},
      {"mixed", [](Networks& n) { return random_recipe(n.supernet, 2); }, Precision::kMixed},
      {"int8", [](Networks& n) { return quantised_recipe(n.folded, quantised); }}};
}

TrainerConfig config_of(const Training& training) {
  TrainerConfig c = config();
  c.optimiser.precision = training.precision;
  c.optimiser.ema_decay = 0.5;
  c.optimiser.clip_norm = 5.0;
  return c;
}

// Trains on `ranks` ranks from saved bytes, or from the beginning; every rank's saved bytes.
std::vector<End> train(int ranks, const Training& training, const TrainerConfig& c,
                       const ImageSet& set, int steps, const std::string& start = "") {
  return run_ranks(ranks, [&](ProcessGroup& group) {
    set_threads(1);
    const MemoryImages store(set);
    Networks networks;
    Trainer trainer(training.recipe(networks), store, c, &group);
    if (!start.empty()) {
      trainer.load(group.broadcast(group.rank() == 0 ? start : ""));
    }
    for (int i = 0; i < steps; ++i) {
      trainer.train_step();
    }
    return trainer.save();
  });
}

// The one result of all ranks.
std::string result_of(const std::vector<End>& ends) {
  for (const End& end : ends) {
    EXPECT_EQ(end.exit_code, 0) << end.result.substr(0, 200);
    EXPECT_TRUE(end.result == ends[0].result);
  }
  return ends[0].result;
}

TEST(TrainerRanksTest, RanksStayEqualBitForBitAndRepeatThemselves) {
  for (const Training& training : trainings()) {
    SCOPED_TRACE(training.name);
    const TrainerConfig c = config_of(training);
    const std::string two = result_of(train(2, training, c, images(), kSteps));
    EXPECT_TRUE(result_of(train(2, training, c, images(), kSteps)) == two);
    result_of(train(3, training, c, images(), kSteps));
  }
}

// A bucket that was sent before all of it was there would change the sum.
TEST(TrainerRanksTest, TheSizeOfBucketsChangesNothing) {
  for (const Training& training : trainings()) {
    SCOPED_TRACE(training.name);
    TrainerConfig c = config_of(training);
    const std::string one = result_of(train(2, training, c, images(), kSteps));
    for (const std::int64_t bytes : {3000, 20000}) {
      c.bucket_bytes = bytes;
      EXPECT_TRUE(result_of(train(2, training, c, images(), kSteps)) == one) << bytes;
    }
  }
}

std::vector<float> parameters(const std::string& saved, const Training& training,
                              const TrainerConfig& c) {
  const std::vector<End> ends = test::run_processes(1, [&](int) {
    const MemoryImages store(images());
    Networks networks;
    const std::unique_ptr<Recipe> recipe = training.recipe(networks);
    const at::Tensor flat = recipe->parameters();
    Trainer trainer(training.recipe(networks), store, c);
    trainer.load(saved);
    return std::string(static_cast<const char*>(flat.data_ptr()), flat.nbytes());
  });
  EXPECT_EQ(ends[0].exit_code, 0) << ends[0].result.substr(0, 200);
  std::vector<float> values(ends[0].result.size() / sizeof(float));
  std::memcpy(values.data(), ends[0].result.data(), ends[0].result.size());
  return values;
}

// Where batch norm sees the same whatever the share: every image of a batch is the same one, or
// there is no batch norm.
TEST(TrainerRanksTest, SeveralRanksTrainAsOneDoes) {
  ImageSet same = images();
  for (int i = 0; i < same.size(); ++i) {
    const auto first = same.pixels.begin();
    std::copy_n(first, same.image_bytes(),
                first + static_cast<std::ptrdiff_t>(i * same.image_bytes()));
    same.labels[static_cast<std::size_t>(i)] = 0;
  }
  for (const Training& training : trainings()) {
    SCOPED_TRACE(training.name);
    TrainerConfig c = config_of(training);
    const bool is_int8 = training.name == "int8";
    c.augmentation = is_int8 ? c.augmentation : Augmentation{};
    if (training.precision == Precision::kMixed) {
      continue;  // its rounding hides what is compared here
    }
    const ImageSet set = is_int8 ? images() : same;
    const auto train_on = [&](int ranks) {
      return parameters(result_of(train(ranks, training, c, set, 2)), training, c);
    };
    const std::vector<float> one = train_on(1);
    const std::vector<float> start =
        parameters(result_of(train(1, training, c, set, 0)), training, c);
    for (const int ranks : {2, 3}) {
      const std::vector<float> several = train_on(ranks);
      ASSERT_EQ(several.size(), one.size());
      double difference = 0.0;
      double way = 0.0;
      for (std::size_t i = 0; i < one.size(); ++i) {
        difference = std::max<double>(difference, std::abs(several[i] - one[i]));
        way = std::max<double>(way, std::abs(one[i] - start[i]));
      }
      EXPECT_GT(way, 1e-4);
      EXPECT_LT(difference, 2e-3 * way) << ranks;
    }
  }
}

TEST(TrainerRanksTest, AnyNumberOfRanksGoesOnFromACheckpoint) {
  for (const Training& training : trainings()) {
    SCOPED_TRACE(training.name);
    const TrainerConfig c = config_of(training);
    const std::string half = result_of(train(2, training, c, images(), kSteps / 2));
    EXPECT_TRUE(result_of(train(2, training, c, images(), kSteps - kSteps / 2, half)) ==
                result_of(train(2, training, c, images(), kSteps)));
    const std::string of_one = result_of(train(1, training, c, images(), kSteps / 2));
    result_of(train(3, training, c, images(), kSteps - kSteps / 2, of_one));
    result_of(train(1, training, c, images(), kSteps - kSteps / 2, half));
  }
}

// Which images were asked for, in all steps.
class RecordingImages : public MemoryImages {
 public:
  using MemoryImages::MemoryImages;
  [[nodiscard]] StoredImage image(int index, const LeastScale& least_scale) const override {
    const std::lock_guard lock(mutex_);
    ++asked_[index];
    return MemoryImages::image(index, least_scale);
  }
  [[nodiscard]] std::map<int, int> asked() const { return asked_; }

 private:
  mutable std::mutex mutex_;
  mutable std::map<int, int> asked_;
};

TEST(TrainerRanksTest, AnEpochIsCoveredExactlyOnceByAnyNumberOfRanks) {
  constexpr int kImages = 42;
  for (const int ranks : {1, 2, 3, 5}) {
    for (const int batch_size : {6, 7}) {
      TrainerConfig c = config();
      c.batch_size = batch_size;
      const std::vector<End> ends = run_ranks(ranks, [&](ProcessGroup& group) {
        set_threads(1);
        const RecordingImages store(test::synthetic_images(kImages, 20, 1, 5, 1));
        Networks networks;
        Trainer trainer(subnet_recipe(networks.subnet), store, c, &group);
        EXPECT_EQ(trainer.steps_per_epoch(), kImages / batch_size);
        EXPECT_EQ(trainer.images_per_step(), batch_size);
        std::string asked;
        // The images of the step after are made ahead.
        for (int i = 0; i < trainer.steps_per_epoch(); ++i) {
          trainer.train_step();
        }
        for (const auto& [index, times] : store.asked()) {
          EXPECT_EQ(times, 1);
          asked += std::to_string(index) + " ";
        }
        return asked;
      });
      std::multiset<int> all;
      for (const End& end : ends) {
        EXPECT_EQ(end.exit_code, 0) << end;
        std::istringstream in(end.result);
        for (int index = 0; in >> index;) {
          all.insert(index);
        }
      }
      EXPECT_EQ(all.size(), static_cast<std::size_t>(kImages));
      EXPECT_EQ(std::set<int>(all.begin(), all.end()).size(), static_cast<std::size_t>(kImages));
    }
  }
}

TEST(TrainerRanksTest, ReportsAreOfAllRanks) {
  const std::vector<End> ends = run_ranks(2, [](ProcessGroup& group) {
    set_threads(1);
    const MemoryImages store(images());
    Networks networks;
    Trainer trainer(quantised_recipe(networks.folded, quantised), store, config(), &group);
    trainer.train_step();
    const StepReport of_two = trainer.last_step();
    Networks others;
    Trainer alone(quantised_recipe(others.folded, quantised), store, config());
    alone.train_step();
    EXPECT_NEAR(of_two.loss, alone.last_step().loss, 1e-6);
    EXPECT_EQ(of_two.accuracy, alone.last_step().accuracy);
    EXPECT_GT(of_two.rank_seconds, 0.0);
    EXPECT_EQ(alone.last_step().rank_seconds, 0.0);
    return "";
  });
  EXPECT_EQ(ends[0], (End{0, ""}));
  EXPECT_EQ(ends[1], (End{0, ""}));
}

TEST(TrainerRanksTest, AfterALostRankTheLastCompleteStepCanBeSaved) {
  const Training training = trainings()[2];
  const TrainerConfig c = config_of(training);
  const std::vector<End> ends = run_ranks(3, [&](ProcessGroup& group) -> std::string {
    set_threads(1);
    const MemoryImages store(images());
    Networks networks;
    Trainer trainer(training.recipe(networks), store, c, &group);
    trainer.train_step();
    trainer.train_step();
    if (group.rank() == 1) {
      std::raise(SIGKILL);
    }
    const std::string before = trainer.save();
    try {
      trainer.train_step();
    } catch (const LostRankError& error) {
      EXPECT_STREQ(error.what(), "rank 1 is lost");
      EXPECT_EQ(trainer.step(), 2);
      EXPECT_TRUE(trainer.save() == before);
      return trainer.save();
    }
    return "went on";
  });
  EXPECT_EQ(ends[1].exit_code, -SIGKILL);
  EXPECT_EQ(ends[0].exit_code, 0) << ends[0].error_output;
  EXPECT_EQ(ends[2].exit_code, 0) << ends[2].error_output;
  EXPECT_TRUE(ends[0].result == ends[2].result);
  EXPECT_TRUE(result_of(train(3, training, c, images(), 2)) == ends[0].result);
  EXPECT_TRUE(result_of(train(3, training, c, images(), kSteps)) ==
              result_of(train(3, training, c, images(), kSteps - 2, ends[0].result)));
}

class BrokenImages : public MemoryImages {
 public:
  BrokenImages(ImageSet set, bool is_broken)
      : MemoryImages(std::move(set)), is_broken_(is_broken) {}
  [[nodiscard]] StoredImage image(int index, const LeastScale& least_scale) const override {
    if (is_broken_) {
      throw CorruptImageError("image " + std::to_string(index) + " is corrupt");
    }
    return MemoryImages::image(index, least_scale);
  }

 private:
  bool is_broken_;
};

TEST(TrainerRanksTest, OneRanksFailureIsEverybodys) {
  const std::vector<End> ends = run_ranks(2, [](ProcessGroup& group) -> std::string {
    set_threads(1);
    const BrokenImages store(images(), group.rank() == 1);
    Networks networks;
    Trainer trainer(random_recipe(networks.supernet, 2), store, config(), &group);
    try {
      trainer.train_step();
    } catch (const CorruptImageError& error) {
      group.report_failure(error.what(), error.exit_code());
      throw;
    }
    return "trained";
  });
  EXPECT_EQ(ends[1].exit_code, 2);
  EXPECT_EQ(ends[0].exit_code, 2);
  EXPECT_EQ(ends[0].result, "rank 1 failed: " + ends[1].result);
}

TEST(TrainerRanksTest, AllRanksSeeADivergenceAtTheSameStep) {
  const std::vector<End> ends = run_ranks(2, [](ProcessGroup& group) -> std::string {
    set_threads(1);
    const MemoryImages store(images());
    Networks networks;
    Trainer trainer(subnet_recipe(networks.subnet), store, config(), &group);
    trainer.train_step();
    if (group.rank() == 1) {
      networks.subnet.layers().back().weight.fill_(std::numeric_limits<float>::infinity());
    }
    trainer.train_step();
    return "went on";
  });
  for (const End& end : ends) {
    EXPECT_EQ(end.exit_code, 1);
    EXPECT_THAT(end.result, HasSubstr("ranks: loss or gradient is not finite at step 1"));
  }
}

TEST(TrainerRanksTest, ABatchIsOfAtLeastOneImagePerRank) {
  const std::vector<End> ends = run_ranks(3, [](ProcessGroup& group) -> std::string {
    const MemoryImages store(images());
    Networks networks;
    TrainerConfig c = config();
    c.batch_size = 2;
    const Trainer trainer(subnet_recipe(networks.subnet), store, c, &group);
    return "made";
  });
  for (const End& end : ends) {
    EXPECT_EQ(end, (End{2,
                        "ranks: a batch of 2 images is too small for 3 ranks; allowed: one "
                        "image a rank or more"}));
  }
}

TEST(GradientReducerTest, BucketsStartAsSoonAsAllOfThemIsThere) {
  const std::vector<End> ends = run_ranks(2, [](ProcessGroup& group) -> std::string {
    Networks networks;
    const Network small = lower(networks.space, smallest(networks.space));
    const at::Tensor gradient =
        at::full_like(networks.supernet.parameters(), static_cast<double>(group.rank() + 1));
    const std::vector<LayerTensors> views = networks.supernet.active(small, gradient);
    GradientReducer reducer(group, gradient, 2000);
    for (int step = 0; step < 2; ++step) {
      gradient.fill_(group.rank() + 1);
      for (const LayerTensors& layer : views) {
        for (const at::Tensor& view : {layer.weight, layer.bias, layer.gamma, layer.beta}) {
          if (view.defined()) {
            view.zero_();
          }
        }
      }
      reducer.begin(views);
      EXPECT_GT(reducer.started(), 0);  // layers that the small network lacks
      const int untouched = reducer.started();
      for (int i = static_cast<int>(views.size()) - 1; i >= 0; --i) {
        const LayerTensors& layer = views[static_cast<std::size_t>(i)];
        for (const at::Tensor& view : {layer.weight, layer.bias, layer.gamma, layer.beta}) {
          if (view.defined()) {
            view.fill_(10.0 * (group.rank() + 1));
          }
        }
        if (i == 0) {
          EXPECT_GT(reducer.started(), untouched);
          EXPECT_LT(reducer.started(), reducer.buckets());
        }
        reducer.layer_done(i);
      }
      EXPECT_EQ(reducer.started(), reducer.buckets());
      reducer.finish();
      EXPECT_EQ(gradient.min().item<float>(), 3.0F);
      EXPECT_EQ(gradient.max().item<float>(), 30.0F);
      EXPECT_EQ(views[0].weight.min().item<float>(), 30.0F);
      EXPECT_EQ(gradient.eq(3.0).logical_or(gradient.eq(30.0)).all().item<bool>(), true);
    }
    return "";
  });
  EXPECT_EQ(ends[0], (End{0, ""}));
  EXPECT_EQ(ends[1], (End{0, ""}));
}

}  // namespace
}  // namespace patchnas
