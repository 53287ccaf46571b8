// Published int8 networks as the float networks that they stand for, quantised again by us.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "deploy/float/float.h"
#include "deploy/quantise/prepare_for_int8.h"
#include "deploy/quantise/quantise.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/random_float.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

struct File {
  const char* name;
  int samples;
};

class QuantisedFile : public ::testing::TestWithParam<File> {};

template <typename T>
std::ptrdiff_t largest(const std::vector<T>& values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

// All int8 values equally often, some inputs brighter or of less contrast than others.
std::vector<float> inputs_of(const QuantizedNetwork& network, int count, RandomStream& stream) {
  std::vector<float> samples;
  for (int i = 0; i < count; ++i) {
    const double contrast = 0.2 + 0.8 * stream.uniform();
    const double middle = (1 - contrast) * (stream.uniform() - 0.5);
    for (TensorId input = 0; input < network.network.input_count(); ++input) {
      const TensorQuantisation& q = network.tensors[static_cast<std::size_t>(input)];
      for (std::int64_t e = network.network.shape(input).elements(); e > 0; --e) {
        const double value = middle + contrast * (stream.uniform() - 0.5);
        samples.push_back(q.scale * static_cast<float>(std::floor(value * 255) - q.zero_point));
      }
    }
  }
  return samples;
}

struct Requantised {
  FloatNetwork network;
  QuantizedNetwork quantised;
  std::vector<float> samples;  // others than it was calibrated on
};

Requantised requantised(const QuantizedNetwork& given, int count, RandomStream& stream) {
  Requantised result;
  result.network = prepare_for_int8(testing::dequantised(given), {});
  const auto ranges =
      calibrated_ranges(result.network, inputs_of(given, count, stream), CalibrationRule{});
  result.quantised = quantise(result.network, ranges, {});
  result.samples = inputs_of(given, count, stream);
  return result;
}

fs::path shared_file(const std::string& name) {
  return testing::shared_models().parent_path() / (name + ".tflite");
}

TEST_P(QuantisedFile, ChoosesAsItsFloatNetworkDoes) {
  const auto [name, count] = GetParam();
  const fs::path path = shared_file(name);
  if (!fs::exists(path)) {
    GTEST_SKIP() << "there is no " << path;
  }
  RandomStream stream(71, name);
  const Requantised made = requantised(import_tflite_file(path), count, stream);
  const FloatExecutor executor(made.network);
  int equal = 0;
  std::set<std::ptrdiff_t> chosen;
  for (int i = 0; i < count; ++i) {
    const auto sample = executor.sample(made.samples, i);
    const std::vector<float> real = outputs_of(made.network.network, executor.run(sample));
    const auto stored = run_layer_by_layer(made.quantised, int8_inputs(made.quantised, sample));
    equal += largest(real) == largest(stored) ? 1 : 0;
    chosen.insert(largest(real));
  }
  EXPECT_GE(equal, 0.95 * count);
  EXPECT_GT(chosen.size(), 1U) << "the samples say too little";
}

INSTANTIATE_TEST_SUITE_P(
    Classifiers, QuantisedFile,
    ::testing::Values(File{"field/arm_cnn_m", 40}, File{"field/arm_ds_cnn_s", 40},
                      File{"field/arm_har_int8", 60}, File{"field/emlearn_mnist_cnn", 100},
                      File{"field/mlperf_streaming_wakeword", 60}, File{"field/st_gmp_wl_24", 200},
                      File{"field/st_miniresnetv2_1stack", 10}, File{"field/st_resnet_v1_8_32", 20},
                      File{"field/st_stmnist_v1", 60}, File{"field/tflm_micro_speech", 100}));

class QuantisedGraphFile : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantisedGraphFile, KeepsTheSignalOfEveryOutput) {
  const fs::path path = shared_file(GetParam());
  if (!fs::exists(path)) {
    GTEST_SKIP() << "there is no " << path;
  }
  RandomStream stream(72, GetParam());
  const Requantised made = requantised(import_tflite_file(path), 4, stream);
  const auto noise = layer_noise(made.network, made.quantised, made.samples);
  for (const TensorId output : made.network.network.output_tensors()) {
    EXPECT_GT(noise[static_cast<std::size_t>(output) - 1].decibels(), 20);
  }
}

INSTANTIATE_TEST_SUITE_P(Several, QuantisedGraphFile,
                         ::testing::Values("field/emza_ssd_slim", "field/nxp_yolo_face",
                                           "field/tinyengine_detection",
                                           "field/tflm_add_two_inputs"));

}  // namespace
}  // namespace patchnas
