#include "search/config/training_plan.h"

#include <spdlog/fmt/fmt.h>

#include "search/base/files.h"
#include "search/engine/candidate.h"
#include "search/run/search_stage.h"
#include "search/run/stage_id.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

TrainingPlan plan_with(const std::string& lines) {
  YamlReader reader = YamlReader::parse_text("training: {" + lines + "}\n", "c.yaml");
  return parse_training_plan(reader.map("training"), small_config().space);
}

std::string error_with(const std::string& lines) {
  return message_of([&] { plan_with(lines); });
}

std::vector<StageId> stages_with(const std::string& lines) { return stages_of(plan_with(lines)); }

TEST(TrainingPlan, ARecipeIsTheListOfItsStages) {
  const std::vector<StageId> without_largest{StageId::kTrainSupernet, StageId::kSearch,
                                             StageId::kFinetune, StageId::kQuantise,
                                             StageId::kExport};
  std::vector<StageId> all = without_largest;
  all.insert(all.begin(), StageId::kTrainLargest);
  EXPECT_EQ(stages_with("recipe: mcunetv2"), all);
  EXPECT_EQ(stages_with("recipe: mcunetv2, largest: {epochs: 0}"), without_largest);
  EXPECT_EQ(stages_with("recipe: sandwich"), without_largest);
  EXPECT_EQ(stages_with("recipe: sandwich, largest: {epochs: 3}"), all);
  TrainingPlan standalone;
  standalone.recipe = TrainingRecipe::kStandalone;
  EXPECT_EQ(stages_of(standalone), (std::vector{StageId::kSearch, StageId::kFinetune,
                                                StageId::kQuantise, StageId::kExport}));
}

TEST(TrainingPlan, TheSandwichHasItsPublishedDefaults) {
  const TrainingPlan plan = plan_with("recipe: sandwich");
  EXPECT_EQ(plan.subnets_per_step, 4);
  EXPECT_EQ(plan.inplace_distillation, 1.0);
  EXPECT_EQ(plan.largest.epochs, 0.0);
  EXPECT_NE(error_with("recipe: sandwich, supernet: {subnets_per_step: 1}")
                .find("training.supernet.subnets_per_step: 1 is out of range; allowed: 2 to"),
            std::string::npos);
}

class StandaloneTest : public testing::Test {
 protected:
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    write_file(folder_.path() / name, text);
    return (folder_.path() / name).string();
  }

  TestFolder folder_;
  SearchSpace space_ = small_config().space;
  Architecture architecture_ = smallest(space_);
};

TEST_F(StandaloneTest, TheArchitectureComesInEveryForm) {
  Candidate candidate;
  candidate.architecture = architecture_;
  SearchResult result;
  result.best = candidate;
  const std::string forms[] = {fmt::format("'{}'", to_json(architecture_)),
                               file("architecture.json", to_json(architecture_)),
                               file("one.json", to_json(candidate)),
                               file("candidate.json", to_json(result))};
  for (const std::string& form : forms) {
    const TrainingPlan plan = plan_with("recipe: standalone, architecture: " + form);
    ASSERT_TRUE(plan.architecture) << form;
    EXPECT_EQ(*plan.architecture, architecture_);
  }
}

TEST_F(StandaloneTest, ASpaceOfOneNetworkNeedsNone) {
  SearchSpace one = space_;
  one.resolutions = {16};
  for (StageSpace& stage : one.stages) {
    stage.depths = {1};
    stage.kernel_sizes = {3};
    stage.expand_ratios = {1};
    stage.widths = {8};
  }
  const YamlReader reader = YamlReader::parse_text("recipe: standalone\n", "c.yaml");
  EXPECT_EQ(parse_training_plan(reader, one).architecture, largest(one));
}

TEST_F(StandaloneTest, ATeacherIsARunDirectory) {
  const TrainingPlan plan = plan_with(
      "recipe: standalone, teacher: runs/big, finetune: {distillation: 0.5}, "
      "architecture: '" +
      to_json(architecture_) + "'");
  EXPECT_EQ(plan.teacher, (std::filesystem::current_path() / "runs" / "big").string());
}

TEST_F(StandaloneTest, BadInputIsOneLineThatNamesIt) {
  const std::string json = fmt::format("'{}'", to_json(architecture_));
  EXPECT_NE(error_with("recipe: standalone")
                .find("training.architecture: is missing: standalone trains one network, and the "
                      "space has "),
            std::string::npos);
  EXPECT_NE(error_with("architecture: " + json)
                .find("training.architecture: is for recipe standalone, not mcunetv2"),
            std::string::npos);
  EXPECT_NE(error_with("recipe: sandwich, teacher: runs/x")
                .find("training.teacher: is for recipe standalone, not sandwich"),
            std::string::npos);
  EXPECT_NE(error_with("recipe: standalone, architecture: no/such.json").find("no/such.json"),
            std::string::npos);
  EXPECT_NE(error_with("recipe: standalone, architecture: " + file("bad.json", "{\"best\": 3"))
                .find("bad.json"),
            std::string::npos);
  Architecture foreign = architecture_;
  foreign.resolution = 99;
  EXPECT_NE(error_with("recipe: standalone, architecture: '" + to_json(foreign) + "'")
                .find("training.architecture: is not of this space: "),
            std::string::npos);
  EXPECT_NE(error_with("recipe: standalone, finetune: {distillation: 0.5}, architecture: " + json)
                .find("training.finetune.distillation: a standalone network needs "
                      "training.teacher, a finished run directory"),
            std::string::npos);
  EXPECT_NE(error_with("recipe: bignas").find("allowed: mcunetv2, sandwich, standalone"),
            std::string::npos);
}

TEST(TrainingPlanErrors, MixedPrecisionNeedsCuda) {
  YamlReader reader = YamlReader::parse_text(kSmallConfig, "c.yaml");
  reader.assign("training.precision=mixed");
  reader.assign("device=cpu");
  EXPECT_EQ(
      message_of([&] { parse_config(std::move(reader), "x"); }),
      "--set training.precision=mixed: training.precision: mixed needs a CUDA device; allowed "
      "on the CPU: float32");
}

}  // namespace
}  // namespace patchnas
