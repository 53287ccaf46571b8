#include "supernet/training/optimiser.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "arch/base/error.h"
#include "arch/base/random.h"
#include "supernet/network/layer_tensors.h"

namespace patchnas {
namespace {

constexpr int kSize = 7;
constexpr double kRate = 0.05;
constexpr double kLimit = 100.0;

std::vector<double> random_values(RandomStream& stream) {
  std::vector<double> values(kSize);
  for (double& value : values) {
    value = 2.0 * stream.uniform() - 1.0;
  }
  return values;
}

at::Tensor as_tensor(const std::vector<double>& values) {
  return torch::tensor(values).to(at::kFloat);
}

const at::Tensor& mask() {
  static const at::Tensor mask = torch::tensor({1.0F, 1.0F, 0.0F, 1.0F, 0.0F, 0.0F, 1.0F});
  return mask;
}

at::Tensor sound_loss() { return at::full({}, 1.0, at::kDouble); }

// The same in plain numbers.
struct PlainOptimiser {
  OptimiserConfig config;
  std::vector<double> parameters;
  std::vector<double> momentum = std::vector<double>(kSize, 0.0);
  std::vector<double> average = parameters;
  int steps = 0;

  void step(std::vector<double> gradient) {
    double square = 0.0;
    for (const double g : gradient) {
      square += g * g;
    }
    const double clip =
        config.clip_norm > 0.0 ? std::min(1.0, config.clip_norm / std::sqrt(square)) : 1.0;
    const double decay = std::min(config.ema_decay, (1.0 + steps) / (10.0 + steps));
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const double decays = mask()[static_cast<std::int64_t>(i)].item<double>();
      const double g = gradient[i] * clip + config.weight_decay * decays * parameters[i];
      momentum[i] = config.momentum * momentum[i] + g;
      parameters[i] -= kRate * (g + config.momentum * momentum[i]);
      average[i] = decay * average[i] + (1.0 - decay) * parameters[i];
    }
    ++steps;
  }
};

void expect_near(const at::Tensor& values, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(values[static_cast<std::int64_t>(i)].item<double>(), expected[i], 1e-5);
  }
}

TEST(Optimiser, EqualsAPlainRecomputation) {
  int index = 0;
  for (const double clip_norm : {0.0, 0.4}) {
    for (const double ema_decay : {0.0, 0.3, 0.999}) {
      RandomStream stream(static_cast<std::uint64_t>(index++), "test/optimiser");
      const OptimiserConfig config{
          .momentum = 0.8, .weight_decay = 0.1, .clip_norm = clip_norm, .ema_decay = ema_decay};
      PlainOptimiser plain{.config = config, .parameters = random_values(stream)};
      const at::Tensor parameters = as_tensor(plain.parameters);
      Optimiser optimiser(parameters, mask(), config);
      for (int step = 0; step < 30; ++step) {
        const std::vector<double> gradient = random_values(stream);
        optimiser.zero_gradient();
        optimiser.gradient().add_(as_tensor(gradient));
        optimiser.step(kRate, sound_loss(), kLimit);
        plain.step(gradient);
      }
      expect_near(parameters, plain.parameters);
      optimiser.swap_average();
      expect_near(parameters, ema_decay > 0.0 ? plain.average : plain.parameters);
      optimiser.swap_average();
      expect_near(parameters, plain.parameters);
      optimiser.adopt_average();
      expect_near(parameters, ema_decay > 0.0 ? plain.average : plain.parameters);
      EXPECT_FALSE(optimiser.failure());
    }
  }
}

TEST(Optimiser, OnlyWhatTheMaskNamesDecays) {
  const at::Tensor parameters = at::ones({kSize});
  Optimiser optimiser(parameters, mask(), {.weight_decay = 0.1});
  for (int i = 0; i < 10; ++i) {
    optimiser.zero_gradient();
    optimiser.step(kRate, sound_loss(), kLimit);
  }
  EXPECT_TRUE(torch::equal(parameters.lt(1.0), mask().gt(0.0)));
}

TEST(Optimiser, ClippingKeepsTheDirection) {
  const at::Tensor parameters = at::zeros({kSize});
  Optimiser optimiser(parameters, mask(), {.momentum = 0.0, .weight_decay = 0.0, .clip_norm = 0.5});
  const at::Tensor gradient = at::arange(kSize, at::kFloat) - 2.0;
  optimiser.gradient().copy_(gradient);
  optimiser.step(1.0, sound_loss(), kLimit);
  EXPECT_NEAR(parameters.norm().item<double>(), 0.5, 1e-6);
  EXPECT_NEAR(at::cosine_similarity(-parameters, gradient, 0).item<double>(), 1.0, 1e-6);
}

TEST(Optimiser, AFailedStepChangesNothingAndIsNamed) {
  const double infinity = std::numeric_limits<double>::infinity();
  struct Case {
    double gradient;
    double loss;
  };
  for (const Case& c : {Case{std::nan(""), 1.0}, Case{infinity, 1.0}, Case{1e30, 1.0},
                        Case{0.1, std::nan("")}, Case{0.1, infinity}, Case{0.1, 101.0}}) {
    const at::Tensor parameters = at::ones({kSize});
    Optimiser optimiser(parameters, mask(), {.ema_decay = 0.9});
    const auto step = [&](double gradient, double loss) {
      optimiser.zero_gradient();
      optimiser.gradient()[3] = gradient;
      optimiser.step(kRate, at::full({}, loss, at::kDouble), kLimit);
    };
    step(0.1, 1.0);
    step(0.1, 99.0);
    const at::Tensor before = parameters.clone();
    EXPECT_FALSE(optimiser.failure());
    step(c.gradient, c.loss);
    EXPECT_TRUE(torch::equal(parameters, before));
    step(0.1, 1.0);
    ASSERT_TRUE(optimiser.failure());
    EXPECT_EQ(optimiser.failure()->step, 2);
    EXPECT_TRUE(at::isfinite(parameters).all().item<bool>());
    optimiser.swap_average();
    EXPECT_TRUE(at::isfinite(parameters).all().item<bool>());
  }
}

TEST(Optimiser, MixedPrecisionTakesItsScaleOutAgain) {
  const OptimiserConfig config{.weight_decay = 0.1, .clip_norm = 0.4};
  OptimiserConfig mixed_config = config;
  mixed_config.precision = Precision::kMixed;
  const at::Tensor plain = at::ones({kSize});
  const at::Tensor mixed = at::ones({kSize});
  Optimiser plain_optimiser(plain, mask(), config);
  Optimiser mixed_optimiser(mixed, mask(), mixed_config);
  EXPECT_FALSE(plain_optimiser.loss_scale().defined());
  RandomStream stream(9, "test/optimiser");
  for (int i = 0; i < 10; ++i) {
    const at::Tensor gradient = as_tensor(random_values(stream));
    plain_optimiser.gradient().copy_(gradient);
    mixed_optimiser.gradient().copy_(gradient * mixed_optimiser.loss_scale());
    plain_optimiser.step(kRate, sound_loss(), kLimit);
    mixed_optimiser.step(kRate, sound_loss(), kLimit);
  }
  EXPECT_LT((plain - mixed).abs().max().item<double>(), 1e-6);
}

TEST(Optimiser, MixedPrecisionHalvesItsScaleUntilItIsUsedUp) {
  const at::Tensor parameters = at::ones({kSize});
  Optimiser optimiser(parameters, mask(), {.precision = Precision::kMixed});
  const auto first = optimiser.loss_scale().item<double>();
  int halvings = 0;
  while (!optimiser.failure()) {
    ASSERT_EQ(optimiser.loss_scale().item<double>(), first / std::exp2(halvings));
    optimiser.gradient().fill_(std::numeric_limits<float>::infinity());
    optimiser.step(kRate, sound_loss(), kLimit);
    EXPECT_TRUE(torch::equal(parameters, at::ones({kSize})));
    ++halvings;
  }
  EXPECT_EQ(first / std::exp2(halvings - 1), 1.0);
}

TEST(Optimiser, MixedPrecisionDoublesItsScaleAfterManyGoodSteps) {
  Optimiser optimiser(at::ones({kSize}), mask(), {.precision = Precision::kMixed});
  const auto first = optimiser.loss_scale().item<double>();
  for (int i = 0; i < 2000; ++i) {
    EXPECT_EQ(optimiser.loss_scale().item<double>(), first);
    optimiser.zero_gradient();
    optimiser.step(kRate, sound_loss(), kLimit);
  }
  EXPECT_EQ(optimiser.loss_scale().item<double>(), 2.0 * first);
}

TEST(Optimiser, NumbersThatAreNotFiniteAreNotSaved) {
  const at::Tensor parameters = at::ones({kSize});
  const Optimiser optimiser(parameters, mask(), {});
  parameters[2] = std::nan("");
  StateWriter writer("test", "test");
  EXPECT_THROW(optimiser.state().save(writer), Error);
}

}  // namespace
}  // namespace patchnas
