#pragma once

// The operators that a network executes under a schedule, as a latency table is keyed: one call of
// one kernel on one tile. Tiles that cost the same are one operator with a count.
//
//   for (const OperatorUse& use : operator_uses(network, plan))
//     cycles += use.count * table.at(use.key);

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/execution_plan.h"
#include "arch/network.h"
#include "arch/operator_table.h"
#include "arch/tile_geometry.h"

namespace patchnas {

/// What determines the cost of one call along one axis, rows or columns.
struct OperatorAxis {
  int output = 1;  ///< positions computed
  int input = 1;   ///< positions read, clipped at the image border
  int pad = 0;     ///< taps of the first window that lie before the image
  auto operator<=>(const OperatorAxis&) const = default;

  /// Taps of the last window behind the image.
  [[nodiscard]] int pad_after(int kernel, int stride) const {
    return (output - 1) * stride + kernel - pad - input;
  }
};

/// What determines the cost of one call apart from its tile.
struct OperatorFamily {
  KernelFunction kernel = KernelFunction::kConvolve;
  int kernel_h = 1;
  int kernel_w = 1;
  int stride_h = 1;
  int stride_w = 1;
  int input_channels = 1;  ///< of one group
  int output_channels = 1;
  bool over_input = false;  ///< of a depthwise layer: where its output lies decides how it computes
  auto operator<=>(const OperatorFamily&) const = default;
};

/// Pointwise convolutions, fully connected layers, softmax and moves have no rows where their
/// pixels lie side by side in memory: rows.output is then 1. Activations have no part in it: a
/// clamp that is narrower than int8 costs little, and networks that we quantise have none.
struct OperatorKey {
  OperatorFamily family;
  OperatorAxis rows, cols;
  auto operator<=>(const OperatorKey&) const = default;

  /// Multiply-accumulates of one execution; taps on padding count as any other.
  [[nodiscard]] std::int64_t macs() const;
  /// Bytes read of the input and written of the output; of two inputs both.
  [[nodiscard]] std::int64_t bytes_moved() const;
};

/// "convolve", "depthwise_over_input": what tables and the measuring firmware call it.
std::string name_of(const OperatorFamily& family);
/// "convolve 3x3 2x2 1x1 27x27x3 14x14x16": kernel, window, stride, padding before, input, output.
std::string to_string(const OperatorKey& key);
/// Inverse of to_string().
/// @throws InputError with `source` if the text is no operator, or none that a kernel can execute.
OperatorKey parse_operator_key(std::string_view text, const std::string& source);

/// Tiles of a layer that are the same along one axis.
struct AxisUse {
  OperatorAxis axis;
  /// Whether a row of the tile is a whole row of the windows that it is read from and written to,
  /// as far as the kernel cares; columns only.
  bool is_whole_row = true;
  int count = 0;
};

/// How a layer is executed: every row tile with every column tile.
struct LayerOperators {
  OperatorFamily family;
  std::vector<AxisUse> rows, cols;

  /// Of one row use and one column use.
  [[nodiscard]] OperatorKey key(const AxisUse& row, const AxisUse& col) const;
};

/// A tile along one axis: of one layer and axis, equal numbers are equal uses.
using TileNumber = std::uint64_t;

/// Lists the operators of one network's layers.
class OperatorLister {
 public:
  OperatorLister() = default;
  explicit OperatorLister(const Network& network) { assign(network); }
  /// Another network, in the same memory; it must be valid and stay as it is.
  void assign(const Network& network);

  /// A layer outside all segments, which runs once.
  void list(int layer, LayerOperators& operators) const;
  /// A layer of the segment that `geometry` is of.
  void list(int layer, const SegmentGeometry& geometry, LayerOperators& operators) const;
  /// Of a layer of the segment, the tiles along one axis in which it computes anything.
  /// @param is_summed whether it computes what the segment adds up, though the geometry ends there
  /// @param reads_whole whether its input comes from outside, though the geometry begins before
  [[nodiscard]] std::vector<AxisUse> uses(int layer, const SegmentGeometry& geometry, Axis axis,
                                          bool is_summed = false, bool reads_whole = false) const;
  /// Appends the numbers of all tiles along an axis: what list() and uses() find depends on nothing
  /// else but the family.
  void number_tiles(int layer, const SegmentGeometry& geometry, Axis axis,
                    std::vector<TileNumber>& numbers, bool is_summed = false,
                    bool reads_whole = false) const;

  /// Of a layer whose output lies apart.
  [[nodiscard]] const OperatorFamily& family(int layer) const {
    return families_[static_cast<std::size_t>(layer)];
  }
  /// Whether it is a depthwise layer whose output lies over its input.
  /// @param geometry of the segment that the layer is in; null outside segments
  [[nodiscard]] bool lies_over_input(int layer, const SegmentGeometry* geometry) const {
    return family(layer).kernel == KernelFunction::kDepthwise &&
           step_of(*network_, taps_, layer, geometry).dying_input >= 0;
  }
  /// Whether a layer outside segments is a call at all.
  [[nodiscard]] bool runs(int layer) const {
    return step_of(*network_, taps_, layer, nullptr).runs;
  }
  [[nodiscard]] const Network& network() const { return *network_; }
  /// Of the network, for geometries of its segments.
  [[nodiscard]] const NetworkTaps& taps() const { return taps_; }

 private:
  void start(int layer, const SegmentGeometry* geometry, LayerOperators& operators) const;
  [[nodiscard]] AxisUse tile_use(int layer, const SegmentGeometry& geometry, Axis axis, int index,
                                 bool is_summed = false, bool reads_whole = false) const;

  const Network* network_ = nullptr;
  NetworkTaps taps_;
  std::vector<OperatorFamily> families_;
};

/// Of a part, and of the end, of a layer that is added up as its input comes.
OperatorKey part_of_sum(const Network& network, int layer, int rows, int cols);
OperatorKey end_of_sum(const Network& network, int layer);

/// Of a kernel that has no windows but pixels that it reads and writes one by one.
OperatorKey plain_key(KernelFunction kernel, int rows, int cols, int channels);

/// A few of each size, for a kernel that no network at hand calls: so that the cost of others can
/// be predicted.
std::vector<OperatorKey> typical_operators(KernelFunction kernel);

struct OperatorUse {
  int layer = 0;
  OperatorKey key;
  std::int64_t count = 0;  ///< executions in one inference
  auto operator<=>(const OperatorUse&) const = default;
};

/// Sorted by layer, then key.
/// @param plan of the network
std::vector<OperatorUse> operator_uses(const Network& network, const ExecutionPlan& plan);

}  // namespace patchnas
