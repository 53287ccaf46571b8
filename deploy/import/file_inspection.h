#pragma once

// What a model file is, whether it can be run or not.

#include <cstdint>
#include <optional>
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

struct FileInspection {
  std::vector<DeclaredTensor> inputs, outputs;
  std::vector<OperatorCount> operators;  ///< most frequent first
  DeclaredTensor largest;                ///< of those that are no constants
  std::vector<std::string> obstacles;    ///< to running it, a line each
};

/// Counts one more operator of that name.
void count_operator(std::vector<OperatorCount>& counts, const std::string& name, bool is_read);

/// The most frequent first, equally frequent ones in their order.
void sort_by_count(std::vector<OperatorCount>& counts);

}  // namespace patchnas
