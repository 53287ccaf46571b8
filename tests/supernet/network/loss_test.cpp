#include "supernet/network/loss.h"

#include <cmath>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "arch/base/random.h"

namespace patchnas {
namespace {

constexpr int kImages = 4;
constexpr int kClasses = 5;

at::Tensor random_logits(RandomStream& stream) {
  at::Tensor logits = at::zeros({kImages, kClasses}, at::kDouble);
  for (std::int64_t i = 0; i < logits.numel(); ++i) {
    logits.view(-1)[i] = 6.0 * stream.uniform() - 3.0;
  }
  return logits;
}

at::Tensor labels() { return torch::tensor({2, 0, 4, 4}, torch::kLong); }

double mean(const at::Tensor& logits, const at::Tensor& targets) {
  return cross_entropy(logits, targets).mean.item<double>();
}

TEST(Loss, GradientIsTheDerivativeOfTheMean) {
  RandomStream stream(1, "test/loss");
  const at::Tensor logits = random_logits(stream);
  const at::Tensor hard = smoothed_labels(labels(), kClasses, 0.1);
  const at::Tensor soft = soft_labels(random_logits(stream));
  for (const at::Tensor& targets : {hard, soft, at::lerp(hard, soft, 0.3)}) {
    const at::Tensor gradient = cross_entropy(logits, targets).gradient;
    for (std::int64_t i = 0; i < logits.numel(); ++i) {
      const at::Tensor step = at::zeros_like(logits);
      step.view(-1)[i] = 1e-5;
      const double slope = (mean(logits + step, targets) - mean(logits - step, targets)) / 2e-5;
      EXPECT_NEAR(gradient.view(-1)[i].item<double>(), slope, 1e-8);
    }
  }
}

TEST(Loss, WithoutSmoothingItIsTheLabelsNegativeLogProbability) {
  const at::Tensor logits = torch::tensor({{1.0, -0.5, 2.0}});
  const double expected =
      -std::log(std::exp(2.0) / (std::exp(1.0) + std::exp(-0.5) + std::exp(2.0)));
  EXPECT_NEAR(mean(logits, smoothed_labels(torch::tensor({2}), 3, 0.0)), expected, 1e-12);
}

TEST(Loss, IsLinearInTheTargets) {
  RandomStream stream(2, "test/loss");
  const at::Tensor logits = random_logits(stream);
  const at::Tensor hard = smoothed_labels(labels(), kClasses, 0.1);
  const at::Tensor soft = soft_labels(random_logits(stream));
  EXPECT_NEAR(mean(logits, at::lerp(hard, soft, 0.3)),
              0.7 * mean(logits, hard) + 0.3 * mean(logits, soft), 1e-12);
}

TEST(Loss, ATeachersOwnAnswersAreTheBestOnes) {
  RandomStream stream(3, "test/loss");
  const at::Tensor teacher = random_logits(stream);
  const at::Tensor targets = soft_labels(teacher);
  EXPECT_LT(cross_entropy(teacher, targets).gradient.abs().max().item<double>(), 1e-12);
  EXPECT_LT(cross_entropy(teacher + 5.0, targets).gradient.abs().max().item<double>(), 1e-12);
  for (int i = 0; i < 20; ++i) {
    EXPECT_GE(mean(random_logits(stream), targets), mean(teacher, targets));
  }
}

TEST(Loss, SurvivesLogitsOfAnySize) {
  const at::Tensor logits = torch::tensor({{1e4F, -1e4F, 0.0F}});
  const Loss loss = cross_entropy(logits, smoothed_labels(torch::tensor({1}), 3, 0.0));
  EXPECT_NEAR(loss.mean.item<double>(), 2e4, 1e-6);
  EXPECT_TRUE(torch::equal(loss.gradient, torch::tensor({{1.0F, -1.0F, 0.0F}})));
}

TEST(Loss, CountsRightAnswers) {
  const at::Tensor logits = torch::tensor({{0.1, 0.2, 0.9}, {0.5, 0.1, 0.2}, {0.0, 3.0, 1.0}});
  EXPECT_EQ(count_correct(logits, torch::tensor({2, 1, 1})).item<int>(), 2);
}

}  // namespace
}  // namespace patchnas
