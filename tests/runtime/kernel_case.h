#pragma once

// One call of a kernel, and how it is written down for run_kernel_cases.c.

#include <array>
#include <cstdint>
#include <vector>

#include "arch/base/random.h"
#include "arch/operator_table.h"
#include "arch/quantized_network.h"
#include "arch/tile_geometry.h"
#include "deploy/reference/litert_arithmetic.h"

namespace patchnas::testing {

struct KernelCase {
  KernelFunction call = KernelFunction::kConvolve;
  Arithmetic arithmetic = Arithmetic::kTfliteMicro;
  Layer layer;
  TensorShape input;
  Rect computed;
  Rect read;         ///< held by the inputs' buffers
  Rect held;         ///< by the output's buffer
  Rect second_read;  ///< held by the second input's buffer
  int placement = 0;
  QuantizedLayer quantised;
  TensorQuantisation in_quantisation;
  TensorQuantisation second_quantisation;
  TensorQuantisation out_quantisation;
  std::array<std::vector<std::int8_t>, 2> values;

  /// What the integer reference computes; the other bytes of the output as run_kernel_cases.c
  /// fills them.
  [[nodiscard]] std::vector<std::int8_t> expected() const;
  void append_to(std::vector<std::int32_t>& words) const;
};

/// Uniform in [low, high].
inline int between(RandomStream& stream, int low, int high) {
  return low + static_cast<int>(stream.below(static_cast<std::uint64_t>(high - low) + 1));
}

/// At random around `interval`, within [0, extent).
Interval widened(const Interval& interval, int extent, RandomStream& stream);
/// A few of `extent` rows or columns, as schedules with cached rows and strips compute, or all.
Interval random_part(int extent, RandomStream& stream);

/// Of a convolution, a pooling, a sum of tensors or a softmax.
KernelCase window_case(KernelFunction call, Arithmetic arithmetic, RandomStream& stream);
/// Of what computes or moves single elements, or interpolates between them.
KernelCase element_case(KernelFunction call, Arithmetic arithmetic, RandomStream& stream);

}  // namespace patchnas::testing
