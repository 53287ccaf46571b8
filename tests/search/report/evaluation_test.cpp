#include "search/report/evaluation.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "arch/base/random.h"
#include "search/base/files.h"
#include "search/report/report_schema.h"
#include "tests/search/report/report_table.h"

namespace patchnas {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Evaluation of_classes(int count) {
  Evaluation evaluation{.model = "net.tflite",
                        .images_from = "photos",
                        .resizing = "crop",
                        .pixels = "int8 = pixel - 128",
                        .output = "'scores'",
                        .target = {},
                        .classes = {}};
  for (int i = 0; i < count; ++i) {
    evaluation.classes.push_back({.name = "class" + std::to_string(i)});
  }
  return evaluation;
}

TEST(EvaluationTest, EveryImageIsCountedOnceAndTheReportIsAsThePageSays) {
  const testing::ReportTable page(read_file(PATCHNAS_SOURCE_DIR "/docs/reports.md"));
  RandomStream stream(1, "test/evaluation");
  for (int i = 0; i < 200; ++i) {
    const int classes = 2 + static_cast<int>(stream.below(60));
    Evaluation evaluation = of_classes(classes);
    if (stream.chance(0.5)) {
      evaluation.target = RunTarget::kCortexM4;
      evaluation.instructions = 1000;
    }
    const int images = 1 + static_cast<int>(stream.below(300));
    int right = 0;
    int in_top5 = 0;
    for (int image = 0; image < images; ++image) {
      const auto any = [&] {
        return static_cast<int>(stream.below(static_cast<unsigned>(classes)));
      };
      const int label = any();
      const int rank = stream.chance(0.5) ? 0 : any();
      evaluation.add(label, rank == 0 ? label : (label + 1) % classes, rank);
      right += rank == 0 ? 1 : 0;
      in_top5 += rank < 5 ? 1 : 0;
    }
    EXPECT_EQ(evaluation.images(), images);
    EXPECT_EQ(evaluation.right(), right);
    for (const ClassResult& result : evaluation.classes) {
      int mistaken = 0;
      for (const auto& [answer, count] : result.mistaken_for) {
        mistaken += count;
      }
      EXPECT_EQ(result.right + mistaken, result.images);
    }
    const auto report = parse_report(evaluation_report(evaluation), "evaluation");
    EXPECT_THAT(page.complaints("evaluate", report), IsEmpty());
    EXPECT_EQ(report.at("images"), images);
    EXPECT_DOUBLE_EQ(report.at("accuracy").at("top1"), static_cast<double>(right) / images);
    EXPECT_EQ(report.at("accuracy").contains("top5"), classes > 10);
    if (classes > 10) {
      EXPECT_DOUBLE_EQ(report.at("accuracy").at("top5"), static_cast<double>(in_top5) / images);
    }
    EXPECT_EQ(report.at("classes").size(), static_cast<std::size_t>(classes));
  }
}

TEST(EvaluationTest, TheMostFrequentMistakeIsNamed) {
  Evaluation evaluation = of_classes(3);
  evaluation.add(0, 0, 0);
  evaluation.add(0, 1, 1);
  evaluation.add(0, 2, 1);
  evaluation.add(0, 2, 2);
  evaluation.add(1, 1, 0);
  const std::string text = table(evaluation);
  EXPECT_THAT(text, HasSubstr("accuracy      40.00 %, 2 right"));
  EXPECT_THAT(text, HasSubstr("class0         4         1    25.00 %   class2 (2)\n"));
  EXPECT_THAT(text, HasSubstr("class1         1         1   100.00 %\n"));
  EXPECT_THAT(text, HasSubstr("2 of 3 classes"));  // the third has no images
  EXPECT_THAT(text, Not(HasSubstr("top 5")));
}

TEST(EvaluationTest, OfManyClassesTheWorstAreListed) {
  Evaluation evaluation = of_classes(100);
  for (int label = 0; label < 100; ++label) {
    evaluation.add(label, label, 0);
    for (int i = 0; i < label % 10; ++i) {
      evaluation.add(label, 0, 1);
    }
  }
  const std::string text = table(evaluation);
  EXPECT_THAT(text, HasSubstr("20 of 100 classes; --json has all"));
  EXPECT_THAT(text, HasSubstr("\n  class9 "));
  EXPECT_THAT(text, HasSubstr("\n  class98"));
  EXPECT_THAT(text, Not(HasSubstr("\n  class97")));
}

}  // namespace
}  // namespace patchnas
