#pragma once

// An output of a network as a classifier's answer.
//
//   const ClassScores scores(network, /*output=*/"");
//   const int answer = scores.answer(outputs);

#include <cstdint>
#include <span>
#include <string>

#include "arch/quantized_network.h"

namespace patchnas {

/// One number a class, the largest is the answer, of equal ones the first. A single number is the
/// probability of the second of two classes.
class ClassScores {
 public:
  /// @param output the layer that writes it, by its name; empty: the first output of more than one
  ///        value, or without one the first
  /// @throws InputError with the outputs that there are, if there is none of that name.
  ClassScores(const QuantizedNetwork& network, const std::string& output);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int classes() const { return values_ == 1 ? 2 : values_; }
  /// For people: "'Identity', 10 values, the largest is the answer".
  [[nodiscard]] std::string description() const;

  /// @param outputs of the network for one image, one after the other
  [[nodiscard]] int answer(std::span<const std::int8_t> outputs) const;
  /// How many classes come before this one: 0 for the answer.
  [[nodiscard]] int rank(std::span<const std::int8_t> outputs, int class_index) const;

 private:
  std::string name_;
  std::size_t first_ = 0;
  int values_ = 0;
  TensorQuantisation quantisation_;
};

}  // namespace patchnas
