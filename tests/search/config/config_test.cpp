#include "search/config/config.h"

#include "tests/search/support.h"

namespace patchnas {
namespace {

Config parse(const std::string& text) {
  return parse_config(YamlReader::parse_text(text, "c.yaml"), "default");
}

std::string error_with(const std::string& assignment) {
  return message_of([&] {
    YamlReader reader = YamlReader::parse_text(kSmallConfig, "c.yaml");
    reader.assign(assignment);
    parse_config(std::move(reader), "default");
  });
}

TEST(Config, DefaultsAreThePublishedOnes) {
  Config config = small_config();
  EXPECT_EQ(config.training.largest.batch_size, 1024);
  EXPECT_EQ(config.training.largest.learning_rate, 0.2);
  EXPECT_EQ(config.training.supernet.epochs, 2 * config.training.largest.epochs);
  EXPECT_EQ(config.training.subnets_per_step, 4);
  EXPECT_EQ(config.training.recipe, TrainingRecipe::kMcunetV2);
  EXPECT_EQ(config.training.finetune_distillation, 0.0);
  EXPECT_EQ(config.training.finetune.learning_rate, config.training.largest.learning_rate / 10);
  EXPECT_EQ(config.training.quantisation_aware.epochs, 10);
  EXPECT_EQ(config.training.quantisation_aware.learning_rate,
            config.training.finetune.learning_rate / 10);
  EXPECT_EQ(config.training.quantisation_aware, TrainingPlan{}.quantisation_aware);
  EXPECT_EQ(config.calibration.images, 500);
  EXPECT_EQ(config.recalibration.batches * config.recalibration.batch_size, 20 * 64);
  const EvolutionSettings published{};
  EXPECT_EQ(published.population, 100);
  EXPECT_EQ(published.parents, 20);
  EXPECT_EQ(published.crossover + published.mutation, 100);
  EXPECT_EQ(published.iterations, 30);
}

TEST(Config, DataOfEveryKindReadsBackEqual) {
  for (const std::string_view& kind : kDataKindNames) {
    Config config = small_config();
    config.data.kind = static_cast<DataKind>(&kind - kDataKindNames);
    config.data.crop_ratio = 0.8;
    config.data.cache = "a folder";
    config.data.cache_bytes = std::int64_t{3} << 30;
    config.data.max_corrupt_images = 3;
    config.data.workers = 5;
    config.data.augmentation = {.shift_pixels = 3,
                                .flip = false,
                                .random_crop = CropRange{0.1, 0.9, 0.5, 2.0},
                                .brightness = 0.125,
                                .contrast = 0.25,
                                .saturation = 0.5,
                                .cutout_pixels = 8};
    if (config.data.kind == DataKind::kImageFolder) {
      config.data.training_folder = "a b";
      config.data.test_folder = "c";
    }
    if (config.data.kind == DataKind::kVisualWakeWords) {
      config.data.annotations = {"x.json", "y z.json"};
      config.data.image_folders = {"images"};
      config.data.test_ids = "ids.txt";
    }
    EXPECT_EQ(parse(to_yaml(config)), config) << kind;
    config.data.augmentation.random_crop.reset();
    EXPECT_EQ(parse(to_yaml(config)), config) << kind;
  }
}

TEST(Config, ResolvedYamlReadsBackEqual) {
  Config config = small_config();
  EXPECT_EQ(parse(to_yaml(config)), config);
  config.data.path = "a \"quoted\" \\ folder";
  config.data.augmentation.flip = false;
  config.target = {.sram_bytes = 12345,
                   .flash_bytes = 3 << 20,
                   .memory_model = MemoryModel::kMcunetV2,
                   .input = InputMode::kStreamed,
                   .core = Core::kCortexM55};
  EXPECT_EQ(parse(to_yaml(config)), config);
  config.target.clock_mhz = 216;
  config.target.instructions_per_cycle = 1.05;
  config.target.latency = 12345678.5;
  config.target.latency_table = "tables/a board.txt";
  config.target.max_macs = 4400000;
  config.training.finetune.learning_rate = 1.0 / 3.0;
  config.training.finetune.ema_decay = 0.999;
  config.training.supernet.clip_norm = 1.5;
  config.training.recipe = TrainingRecipe::kStandalone;
  config.training.architecture = smallest(config.space);
  config.training.teacher = "/a run/of \"mine\"";
  config.training.finetune_distillation = 0.5;
  config.training.finetune_on_validation = true;
  config.training.inplace_distillation = 0.25;
  config.training.precision = Precision::kMixed;
  config.training.evaluate_every_epochs = 0.5;
  config.training.evaluation_images = 77;
  config.training.quantisation_aware.epochs = 0;
  config.calibration = {.images = 7, .rule = {CalibrationMethod::kMse, 99.5}};
  config.device = DeviceChoice::kCuda;
  config.checkpoint_every_seconds = 0.1;
  EXPECT_EQ(parse(to_yaml(config)), config);
}

Target target_with(const std::string& lines) {
  std::string text(kSmallConfig);
  const std::size_t begin = text.find("target:");
  text.replace(begin, text.find('\n', begin) - begin, "target: {" + lines + "}");
  return parse(text).target;
}

TEST(Config, TheIdentityOfARunIsNotItsPlace) {
  const Config config = small_config();
  Config moved = config;
  moved.name = "another";
  moved.output = "/elsewhere";
  moved.threads = 7;
  moved.device = DeviceChoice::kCuda;
  moved.data.path = "/data";
  moved.data.cache = "/cache";
  EXPECT_EQ(run_identity(moved), run_identity(config));
  Config other = config;
  ++other.seed;
  EXPECT_NE(run_identity(other), run_identity(config));
  other = config;
  other.training.supernet.learning_rate *= 2.0;
  EXPECT_NE(run_identity(other), run_identity(config));
}

TEST(Config, ADeviceSaysWhatATargetDoesNot) {
  const Target device = target_with("device: stm32h743");
  EXPECT_EQ(device.sram_bytes, 512 * 1024);
  EXPECT_EQ(device.core, Core::kCortexM7);
  EXPECT_EQ(device.clock_mhz, 480.0);
  EXPECT_EQ(device.latency_table, "");
  const Target smaller = target_with("device: stm32h743, sram_bytes: 64KiB, latency: 50ms");
  EXPECT_EQ(smaller.sram_bytes, 64 * 1024);
  EXPECT_EQ(smaller.flash_bytes, device.flash_bytes);
  EXPECT_DOUBLE_EQ(smaller.latency, 50e-3 * 480e6 * 1.05);
  EXPECT_EQ(smaller.latency_table, "cortex-m7");
}

TEST(Config, EveryShippedDeviceIsOne) {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(PATCHNAS_SOURCE_DIR) + "/configs/targets")) {
    const Target target = target_with("device: " + entry.path().stem().string());
    EXPECT_GT(target.clock_mhz, 0.0) << entry.path();
    ++count;
  }
  EXPECT_GT(count, 3);
}

TEST(Config, MacsAreANumber) {
  const std::string memory = "sram_bytes: 64KiB, flash_bytes: 1MiB";
  EXPECT_EQ(target_with(memory).max_macs, kNoLimit);
  EXPECT_EQ(target_with(memory + ", max_macs: 4.4M").max_macs, 4400000);
  EXPECT_EQ(target_with(memory + ", max_macs: 4400000").max_macs, 4400000);
  for (const char* bad : {"few", "-3", "0.1", "4.4k", "50ms", "1e30"}) {
    EXPECT_NE(message_of([&] {
                target_with(memory + ", max_macs: " + bad);
              }).find("is no number of MACs; allowed: as 4400000 or 4.4M"),
              std::string::npos)
        << bad;
  }
}

TEST(ConfigErrors, LatencyIsATimeOrACost) {
  const std::string memory = "sram_bytes: 64KiB, flash_bytes: 1MiB, ";
  EXPECT_EQ(target_with(memory + "latency: 2.5M").latency, 2.5e6);
  EXPECT_EQ(target_with(memory + "latency: 24000000").latency, 24e6);
  EXPECT_EQ(target_with(memory + "latency: 24000000").latency_table, "cortex-m4");
  const auto why = [&](const std::string& lines) {
    return message_of([&] { target_with(memory + lines); });
  };
  EXPECT_NE(why("latency: 50ms").find("milliseconds need the clock"), std::string::npos);
  EXPECT_NE(why("latency: soon").find("'soon' is no latency; allowed: as 50ms"), std::string::npos);
  EXPECT_NE(why("latency: -3").find("is no latency"), std::string::npos);
  EXPECT_NE(why("latency: 5, latency_table: \"\"").find("needs a table"), std::string::npos);
  EXPECT_NE(why("device: stm32f000").find("stm32f000: no such device; "), std::string::npos);
}

TEST(Config, ShippedConfigurationsReadBackEqual) {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(PATCHNAS_SOURCE_DIR) + "/configs")) {
    if (entry.path().extension() == ".yaml") {
      const Config config = read_config(entry.path().string(), {});
      EXPECT_EQ(config.name, entry.path().stem().string());
      EXPECT_EQ(parse(to_yaml(config)), config) << entry.path();
      ++count;
    }
  }
  EXPECT_GE(count, 2);
}

TEST(Config, SetOverrides) {
  YamlReader reader = YamlReader::parse_text(kSmallConfig, "c.yaml");
  reader.assign("training.finetune.epochs=7");
  reader.assign("target.sram_bytes=20KiB");
  const Config config = parse_config(std::move(reader), "default");
  EXPECT_EQ(config.training.finetune.epochs, 7);
  EXPECT_EQ(config.target.sram_bytes, 20 * 1024);
}

TEST(Config, QuantisationAwareTrainingFollowsFineTuning) {
  YamlReader reader = YamlReader::parse_text(kSmallConfig, "c.yaml");
  reader.assign("training.finetune.batch_size=96");
  reader.assign("training.finetune.learning_rate=0.5");
  reader.assign("training.quantisation_aware.weight_decay=0.25");
  const TrainingSettings settings =
      parse_config(std::move(reader), "default").training.quantisation_aware;
  EXPECT_EQ(settings.batch_size, 96);
  EXPECT_EQ(settings.learning_rate, 0.05);
  EXPECT_EQ(settings.weight_decay, 0.25);
}

TEST(Config, TheFileNamesTheRunUnlessItHasAName) {
  EXPECT_EQ(small_config().name, "small");
  YamlReader reader = YamlReader::parse_text(
      std::string(kSmallConfig).substr(std::string("name: small\n").size()), "x");
  EXPECT_EQ(parse_config(std::move(reader), "vww_32kb").name, "vww_32kb");
}

TEST(ConfigErrors, NameTheKeyAndWhatIsAllowed) {
  EXPECT_EQ(error_with("search.populaton=5"),
            "--set search.populaton=5: search.populaton: unknown key; did you mean 'population'?");
  EXPECT_EQ(error_with("search.population=many"),
            "--set search.population=many: search.population: must be a whole number, not 'many'");
  EXPECT_EQ(
      error_with("search.mutation_rate=1.5"),
      "--set search.mutation_rate=1.5: search.mutation_rate: 1.5 is out of range; allowed: 0 to 1");
  EXPECT_EQ(error_with("device=gpu"),
            "--set device=gpu: device: 'gpu' is unknown; allowed: auto, cpu, cuda");
  EXPECT_EQ(error_with("calibration.method=max"),
            "--set calibration.method=max: calibration.method: 'max' is unknown; allowed: min_max, "
            "percentile, mse");
  EXPECT_EQ(error_with("target.memory_model=tflite"),
            "--set target.memory_model=tflite: target.memory_model: 'tflite' is unknown; allowed: "
            "deployed, mcunetv2, tflm");
  EXPECT_EQ(error_with("target.core=cortex-m3"),
            "--set target.core=cortex-m3: target.core: 'cortex-m3' is unknown; allowed: "
            "cortex-m4, cortex-m7, cortex-m55");
  EXPECT_EQ(error_with("target.sram_bytes=32k"),
            "--set target.sram_bytes=32k: target.sram_bytes: must be a number of bytes, as 65536, "
            "64KiB, 0.5MiB or 1GiB, not "
            "'32k'");
  EXPECT_EQ(error_with("name=../elsewhere"),
            "--set name=../elsewhere: name: '../elsewhere' cannot name a folder; allowed: letters, "
            "digits, '_', '-' and "
            "'.', not first");
}

TEST(ConfigErrors, GroupsAreNotTrained) {
  std::string text(kSmallConfig);
  text.insert(text.find(", widths: [16, 24]"), ", groups: 4");
  EXPECT_EQ(message_of([&] { parse(text); }),
            "c.yaml:11:88: space.stages[1].groups: 4 can be estimated, not trained; allowed: 1");
}

TEST(ConfigErrors, NameFileLineAndColumn) {
  const std::string text(kSmallConfig);
  EXPECT_EQ(message_of([&] { parse(text + "sead: 3\n"); }),
            "c.yaml:15:1: sead: unknown key; did you mean 'seed'?");
  EXPECT_EQ(message_of([&] { parse(text + "seed: -3\n"); }).substr(0, 39),
            "c.yaml:15:7: seed: -3 is out of range; ");
  EXPECT_EQ(message_of([&] { parse("name: x\n"); }), "c.yaml:1:1: data: is missing");
  EXPECT_EQ(message_of([&] { parse("name: [x\n"); }).substr(0, 7), "c.yaml:");
}

TEST(ConfigErrors, AMissingFileIsSaidWithThoseThatThereAre) {
  const std::string message = message_of([] { read_config("no_such_config.yaml", {}); });
  EXPECT_EQ(message.find("no_such_config.yaml: no such configuration; there are cifar10_64kb, "),
            0U)
      << message;
}

TEST(FirstDifference, NamesTheKey) {
  const Config a = small_config();
  EXPECT_EQ(first_difference(a, a), "");
  Config b = a;
  b.training.finetune.epochs = 3;
  EXPECT_EQ(first_difference(a, b), "training.finetune.epochs: 10 and 3");
  b = a;
  b.space.stages[1].depths = {1};
  EXPECT_EQ(first_difference(a, b).find("space.stages: - {stride: 2, depth: [1, 2]"), 0U)
      << first_difference(a, b);
}

}  // namespace
}  // namespace patchnas
