// MEAN in all forms that converters write: axes in any order, negative or twice, with and without
// the dimensions that it is over.

#include <algorithm>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/fixed_point.h"
#include "tests/deploy/support/file_builder.h"
#include "tests/deploy/support/form_files.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas {
namespace {

using testing::error_of;
using testing::expect_round_trip;
using testing::File;
using testing::FileBuilder;
using ::testing::HasSubstr;
using testing::kIn;
using testing::kOut;
using testing::random_bytes;
using testing::run;
using testing::Values;
using tflite::BuiltinOperator;
using tflite::Padding;

struct MeanForm {
  std::vector<int> axes;
  bool keeps;
  std::vector<int> output;
};

File mean_file(const MeanForm& form) {
  FileBuilder file;
  const int image = file.activation("image", {1, 3, 4, 5}, kIn);
  const int axes = file.constant("axes", {static_cast<int>(form.axes.size())},
                                 {form.axes.begin(), form.axes.end()});
  const int out = file.activation("out", form.output, kOut);
  file.add(BuiltinOperator::MEAN, {image, axes}, {out}, tflite::BuiltinOptions::ReducerOptions,
           tflite::CreateReducerOptions(file.options(), form.keeps).Union());
  return file.finish({image}, {out});
}

TEST(TfliteMeans, AreOverRowsOrColumnsWithAndWithoutTheirDimensions) {
  RandomStream stream(60, "means");
  const Values input = random_bytes(3 * 4 * 5, stream);
  const auto mean = [&](const std::vector<std::pair<int, int>>& pixels, int channel) {
    std::int32_t sum = 0;
    for (const auto& [row, col] : pixels) {
      sum += input[static_cast<std::size_t>((row * 4 + col) * 5 + channel)] - kIn.zero_point;
    }
    const double factor = double{kIn.scale} / double{kOut.scale};
    const Requantisation by = quantise_mean(factor, static_cast<std::int64_t>(pixels.size()));
    return static_cast<std::int8_t>(std::clamp(requantise(sum, by) + kOut.zero_point, -128, 127));
  };
  Values both;
  Values of_rows;
  Values of_cols;
  std::vector<std::pair<int, int>> all;
  for (int row = 0; row < 3; ++row) {
    for (int col = 0; col < 4; ++col) {
      all.emplace_back(row, col);
    }
  }
  for (int c = 0; c < 5; ++c) {
    both.push_back(mean(all, c));
  }
  for (int col = 0; col < 4; ++col) {
    for (int c = 0; c < 5; ++c) {
      of_rows.push_back(mean({{0, col}, {1, col}, {2, col}}, c));
    }
  }
  for (int row = 0; row < 3; ++row) {
    for (int c = 0; c < 5; ++c) {
      of_cols.push_back(mean({{row, 0}, {row, 1}, {row, 2}, {row, 3}}, c));
    }
  }
  const std::vector<std::pair<MeanForm, Values>> forms = {
      {{{1, 2}, true, {1, 1, 1, 5}}, both},  {{{2, 1}, false, {1, 5}}, both},
      {{{-3, -2}, false, {1, 5}}, both},     {{{1, 1, 2}, true, {1, 1, 1, 5}}, both},
      {{{1}, true, {1, 1, 4, 5}}, of_rows},  {{{1}, false, {1, 4, 5}}, of_rows},
      {{{-2}, true, {1, 3, 1, 5}}, of_cols}, {{{2}, false, {1, 3, 5}}, of_cols}};
  for (const auto& [form, expected] : forms) {
    EXPECT_EQ(run(mean_file(form), input), expected) << ::testing::PrintToString(form.axes);
    expect_round_trip(mean_file(form));
  }
  EXPECT_THAT(error_of(mean_file({{4}, true, {1, 3, 4, 1}})), HasSubstr("names axis 4 of 4"));
  EXPECT_THAT(error_of(mean_file({{1, 2}, true, {1, 5}})),
              HasSubstr("shape does not follow from its inputs"));
}

TEST(TfliteMeans, AMeanOverRowsAndColumnsInOneDimensionIsOverBoth) {
  RandomStream stream(62, "mean of pixels");
  const Values input = random_bytes(3 * 4 * 5, stream);
  FileBuilder file;
  const int image = file.activation("image", {1, 3, 4, 5}, kIn);
  const int pool = file.activation("pool", {1, 3, 4, 5}, kIn);
  const int pixels = file.activation("pixels", {1, 12, 5}, kIn);
  const int axes = file.constant("axes", {1}, {1});
  const int out = file.activation("out", {1, 5}, kOut);
  file.pool(BuiltinOperator::MAX_POOL_2D, image, pool, Padding::SAME, 1, 1, 1, 1);
  file.add(BuiltinOperator::RESHAPE, {pool}, {pixels});
  file.add(BuiltinOperator::MEAN, {pixels, axes}, {out}, tflite::BuiltinOptions::ReducerOptions,
           tflite::CreateReducerOptions(file.options(), false).Union());
  EXPECT_EQ(run(file.finish({image}, {out}), input),
            run(mean_file({{1, 2}, false, {1, 5}}), input));
}

}  // namespace
}  // namespace patchnas
