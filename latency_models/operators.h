#pragma once

// The operators that a network executes under a schedule, as a table of costs is keyed: tiles of
// equal shape are one operator with a count.

#include <compare>
#include <cstdint>
#include <vector>

#include "arch/network.h"
#include "arch/patch_schedule.h"

namespace patchnas {

/// What determines an operator's cost. Border tiles, which read fewer pixels, have keys of their
/// own.
struct OperatorKey {
  LayerKind kind = LayerKind::kConv2d;
  Activation activation = Activation::kNone;
  int kernel_h = 1;
  int kernel_w = 1;
  int stride_h = 1;
  int stride_w = 1;
  int groups = 1;
  TensorShape input;   ///< the rectangle read, clipped at the image border
  TensorShape output;  ///< the rectangle computed
  auto operator<=>(const OperatorKey&) const = default;

  /// Multiply-accumulates of one execution; taps on padding count as any other.
  [[nodiscard]] std::int64_t macs() const;
};

struct OperatorUse {
  int layer = 0;
  OperatorKey key;
  std::int64_t count = 0;  ///< executions in one inference
  auto operator<=>(const OperatorUse&) const = default;
};

/// Sorted by layer, then key.
std::vector<OperatorUse> operator_uses(const Network& network, const PatchSchedule& schedule);

}  // namespace patchnas
