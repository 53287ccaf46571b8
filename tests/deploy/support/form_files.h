#pragma once

// What the tests of forms that converters write have in common.

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/float_twin.h"

namespace patchnas::testing {

using File = std::vector<std::uint8_t>;
using Values = std::vector<std::int8_t>;

inline constexpr TensorQuantisation kIn{0.02F, 3};
inline constexpr TensorQuantisation kOut{0.11F, -7};

inline Values run(const File& file, const Values& input) {
  expect_float_twin(file);
  return run_layer_by_layer(import_tflite(file, "form"), input);
}

/// "" for a file that is read.
inline std::string error_of(const File& file) {
  try {
    import_tflite(file, "form.tflite");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

inline void expect_round_trip(const File& file) {
  const QuantizedNetwork network = import_tflite(file, "form");
  EXPECT_EQ(import_tflite(export_tflite(network), "form again"), network);
}

}  // namespace patchnas::testing
