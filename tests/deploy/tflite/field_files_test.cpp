// Files that public projects deploy, in the numbers of their own ends, against what TensorFlow Lite
// Micro's reference kernels gave for them.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "deploy/reference/arena_executor.h"
#include "deploy/reference/end_numbers.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/float_twin.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

std::vector<std::uint8_t> read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file),
                                std::istreambuf_iterator<char>()};
  return {bytes.begin(), bytes.end()};
}

// Of all inputs, or outputs, one after the other.
std::vector<std::uint8_t> vectors_of(const fs::path& model, const std::string& kind) {
  const std::string stem = (model.parent_path() / "vectors" / model.stem()).string();
  std::vector<std::uint8_t> all = read(stem + "." + kind);
  for (int i = 0; all.empty() || i > 0; ++i) {
    const std::vector<std::uint8_t> one = read(stem + "." + kind + std::to_string(i));
    if (one.empty()) {
      break;
    }
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

// "field/tflm_micro_speech"
fs::path shared_file(const std::string& name) {
  return testing::shared_models().parent_path() / (name + ".tflite");
}

std::string test_name(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class FieldFile : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const fs::path model = shared_file(GetParam());
    if (!fs::exists(model)) {
      GTEST_SKIP() << "there is no " << model;
    }
    network_ = import_tflite_file(model);
    const std::vector<std::uint8_t> given_inputs = vectors_of(model, "in");
    ASSERT_EQ(given_inputs.size(), bytes_of(input_formats(network_)));
    input_ = to_int8(given_inputs, input_formats(network_));
    output_ = vectors_of(model, "out");
    ASSERT_EQ(output_.size(), bytes_of(output_formats(network_)));
  }

  std::vector<std::uint8_t> given(const std::vector<std::int8_t>& output) const {
    return from_int8(output, output_formats(network_));
  }

  QuantizedNetwork network_;
  std::vector<std::int8_t> input_;
  std::vector<std::uint8_t> output_;
};

TEST_P(FieldFile, GivesTheRecordedBytes) {
  EXPECT_EQ(given(run_layer_by_layer(network_, input_)), output_);
}

TEST_P(FieldFile, GivesTheRecordedBytesInItsArena) {
  RandomStream stream(81, GetParam());
  const Network& shapes = network_.network;
  const auto image_bytes = static_cast<std::size_t>(shapes.input.elements());
  const std::span<const std::int8_t> image = std::span(input_).first(image_bytes);
  const std::span<const std::int8_t> further = std::span(input_).subspan(image_bytes);
  for (const InputMode mode : {InputMode::kResident, InputMode::kStreamed}) {
    for (const PatchSchedule& schedule :
         {PatchSchedule::layer_by_layer(), testing::random_schedule(shapes, stream)}) {
      const ArenaExecutor executor(network_, schedule, mode);
      std::vector<std::int8_t> arena(static_cast<std::size_t>(executor.plan().arena_bytes));
      EXPECT_EQ(given(executor.run(image_source(image, shapes.input), arena, DeadBytes::kPoison,
                                   further)),
                output_)
          << to_json(schedule);
    }
  }
}

TEST_P(FieldFile, ComesBackEqualWhenItIsWrittenAgain) {
  EXPECT_EQ(import_tflite(export_tflite(network_), "exported"), network_);
}

TEST_P(FieldFile, HasTheSameLayersWhenItIsEstimated) {
  const fs::path model = shared_file(GetParam());
  EXPECT_EQ(import_tflite_structure_file(model).network, network_.network);
}

TEST_P(FieldFile, HasAFloatTwin) { testing::expect_float_twin(read(shared_file(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(
    Recorded, FieldFile,
    ::testing::Values(
        "field/arm_cnn_m", "field/arm_ds_cnn_s", "field/arm_har_int8",
        "field/ei_mobilenetv2_a01_96", "field/emlearn_mnist_cnn", "field/emza_ssd_slim",
        "field/mlperf_ad01_int8", "field/mlperf_streaming_wakeword",
        "field/mlperf_v01_vww_grey_keras", "field/nxp_yolo_face", "field/openmv_fomo_face",
        "field/openmv_force_int_quant", "field/openmv_yolo_lc_192", "field/st_gmp_wl_24",
        "field/st_miniresnetv2_1stack", "field/st_mobilenet_v1_025_96", "field/st_resnet_v1_8_32",
        "field/st_squeezenet_v11_128", "field/st_stmnist_v1", "field/tflm_add_two_inputs",
        "field/tflm_hello_world_int8", "field/tflm_id_model_leaky", "field/tflm_micro_speech",
        "field/tflm_person_detect", "field/tinyengine_detection", "models/mcunet-10fps_vww",
        "models/mcunet-256kb-1mb_imagenet", "models/mcunet-320kb-1mb_imagenet",
        "models/mcunet-320kb-1mb_vww", "models/mcunet-512kb-2mb_imagenet", "models/mcunet-5fps_vww",
        "models/mlperf_resnet8_int8", "models/mlperf_vww_96_int8", "models/tinyengine_vww_int8"),
    [](const auto& name) { return test_name(name.param); });

}  // namespace
}  // namespace patchnas
