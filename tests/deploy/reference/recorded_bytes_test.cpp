// Operators and whole networks against bytes that TensorFlow Lite Micro's reference kernels gave
// (commit 90b983c2b, x86-64; built as it is by default, and with TFLITE_SINGLE_ROUNDING and NDEBUG,
// because its assertions then refuse scales below 0): a name and the output in hexadecimal digits a
// line. How they were made: make_recorded_cases wrote the .tflite files and inputs, a program
// around its MicroInterpreter and MicroMutableOpResolver ran each, and make_recorded_cases --record
// printed the lines.

#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "deploy/reference/arena_executor.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "memory_models/memory_models.h"
#include "tests/deploy/support/as_imported.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/deploy/support/recorded_cases.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

std::string hexadecimal(const std::vector<std::int8_t>& bytes) {
  std::string text;
  for (const std::int8_t byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += "0123456789abcdef"[value >> 4];
    text += "0123456789abcdef"[value & 15];
  }
  return text;
}

std::map<std::string, std::string> recorded_bytes(const std::string& name_of_file) {
  std::ifstream file(PATCHNAS_SOURCE_DIR "/tests/deploy/reference/" + name_of_file);
  std::map<std::string, std::string> result;
  std::string name;
  std::string bytes;
  while (file >> name >> bytes) {
    result[name] = bytes;
  }
  return result;
}

void expect_recorded(const std::vector<testing::RecordedCase>& cases,
                     const std::string& name_of_file, Arithmetic arithmetic) {
  const std::map<std::string, std::string> recorded = recorded_bytes(name_of_file);
  ASSERT_EQ(recorded.size(), cases.size());
  for (const auto& [name, network, input] : cases) {
    ASSERT_TRUE(recorded.contains(name)) << name;
    EXPECT_EQ(hexadecimal(run_layer_by_layer(network, input, arithmetic)), recorded.at(name))
        << name;
  }
}

TEST(RecordedBytes, OfOperatorsAreTensorFlowLiteMicros) {
  expect_recorded(testing::operator_cases(), "operator_bytes.txt", Arithmetic::kTfliteMicro);
}

TEST(RecordedBytes, OfOperatorsAreTensorFlowLiteMicrosRoundingOnce) {
  expect_recorded(testing::operator_cases(), "operator_bytes_single_rounding.txt",
                  Arithmetic::kTfliteMicroSingleRounding);
}

void expect_recorded_files(const std::string& name_of_file, Arithmetic arithmetic) {
  const std::map<std::string, std::string> recorded = recorded_bytes(name_of_file);
  const std::vector<testing::FileCase> cases = testing::file_cases();
  ASSERT_EQ(recorded.size(), cases.size());
  for (const auto& [name, file, input] : cases) {
    ASSERT_TRUE(recorded.contains(name)) << name;
    const QuantizedNetwork network = import_tflite(file, name);
    EXPECT_EQ(import_tflite_structure(file, name).network, network.network);
    EXPECT_EQ(hexadecimal(run_layer_by_layer(network, input, arithmetic)), recorded.at(name))
        << name;
  }
}

TEST(RecordedBytes, OfFilesAreTensorFlowLiteMicros) {
  expect_recorded_files("file_bytes.txt", Arithmetic::kTfliteMicro);
}

TEST(RecordedBytes, OfFilesAreTensorFlowLiteMicrosRoundingOnce) {
  expect_recorded_files("file_bytes_single_rounding.txt", Arithmetic::kTfliteMicroSingleRounding);
}

TEST(RecordedBytes, OfFilesAreThoseOfTheFilesWrittenAgain) {
  const std::map<std::string, std::string> recorded = recorded_bytes("file_bytes.txt");
  for (const auto& [name, file, input] : testing::file_cases()) {
    const QuantizedNetwork network = import_tflite(export_tflite(import_tflite(file, name)), name);
    EXPECT_EQ(hexadecimal(run_layer_by_layer(network, input)), recorded.at(name)) << name;
  }
}

TEST(RecordedBytes, OfNetworksAreTensorFlowLiteMicros) {
  expect_recorded(testing::network_cases(), "network_bytes.txt", Arithmetic::kTfliteMicro);
}

TEST(RecordedBytes, OfNetworksAreTensorFlowLiteMicrosRoundingOnce) {
  expect_recorded(testing::network_cases(), "network_bytes_single_rounding.txt",
                  Arithmetic::kTfliteMicroSingleRounding);
}

TEST(RecordedBytes, OfNetworksAreThoseOfEverySchedule) {
  const std::map<std::string, std::string> recorded = recorded_bytes("network_bytes.txt");
  RandomStream stream(92, "schedules of recorded networks");
  int schedules = 0;
  for (const auto& [name, network, input] : testing::network_cases()) {
    ASSERT_TRUE(recorded.contains(name)) << name;
    const ImageSource image = image_source(input, network.network.input);
    for (const PatchSchedule& schedule : testing::all_schedules(network.network, stream)) {
      for (const InputMode mode : kInputModes) {
        const ArenaExecutor executor(network, schedule, mode);
        std::vector<std::int8_t> arena = testing::random_bytes(executor.plan().arena_bytes, stream);
        ASSERT_EQ(hexadecimal(executor.run(image, arena, DeadBytes::kPoison)), recorded.at(name))
            << name << ", " << to_json(schedule) << ", " << to_string(mode);
        ++schedules;
      }
    }
  }
  EXPECT_GT(schedules, 1000);
}

// So that the recorded files were about these networks.
TEST(RecordedBytes, AreOfNetworksThatFilesHold) {
  for (const auto& cases : {testing::operator_cases(), testing::network_cases()}) {
    for (const auto& [name, network, input] : cases) {
      EXPECT_TRUE(import_tflite(export_tflite(network), name) == testing::as_imported(network))
          << name;
    }
  }
}

// A network whose every input ends in the same bytes would prove little.
TEST(RecordedBytes, TellImagesApart) {
  std::map<std::string, std::set<std::string>> outputs;
  for (const auto& [name, bytes] : recorded_bytes("network_bytes.txt")) {
    outputs[name.substr(0, name.rfind('_'))].insert(bytes);
  }
  for (const char* const network : {"inverted_residuals_same", "inverted_residuals_symmetric",
                                    "residuals", "separable", "convolutions_and_maxima"}) {
    EXPECT_GE(outputs[network].size(), 3U) << network;
  }
}

}  // namespace
}  // namespace patchnas
