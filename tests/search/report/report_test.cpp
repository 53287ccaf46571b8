// Every kind of report, read back and held against the table of docs/reports.md.

#include "search/report/report.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "arch/operator_table.h"
#include "search/base/files.h"
#include "search/engine/latency_file.h"
#include "search/report/report_schema.h"
#include "search/report/verification.h"
#include "tests/search/report/report_table.h"
#include "tests/search/support.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const testing::ReportTable& table() {
  static const testing::ReportTable page(read_file(PATCHNAS_SOURCE_DIR "/docs/reports.md"));
  return page;
}

/// Of this version, and as the table says.
Json checked(const std::string& kind, const std::string& text) {
  Json report = parse_report(text, kind);
  EXPECT_TRUE(has_schema(report)) << kind;
  EXPECT_THAT(table().complaints(kind, report), IsEmpty()) << kind << ": " << text;
  return report;
}

/// Segments anywhere, as many as the network takes.
PatchSchedule several_segments(const Network& network) {
  PatchSchedule schedule;
  for (int layer = 1; layer + 2 <= network.layer_count() && schedule.segments.size() < 3;
       layer += 3) {
    const TensorShape& out = network.shape(layer + 2);
    const auto first = network.layers.begin() + layer;
    if (out.height >= 2 && out.width >= 2 && std::all_of(first, first + 2, fits_segments)) {
      schedule.segments.push_back({.first_layer = layer, .end_layer = layer + 2, .grid = {2, 2}});
    }
  }
  return schedule;
}

Target random_target(RandomStream& stream) {
  Target target = kUnlimitedTarget;
  target.memory_model =
      stream.pick(std::vector(std::begin(kMemoryModels), std::end(kMemoryModels)));
  target.input = stream.chance(0.5) ? InputMode::kStreamed : InputMode::kResident;
  target.core = Core::kCortexM7;
  if (stream.chance(0.5)) {
    target.sram_bytes = 16384;
    target.clock_mhz = 480.0;
  }
  if (stream.chance(0.3)) {
    target.flash_bytes = 1 << 20;
    target.max_macs = 1 << 20;
  }
  if (stream.chance(0.5)) {
    target.latency_table = "cortex-m7";
    target.latency = stream.chance(0.5) ? 1e9 : target.latency;
  }
  return target;
}

Verification verification_on(RunTarget target, Rounding rounding) {
  Verification v{.figures = {.package = "net",
                             .target = target,
                             .rounding = rounding,
                             .arena_bytes = 1000,
                             .static_bytes = 24,
                             .stack_bytes = 300,
                             .flash_bytes = 5000,
                             .instructions = {}},
                 .images = 10,
                 .first_difference = {},
                 .estimated_sram_bytes = 1024,
                 .allowed_stack_bytes = {},
                 .estimated_flash_bytes = {},
                 .layers = {},
                 .estimated_macs = 77,
                 .macs = {}};
  if (target == RunTarget::kHost) {
    v.macs = 77;
  } else {
    v.figures.instructions = 12345;
    v.allowed_stack_bytes = 2048;
    v.estimated_flash_bytes = 4990;
    v.layers = {{"stem", 12000}, {"around", 345}};
  }
  return v;
}

/// report.json of a run of the small configuration.
class RunReport : public ::testing::Test {
 protected:
  [[nodiscard]] std::string report(
      std::optional<EvolutionCounts> counts = EvolutionCounts{}) const {
    return make_report(
        {.config = config_,
         .candidate = candidate_,
         .network = network_,
         .folded = {.channels = 3,
                    .layers = {},
                    .macs = 1000,
                    .weights = 40,
                    .all_macs = 4000,
                    .all_weights = 90},
         .accuracies = {.validation_search = 0.75,
                        .validation_exported = counts ? std::optional(0.75) : std::nullopt,
                        .test_float = 0.5,
                        .test_int8 = 0.25,
                        .test_images = 100},
         .arena_check = {.arena_bytes = 1000, .images = 100},
         .finetuned = true,
         .tflite_bytes = 5000,
         .counts = counts});
  }
  Config config_ = small_config();
  Candidate candidate_{.architecture = largest(config_.space),
                       .schedule = PatchSchedule::leading({2, 2}, 1),
                       .costs = {},
                       .accuracy = 0.75};
  Network network_ = lower(config_.space, candidate_.architecture);
};

TEST(ReportTable, AKeyHasOneTypeWhereverItStands) {
  std::map<std::string, std::string> types;
  for (const testing::ReportKey& key : table().keys()) {
    const auto [known, is_new] = types.emplace(testing::last_name(key.path), key.type);
    EXPECT_EQ(known->second, key.type) << key.path;
  }
  EXPECT_GT(types.size(), 50U);
}

TEST_F(RunReport, IsRefusedByTheTableWhereItDiffers) {
  const Json good = checked("export", report());
  Json bad = good;
  bad["speed"] = 7;
  bad["layers"][1]["speed"] = 7;
  EXPECT_THAT(
      table().complaints("export", bad),
      ElementsAre("layers[1].speed: is no key of 'export'", "speed: is no key of 'export'"));
  bad = good;
  bad["flash_bytes"] = {{"total", 7}};
  EXPECT_THAT(table().complaints("export", bad),
              ElementsAre("flash_bytes: is no integer: {\"total\":7}"));
  bad = good;
  bad["accuracy"].erase("test_int8");
  bad.erase("macs");
  EXPECT_THAT(table().complaints("export", bad),
              ElementsAre("accuracy.test_int8: is missing", "macs: is missing"));
  bad = good;
  bad["schedule"] = {{"patches_h", 2}};
  bad["pareto"] = Json::array();
  EXPECT_THAT(
      table().complaints("export", bad),
      ElementsAre("schedule: is no schedule: {\"patches_h\":2}", "pareto: is no key of 'export'"));
}

TEST(Reports, OfRandomNetworksSchedulesAndTargets) {
  RandomStream stream(5, "reports");
  for (int round = 0; round < 20; ++round) {
    const Network network = testing::random_lowered_network(stream);
    const Target target = random_target(stream);
    const std::unique_ptr<LatencyModel> latency = latency_model_for(target);
    ScheduleChooser chooser({.patch_grids = grids_up_to(2)}, target, latency.get());
    const std::vector<ScheduleChoice> all = chooser.all(network);
    for (const PatchSchedule& schedule :
         {PatchSchedule::layer_by_layer(), all.back().schedule, several_segments(network)}) {
      const NetworkEstimate estimate(network, schedule, target, latency.get());
      const Json report = checked("estimate", estimate_report(estimate, {}));
      const CandidateCosts costs = costs_of(network, schedule, target, latency.get());
      EXPECT_EQ(estimate.costs(), costs);
      EXPECT_EQ(report.at("macs"), costs.macs);
      EXPECT_EQ(report.at("flash_bytes"), costs.flash_bytes);
      EXPECT_EQ(report.at("peak_sram_bytes").at(std::string(to_string(target.memory_model))),
                costs.sram_bytes);
      EXPECT_EQ(parse_patch_schedule(report.at("schedule").dump(), "report"), schedule);
      EXPECT_EQ(report.contains("fits"), has_limits(target));
      EXPECT_EQ(report.value("fits", true), meets_limits(costs, target));
      std::int64_t flash = 0;
      for (const Json& part : report.at("flash")) {
        flash += part.get<std::int64_t>();
      }
      EXPECT_EQ(flash, costs.flash_bytes);
      checked("estimate", estimate_report(estimate, {.assumption = "none",
                                                     .pareto = pareto_front(all),
                                                     .every_schedule = all}));
      checked("schedule", package_report(estimate, {}, "net"));
    }
  }
}

TEST_F(RunReport, WithASearchAndWithoutOne) {
  checked("export", report());
  checked("export", report(std::nullopt));
  config_.target.latency_table = "cortex-m4";
  checked("export", report());
}

TEST(Reports, OfPackagesThatRan) {
  for (const RunTarget target : kRunTargets) {
    const Verification v = verification_on(target, Rounding::kDouble);
    const Json ran = checked("run", figures_report(v.figures));
    const Json verified = checked("verify", verification_report(v));
    for (const auto& [key, value] : ran.items()) {
      EXPECT_EQ(verified.at(key), value) << key;
    }
    EXPECT_EQ(verified.at("sram_bytes"), 1024);
  }
}

TEST_F(RunReport, GetsWhatVerifyMeasured) {
  const TestFolder folder;
  const std::filesystem::path file = folder.path() / "report.json";
  const std::string before = report();
  overwrite(file, before);
  add_to_report(file, verification_on(RunTarget::kHost, Rounding::kDouble));
  add_to_report(file, verification_on(RunTarget::kCortexM4, Rounding::kSingle));
  add_to_report(file, verification_on(RunTarget::kCortexM4, Rounding::kSingle));
  Json after = checked("export", contents(file));
  EXPECT_EQ(after.at("verified").size(), 2U);
  EXPECT_EQ(after.at("verified").at("host").at("macs"), 77);
  EXPECT_EQ(after.at("verified").at("cortex-m4-single-rounding").at("layers").size(), 2U);
  after.erase("verified");
  EXPECT_EQ(report_text(after), before);
}

TEST_F(RunReport, MakesTheLastScreen) {
  const std::string screen = last_screen(report(), "report.json", "runs/small/export");
  for (const char* line : {"\nsmall: candidate ", "\n  test accuracy  25.00 % int8, 50.00 % float",
                           "\n  schedule       2 x 2 patches over the stem\n",
                           "\n  executed       in an arena of 1,000 bytes: 100 images",
                           "\n  counted by     deployed, input resident\n"}) {
    EXPECT_NE(screen.find(line), std::string::npos) << line << screen;
  }
}

TEST_F(RunReport, OfAVersionWithoutASchemaMakesTheSameLastScreen) {
  config_.target.max_macs = 123456789;
  const std::string now = report();
  Json old = Json::parse(now);
  old.erase("schema");
  old["flash_bytes"] = {{"total", old.at("flash_bytes")}};
  old["limits"]["max_macs"] = old.at("limits").at("macs");
  old["limits"].erase("macs");
  for (const char* key : {"memory_model", "input"}) {
    old["limits"][key] = Json(old.at(key));
    old.erase(key);
  }
  old["layer_by_layer"] = {{"macs", old.at("macs_layer_by_layer")},
                           {"peak_sram_bytes", old.at("peak_sram_bytes_layer_by_layer")}};
  old.erase("macs_layer_by_layer");
  old.erase("peak_sram_bytes_layer_by_layer");
  EXPECT_EQ(last_screen(old.dump(), "old.json", "e"), last_screen(now, "report.json", "e"));
  const TestFolder folder;
  overwrite(folder.path() / "report.json", old.dump());
  EXPECT_NE(message_of([&] {
              add_to_report(folder.path() / "report.json",
                            verification_on(RunTarget::kHost, Rounding::kDouble));
            }).find("report.json: of a version that had no schema"),
            std::string::npos);
  EXPECT_EQ(contents(folder.path() / "report.json"), old.dump());
}

TEST_F(RunReport, ThatIsNoneIsRefusedInOneLine) {
  const auto message = [](const std::string& text) {
    return message_of([&] { last_screen(text, "r.json", "e"); });
  };
  EXPECT_EQ(message("[1]"), "r.json: not a report: no JSON object");
  EXPECT_EQ(message(R"({"schema":2})"), "r.json: a report of schema 2; this version reads 1");
  for (const char* text : {"", "{", "{}", R"({"schema":1})", R"({"schema":1,"accuracy":[]})"}) {
    EXPECT_EQ(message(text).find("r.json: not a report: "), 0U) << text << message(text);
  }
}

}  // namespace
}  // namespace patchnas
