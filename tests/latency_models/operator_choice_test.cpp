#include "latency_models/operator_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "latency_models/latency_predictor.h"
#include "latency_models/operator_space.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

// Operators of random spaces with what they weigh.
std::map<OperatorKey, double> random_candidates(RandomStream& stream) {
  std::map<OperatorKey, double> candidates;
  for (int round = 0; round < 8; ++round) {
    candidates.merge(sampled_operators(testing::random_space(stream), 10, stream));
  }
  return candidates;
}

// As kernels cost that compute four channels of a pixel together.
Measurement measured(const OperatorKey& key) {
  const OperatorFamily& f = key.family;
  const std::int64_t pixels = std::int64_t{key.rows.output} * key.cols.output;
  const std::int64_t fours = (f.output_channels + 3) / 4;
  const std::int64_t macs_of_output = key.macs() / (pixels * f.output_channels);
  return {.cost = 100 + 20 * key.rows.output + 30 * pixels + 12 * f.output_channels +
                  pixels * fours * (40 + 5 * macs_of_output),
          .spread = 0};
}

std::map<OperatorKey, Measurement> measured(const std::vector<OperatorKey>& keys) {
  std::map<OperatorKey, Measurement> measurements;
  for (const OperatorKey& key : keys) {
    measurements.emplace(key, measured(key));
  }
  return measurements;
}

// Of |predicted - cost| / cost, over all candidates.
double mean_error(const std::map<OperatorKey, double>& candidates,
                  const LatencyPredictor& predictor) {
  double sum = 0.0;
  for (const auto& [key, weight] : candidates) {
    const auto cost = static_cast<double>(measured(key).cost);
    sum += std::abs(predictor.predict(key) - cost) / cost;
  }
  return sum / static_cast<double>(candidates.size());
}

TEST(ChooseOperators, ChoosesSoManyNewCandidatesHeaviestFirst) {
  RandomStream stream(7, "choice/count");
  const auto candidates = random_candidates(stream);
  std::vector<OperatorKey> known;
  for (const auto& [key, weight] : candidates) {
    if (stream.chance(0.3)) {
      known.push_back(key);
    }
  }
  const auto measurements = measured(known);
  const std::size_t left = candidates.size() - known.size();
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{50}, left + 10}) {
    const auto chosen = choose_operators(candidates, measurements, count);
    EXPECT_EQ(chosen.size(), std::min(count, left));
    EXPECT_EQ(std::set<OperatorKey>(chosen.begin(), chosen.end()).size(), chosen.size());
    for (const OperatorKey& key : chosen) {
      EXPECT_TRUE(candidates.contains(key));
      EXPECT_FALSE(measurements.contains(key));
    }
    EXPECT_EQ(choose_operators(candidates, measurements, count), chosen);
  }
  const OperatorKey first = choose_operators(candidates, measurements, 1).front();
  for (const auto& [key, weight] : candidates) {
    EXPECT_TRUE(measurements.contains(key) || weight <= candidates.at(first));
  }
}

TEST(ChooseOperators, TakesHalfOfThemByWeight) {
  RandomStream stream(7, "choice/weight");
  const auto candidates = random_candidates(stream);
  constexpr std::size_t kCount = 100;
  const auto chosen = choose_operators(candidates, {}, kCount);
  std::vector<std::pair<double, OperatorKey>> by_weight;
  for (const auto& [key, weight] : candidates) {
    by_weight.emplace_back(-weight, key);
  }
  std::sort(by_weight.begin(), by_weight.end());
  for (std::size_t i = 0; i < kCount / 2; ++i) {
    EXPECT_NE(std::find(chosen.begin(), chosen.end(), by_weight[i].second), chosen.end());
  }
}

TEST(ChooseOperators, LetsTheRestBePredictedBetterThanTheHeaviestDo) {
  RandomStream stream(7, "choice/error");
  const auto candidates = random_candidates(stream);
  constexpr std::size_t kCount = 400;
  std::vector<std::pair<double, OperatorKey>> by_weight;
  for (const auto& [key, weight] : candidates) {
    by_weight.emplace_back(-weight, key);
  }
  std::sort(by_weight.begin(), by_weight.end());
  ASSERT_GT(by_weight.size(), 5 * kCount);
  std::vector<OperatorKey> heaviest;
  for (std::size_t i = 0; i < kCount; ++i) {
    heaviest.push_back(by_weight[i].second);
  }
  const auto chosen = choose_operators(candidates, {}, kCount);
  EXPECT_LT(mean_error(candidates, LatencyPredictor(measured(chosen))),
            0.5 * mean_error(candidates, LatencyPredictor(measured(heaviest))));
}

TEST(LatencyPredictor, LeverageIsLargeFarFromWhatWasMeasured) {
  RandomStream stream(7, "choice/leverage");
  const auto candidates = random_candidates(stream);
  const auto chosen = choose_operators(candidates, {}, 300);
  auto measurements = measured(chosen);
  std::erase_if(measurements, [](const auto& measurement) {
    return measurement.first.family.kernel == KernelFunction::kAdd;
  });
  const LatencyPredictor predictor(measurements);
  int far = 0;
  int near = 0;
  for (const auto& [key, weight] : candidates) {
    const double leverage = predictor.leverage(key);
    if (key.family.kernel == KernelFunction::kAdd) {
      EXPECT_EQ(leverage, std::numeric_limits<double>::infinity());
      ++far;
    } else if (measurements.contains(key)) {
      // Measured again it would be found the same, up to how well the fit follows its samples.
      EXPECT_LT(leverage, 1.1) << to_string(key);
      ++near;
    }
  }
  EXPECT_GT(far, 0);
  EXPECT_EQ(near, static_cast<int>(measurements.size()));
}

TEST(LatencyPredictor, HasLessLeverageOfWhatIsMeasured) {
  RandomStream stream(7, "choice/measured");
  const auto candidates = random_candidates(stream);
  const auto chosen = choose_operators(candidates, {}, 600);
  const auto measurements = measured(chosen);
  const LatencyPredictor predictor(measurements);
  const OperatorKey* open = nullptr;
  for (const auto& [key, weight] : candidates) {
    if (!measurements.contains(key) &&
        (open == nullptr || predictor.leverage(key) > predictor.leverage(*open))) {
      open = &key;
    }
  }
  ASSERT_NE(open, nullptr);
  auto more = measurements;
  more.emplace(*open, measured(*open));
  EXPECT_LT(LatencyPredictor(more).leverage(*open), predictor.leverage(*open));
}

}  // namespace
}  // namespace patchnas
