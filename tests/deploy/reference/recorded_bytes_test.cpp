// Every operator against bytes that TensorFlow Lite Micro's reference kernels gave (commit
// 90b983c2b, x86-64; built as it is by default, and with TFLITE_SINGLE_ROUNDING): a name and the
// output in hexadecimal digits a line. make_operator_cases writes the files that it was given.

#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/operator_cases.h"

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

void expect_recorded(const std::string& name_of_file, Arithmetic arithmetic) {
  const std::map<std::string, std::string> recorded = recorded_bytes(name_of_file);
  const std::vector<testing::OperatorCase> cases = testing::operator_cases();
  ASSERT_EQ(recorded.size(), cases.size());
  for (const auto& [name, network, input] : cases) {
    ASSERT_TRUE(recorded.contains(name)) << name;
    EXPECT_EQ(hexadecimal(run_layer_by_layer(network, input, arithmetic)), recorded.at(name))
        << name;
  }
}

TEST(OperatorBytes, AreTensorFlowLiteMicros) {
  expect_recorded("operator_bytes.txt", Arithmetic::kTfliteMicro);
}

TEST(OperatorBytes, AreTensorFlowLiteMicrosRoundingOnce) {
  expect_recorded("operator_bytes_single_rounding.txt", Arithmetic::kTfliteMicroSingleRounding);
}

// So that the recorded files were about these networks.
TEST(OperatorBytes, AreOfNetworksThatFilesHold) {
  for (const auto& [name, network, input] : testing::operator_cases()) {
    QuantizedNetwork imported = import_tflite(export_tflite(network), name);
    imported.network.names.clear();
    EXPECT_TRUE(imported == network) << name;
  }
}

}  // namespace
}  // namespace patchnas
