// Flash that the model estimates against packages linked for each core. PATCHNAS_FLASH_PACKAGES=N
// links N random packages instead of a few; how far the estimates were off is printed.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "deploy/package/runtime_sources.h"
#include "deploy/tflite/tflite_import.h"
#include "memory_models/memory_models.h"
#include "tests/deploy/support/compiled_package.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

// Of small packages of random layers the calls weigh more, and vary more, than of published ones.
constexpr double kAllowedOfSmall = 0.04;
constexpr double kAllowedOfPublished = 0.01;

// The flags for which the flash of the kernels was measured.
std::string compiler_of(Core core) {
  const YAML::Node table =
      YAML::LoadFile(std::string(PATCHNAS_SOURCE_DIR) + "/runtime/code_size.yaml");
  return "arm-none-eabi-gcc " + table["flags"].as<std::string>() + " " +
         table["targets"][std::string(to_string(core))]["flags"].as<std::string>();
}

// Packages are linked with all kernels of runtime/ instead of their own, so that those are compiled
// once; what is not needed is left out.
class FlashEstimate : public ::testing::TestWithParam<Core> {
 protected:
  void SetUp() override {
    if (testing::run_command("arm-none-eabi-gcc --version").status != 0) {
      GTEST_SKIP() << "no arm-none-eabi-gcc (Debian: gcc-arm-none-eabi)";
    }
    run(compiler_of(GetParam()) + " -I" PATCHNAS_SOURCE_DIR " -c " PATCHNAS_SOURCE_DIR
                                  "/runtime/*.c");
  }

  void run(const std::string& command) const {
    const auto result = testing::run_command("cd '" + folder_.path().string() + "' && " + command);
    ASSERT_EQ(result.status, 0) << command << '\n' << result.output;
  }

  std::int64_t linked_bytes(CPackage package, const std::string& name) const {
    std::erase_if(package.files,
                  [](const auto& file) { return file.first.starts_with("runtime/"); });
    testing::write_package(package, folder_.path());
    const std::string link = " -nostdlib -Wl,--gc-sections -Wl,--entry=" + name +
                             "_invoke -Wl,--undefined=" + name + "_input -Wl,--undefined=" + name +
                             "_output -o image ";
    run(compiler_of(GetParam()) + " -I. -I" PATCHNAS_SOURCE_DIR " " + link + name + ".c " + name +
        "_weights.c *.o -lgcc");
    const auto size =
        testing::run_command("arm-none-eabi-size '" + (folder_.path() / "image").string() + "'");
    std::istringstream words(size.output.substr(size.output.find('\n')));
    std::int64_t text = 0;
    std::int64_t data = 0;
    words >> text >> data;
    return text + data;
  }

  void TearDown() override {
    if (errors_.empty()) {
      return;
    }
    double squares = 0;
    double worst = 0;
    for (const double error : errors_) {
      squares += error * error;
      worst = std::max(worst, std::abs(error));
    }
    std::cout << to_string(GetParam()) << ": " << errors_.size() << " packages, off by "
              << 100 * std::sqrt(squares / static_cast<double>(errors_.size()))
              << " % (root of the mean square), by at most " << 100 * worst << " %\n";
  }

  void expect_within_allowed(const QuantizedNetwork& network, const PatchSchedule& schedule,
                             InputMode input, const std::string& name, double allowed) {
    const CPackage package = make_c_package(network, schedule, input, name);
    const FlashReport estimate =
        flash_report(network.network, ExecutionPlan(network.network, schedule, input), GetParam());
    const std::int64_t linked = linked_bytes(package, name);
    const double error =
        static_cast<double>(estimate.total_bytes()) / static_cast<double>(linked) - 1.0;
    errors_.push_back(error);
    EXPECT_LE(std::abs(error), allowed)
        << name << ", " << to_json(schedule) << ", " << to_string(input) << ": linked " << linked
        << ", estimated " << estimate.total_bytes();
  }

  testing::TemporaryFolder folder_;
  std::vector<double> errors_;
};

TEST_P(FlashEstimate, OfSmallRandomPackages) {
  RandomStream stream(51, "flash estimate");
  const char* const packages = std::getenv("PATCHNAS_FLASH_PACKAGES");
  const int count = packages != nullptr ? std::atoi(packages) : 20;
  for (int i = 0; i < count; ++i) {
    const QuantizedNetwork network = testing::random_quantised_network(stream);
    const PatchSchedule schedule = testing::random_schedule(network.network, stream);
    const InputMode input = stream.chance(0.5) ? InputMode::kResident : InputMode::kStreamed;
    expect_within_allowed(network, schedule, input, "net" + std::to_string(i), kAllowedOfSmall);
  }
}

TEST_P(FlashEstimate, OfPublishedPackages) {
  if (!std::filesystem::exists(testing::shared_models())) {
    GTEST_SKIP() << "no reference networks in " << testing::shared_models();
  }
  for (const std::string model :
       {"mcunet-10fps_vww", "mcunet-5fps_vww", "mcunet-256kb-1mb_imagenet", "tinyengine_vww_int8",
        "mlperf_vww_96_int8", "mlperf_resnet8_int8"}) {
    const QuantizedNetwork network =
        import_tflite_file(testing::shared_models() / (model + ".tflite"));
    const std::string name = c_package_name(model);
    expect_within_allowed(network, {}, InputMode::kResident, name + "_whole", kAllowedOfPublished);
    expect_within_allowed(network, PatchSchedule::leading({4, 4}, 6), InputMode::kStreamed,
                          name + "_patches", kAllowedOfPublished);
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, FlashEstimate, ::testing::ValuesIn(kCores), [](const auto& core) {
  std::string name(to_string(core.param));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace patchnas
