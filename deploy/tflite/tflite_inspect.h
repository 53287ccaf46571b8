#pragma once

// What a .tflite file is, whether it can be run or not.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/quantized_network.h"

namespace patchnas {

/// A tensor as the file declares it.
struct DeclaredTensor {
  std::string name;
  std::string type;  ///< "int8"
  std::vector<int> dimensions;
  std::optional<TensorQuantisation> quantisation{};  ///< where it has one scale
  std::int64_t bytes = 0;
};

struct OperatorCount {
  std::string name;  ///< "CONV_2D"
  int count = 0;
  bool is_read = false;  ///< by our importer, in some form
};

struct TfliteInspection {
  std::vector<DeclaredTensor> inputs, outputs;
  std::vector<OperatorCount> operators;  ///< most frequent first
  DeclaredTensor largest;                ///< of those that are no constants
  std::vector<std::string> obstacles;    ///< to running it, a line each
};

/// @throws InputError for files that are no .tflite files, or damaged.
TfliteInspection inspect_tflite(std::span<const std::uint8_t> bytes, const std::string& source);

}  // namespace patchnas
