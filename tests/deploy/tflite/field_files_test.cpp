// Files that public projects deploy, in the numbers of their own ends, against what TensorFlow Lite
// Micro's reference kernels gave for them; and what is said of those that are not read.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/reference/arena_executor.h"
#include "deploy/reference/end_numbers.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
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

// Of the one input or output.
std::vector<std::uint8_t> vector_of(const fs::path& model, const std::string& kind) {
  const fs::path stem = model.parent_path() / "vectors" / model.stem();
  const std::vector<std::uint8_t> numbered = read(stem.string() + "." + kind + "0");
  return numbered.empty() ? read(stem.string() + "." + kind) : numbered;
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
    input_ = to_int8(vector_of(model, "in"), network_.input_end, network_.input_quantisation());
    output_ = vector_of(model, "out");
    ASSERT_FALSE(output_.empty());
  }

  std::vector<std::uint8_t> given(const std::vector<std::int8_t>& output) const {
    return from_int8(output, network_.output_end, network_.output_quantisation());
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
  for (const InputMode mode : {InputMode::kResident, InputMode::kStreamed}) {
    for (const PatchSchedule& schedule :
         {PatchSchedule::layer_by_layer(), testing::random_schedule(shapes, stream)}) {
      const ArenaExecutor executor(network_, schedule, mode);
      std::vector<std::int8_t> arena(static_cast<std::size_t>(executor.plan().arena_bytes));
      EXPECT_EQ(given(executor.run(image_source(input_, shapes.input), arena, DeadBytes::kPoison)),
                output_)
          << to_json(schedule);
    }
  }
}

TEST_P(FieldFile, HasTheSameLayersWhenItIsEstimated) {
  const fs::path model = shared_file(GetParam());
  EXPECT_EQ(import_tflite_structure_file(model).network, network_.network);
}

INSTANTIATE_TEST_SUITE_P(
    Recorded, FieldFile,
    ::testing::Values(
        "field/arm_cnn_m", "field/arm_ds_cnn_s", "field/arm_har_int8",
        "field/ei_mobilenetv2_a01_96", "field/emlearn_mnist_cnn", "field/mlperf_ad01_int8",
        "field/mlperf_streaming_wakeword", "field/mlperf_v01_vww_grey_keras",
        "field/openmv_fomo_face", "field/openmv_force_int_quant", "field/openmv_yolo_lc_192",
        "field/st_mobilenet_v1_025_96", "field/st_resnet_v1_8_32", "field/st_stmnist_v1",
        "field/tflm_hello_world_int8", "field/tflm_micro_speech", "field/tflm_person_detect",
        "models/mcunet-10fps_vww", "models/mcunet-256kb-1mb_imagenet",
        "models/mcunet-320kb-1mb_imagenet", "models/mcunet-320kb-1mb_vww",
        "models/mcunet-512kb-2mb_imagenet", "models/mcunet-5fps_vww", "models/mlperf_resnet8_int8",
        "models/mlperf_vww_96_int8", "models/tinyengine_vww_int8"),
    [](const auto& name) { return test_name(name.param); });

struct Refused {
  const char* name;
  const char* obstacles;
};

class RefusedFieldFile : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedFieldFile, NamesItsObstacles) {
  const fs::path model = shared_file(GetParam().name);
  if (!fs::exists(model)) {
    GTEST_SKIP() << "there is no " << model;
  }
  try {
    import_tflite_file(model);
    FAIL() << "it is read now: compare it with its vectors";
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()),
              model.string() + ": cannot be run: " + GetParam().obstacles);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Recorded, RefusedFieldFile,
    ::testing::Values(
        Refused{"field/emza_ssd_slim",
                "not supported: 2 x CONCATENATION (first: operator 54, tensor 142 "
                "'model/concatenate/concat'); has 2 outputs, only one is supported"},
        Refused{"field/nxp_yolo_face",
                "not supported: 2 x RESIZE_NEAREST_NEIGHBOR (first: operator 18, tensor 104 "
                "'model_1/up_sampling2d/resize/ResizeNearestNeighbor'); has 3 outputs, only one is "
                "supported"},
        Refused{"field/st_gmp_wl_24",
                "not supported: 1 x REDUCE_MAX (operator 3, tensor 11 "
                "'GMP_model/global_max_pooling2d/Max')"},
        Refused{"field/st_miniresnetv2_1stack",
                "not supported: 3 x MUL (first: operator 4, tensor 28 "
                "'model/conv2_block1_preact_bn/FusedBatchNormV32'); operator 3 MAX_POOL_2D, tensor "
                "27 'model/pool1_pool/MaxPool': takes the maximum with the zeros of a PAD "
                "operator, which is only supported where no value can be negative, as behind RELU; "
                "3 x ADD: adds a constant, which is not supported (first: operator 5, tensor 29 "
                "'model/conv2_block1_preact_relu/Relu;model/conv2_block1_preact_bn/"
                "FusedBatchNormV3')"},
        Refused{"field/st_squeezenet_v11_128",
                "not supported: 8 x CONCATENATION (first: operator 6, tensor 60 "
                "'squeezenet/fire2/concat/concat')"},
        Refused{"field/tflm_add_two_inputs", "has 2 inputs, only one is supported"},
        Refused{"field/tflm_id_model_leaky",
                "not supported: 42 x LEAKY_RELU (first: operator 2, tensor 100 "
                "'emb-only-model/emb-custom/b0_c0.3_relu/LeakyRelu'), 1 x RESIZE_NEAREST_NEIGHBOR "
                "(operator 107, tensor 205 "
                "'emb-only-model/emb-custom/tf.image.resize/resize/ResizeNearestNeighbor'), 1 x "
                "CONCATENATION (operator 114, tensor 212 "
                "'emb-only-model/emb-custom/concatenate/concat')"},
        Refused{"field/tinyengine_detection",
                "not supported: 2 x RESIZE_NEAREST_NEIGHBOR (first: operator 37, tensor 123 "
                "'fuse_transform_37'); has 3 outputs, only one is supported"}),
    [](const auto& file) { return test_name(file.param.name); });

}  // namespace
}  // namespace patchnas
