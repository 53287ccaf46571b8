#include "deploy/reference/class_scores.h"

#include <algorithm>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/base/random.h"

namespace patchnas {
namespace {

using testing::HasSubstr;

/// Several inputs that are outputs as well: only their shapes matter.
QuantizedNetwork with_outputs(const std::vector<int>& values) {
  QuantizedNetwork network;
  network.network.input = {1, 1, 1};
  network.tensors.emplace_back();
  network.output_ends.assign(values.size(), {});
  for (const int count : values) {
    Layer layer;
    layer.kind = LayerKind::kInput;
    layer.output = {1, 1, count};
    network.network.layers.push_back(layer);
    network.network.names.push_back("values" + std::to_string(network.network.layer_count()));
    network.network.outputs.push_back(network.network.layer_count());
    network.tensors.push_back({0.00390625F, -128});
  }
  return network;
}

TEST(ClassScoresTest, TheFirstOutputOfMoreThanOneValueIsTheClassifier) {
  EXPECT_EQ(ClassScores(with_outputs({1, 4, 7}), "").name(), "values2");
  EXPECT_EQ(ClassScores(with_outputs({1, 4, 7}), "").classes(), 4);
  EXPECT_EQ(ClassScores(with_outputs({1, 4, 7}), "values3").classes(), 7);
  EXPECT_EQ(ClassScores(with_outputs({1, 1}), "").name(), "values1");
  try {
    ClassScores(with_outputs({1, 4}), "scores");
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no output 'scores'; there are 'values1', 'values2'"));
  }
}

TEST(ClassScoresTest, ASingleValueIsTheProbabilityOfTheSecondClass) {
  const ClassScores scores(with_outputs({1}), "");
  EXPECT_EQ(scores.classes(), 2);
  for (int stored = -128; stored < 128; ++stored) {
    const auto output = static_cast<std::int8_t>(stored);
    const int answer = scores.answer(std::span(&output, 1));
    EXPECT_EQ(answer, (stored + 128) / 256.0 >= 0.5 ? 1 : 0) << stored;
    EXPECT_EQ(scores.rank(std::span(&output, 1), answer), 0);
    EXPECT_EQ(scores.rank(std::span(&output, 1), 1 - answer), 1);
  }
}

TEST(ClassScoresTest, RanksAreTheOrderOfAStableSort) {
  RandomStream stream(1, "test/class scores");
  for (int i = 0; i < 300; ++i) {
    const int before = 1 + static_cast<int>(stream.below(3));
    const int classes = 2 + static_cast<int>(stream.below(12));
    const ClassScores scores(with_outputs({before, classes, 5}), "values2");
    std::vector<std::int8_t> outputs(static_cast<std::size_t>(before + classes + 5));
    for (std::int8_t& value : outputs) {
      value = static_cast<std::int8_t>(static_cast<int>(stream.below(6)) - 3);  // many are equal
    }
    const auto own = std::span(outputs).subspan(static_cast<std::size_t>(before));
    std::vector<int> order(static_cast<std::size_t>(classes));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return own[static_cast<std::size_t>(a)] > own[static_cast<std::size_t>(b)];
    });
    EXPECT_EQ(scores.answer(outputs), order.front());
    for (int rank = 0; rank < classes; ++rank) {
      EXPECT_EQ(scores.rank(outputs, order[static_cast<std::size_t>(rank)]), rank);
    }
  }
}

}  // namespace
}  // namespace patchnas
