#include "memory_models/schedule_sweep.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>

#include "arch/base/error.h"
#include "arch/tile_geometry.h"
#include "memory_models/arena_planner.h"
#include "memory_models/flash_model.h"
#include "runtime/scratch.h"

namespace patchnas {
namespace {

using Lane = std::int32_t;

// Lanes are computed a block at a time. A block may begin before the first lane in question and end
// after the last: arrays are padded, and what such lanes hold is never read, only kept bounded.
constexpr int kBlock = 4;
using Block [[gnu::vector_size(kBlock * sizeof(Lane))]] = Lane;

Block load(const Lane* lanes) {
  Block block;
  std::memcpy(&block, lanes, sizeof block);
  return block;
}
void store(Lane* lanes, const Block& block) { std::memcpy(lanes, &block, sizeof block); }
Block least(const Block& a, const Block& b) { return a < b ? a : b; }
Block largest(const Block& a, const Block& b) { return a > b ? a : b; }
Block all(Lane value) { return Block{} + value; }
// Products of lanes that are never read may not fit.
using UnsignedBlock [[gnu::vector_size(sizeof(Block))]] = std::uint32_t;
UnsignedBlock unsigned_block(const Block& block) { return (UnsignedBlock)block; }
Block signed_block(const UnsignedBlock& block) { return (Block)block; }
Block aligned_block(const Block& bytes) {
  constexpr auto kMask = static_cast<Lane>(kArenaAlignmentBytes - 1);
  return (bytes + kMask) & ~kMask;
}
// All ones where the lane is below `end`.
Block lanes_below(int end, int first_lane) { return Block{0, 1, 2, 3} + first_lane < end; }
Block choose(const Block& mask, const Block& yes, const Block& no) {
  return (yes & mask) | (no & ~mask);
}
constexpr int block_begin(int lane) { return lane & -kBlock; }

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Sizes go up and down from grid to grid; what is there already needs no clearing.
template <typename T>
void grow(std::vector<T>& values, std::size_t size) {
  if (values.size() < size) {
    values.resize(size);
  }
}

struct LayerFacts {
  LayerKind kind = LayerKind::kConv2d;
  bool is_pointwise = false;                             // for its kernel
  bool is_addition = false;                              // of two tensors
  std::array<bool, 2> may_overwrite{};                   // which inputs, where windows are equal
  std::array<TensorId, 2> inputs{kNoTensor, kNoTensor};  // the second only if it is another tensor
  std::array<AxisTaps, 2> axes;
  std::int64_t macs_before = 0;  // of the layers before it, executed whole
  // For one pixel, of this layer and of those before it whose windows are its own.
  std::int64_t macs_per_pixel = 0;

  // Reads exactly the pixels that it computes. A pointwise depthwise layer is too rare to gain.
  [[nodiscard]] bool copies_windows() const {
    return kind != LayerKind::kDepthwiseConv2d && axes[0].is_pointwise() && axes[1].is_pointwise();
  }
  [[nodiscard]] bool overwrites_equal_windows() const { return overwrites(Reads::kPosition); }
  [[nodiscard]] bool overwrites_whole_tensors() const { return overwrites(Reads::kAnywhere); }

 private:
  [[nodiscard]] bool overwrites(Reads reads) const {
    const OperatorFacts& facts = operator_facts(kind);
    return facts.in_place == InPlace::kEqualWindow && facts.reads == reads;
  }
};

struct TensorFacts {
  int height = 0;
  int width = 0;
  int channels = 0;
  int first_reader = 0;  // the number of layers where there is none
  int last_reader = 0;
  int readers_begin = 0;  // in readers_, ascending
  int readers_end = 0;
  bool is_output = false;  // of the network
  // Schedules that split at or before this layer have the tensor complete after the patch stage.
  int materialised_up_to = 0;
  // The tensor that has the same windows wherever this one is read in a patch stage: what its only
  // reader writes, or what that one's does, if they copy; else itself. Most layers are pointwise
  // convolutions, so most windows are computed once for several tensors.
  TensorId windows = kImage;

  [[nodiscard]] std::int64_t bytes() const { return std::int64_t{height} * width * channels; }
  [[nodiscard]] int extent(Axis axis) const { return axis == Axis::kRows ? height : width; }
  // The network's user is one, too.
  [[nodiscard]] bool has_one_reader() const {
    return readers_end - readers_begin == 1 && !is_output;
  }
};

// Bytes that a layer saves by working in place, less the scratch that it needs, in a network
// executed layer by layer.
struct Saving {
  std::int64_t deployed = 0;
  std::int64_t mcunetv2 = 0;
};

}  // namespace

class ScheduleSweep::Workspace {
 public:
  Workspace(std::vector<TileGrid> grids, SplitPoints split_points, InputMode input)
      : grids_(std::move(grids)), split_points_(split_points), input_(input) {}

  std::span<const ScheduleCosts> run(const Network& network) {
    prepare(network);
    costs_.clear();
    sum_whole_layers();
    for (const TileGrid& grid : grids_) {
      if (grid != TileGrid{1, 1} && find_splits(network, grid)) {
        sweep(grid);
      }
    }
    return costs_;
  }

 private:
  // --- what does not depend on the schedule ------------------------------------------------------

  void prepare(const Network& network) {
    const int layer_count = network.layer_count();
    input_count_ = network.input_count();
    layers_.resize(at(layer_count));
    tensors_.resize(at(layer_count) + 1);
    readers_.resize(at(layer_count) * 2);
    for (TensorId t = 0; t <= layer_count; ++t) {
      const TensorShape& shape = network.shape(t);
      TensorFacts& tensor = tensors_[at(t)];
      tensor = {.height = shape.height, .width = shape.width, .channels = shape.channels};
    }
    is_symmetric_ = network.input.height == network.input.width;
    std::int64_t macs = 0;
    for (int i = 0; i < layer_count; ++i) {
      const Layer& l = network.layers[at(i)];
      LayerFacts& layer = layers_[at(i)];
      layer.kind = l.kind;
      layer.is_pointwise = kernel_function(l) == KernelFunction::kPointwise && !l.writes_part();
      layer.is_addition = kernel_function(l) == KernelFunction::kAdd;
      layer.may_overwrite = {may_overwrite(l, 0), may_overwrite(l, 1)};
      layer.inputs = {l.inputs[0], l.inputs[1] == l.inputs[0] ? kNoTensor : l.inputs[1]};
      layer.axes = {axis_taps(network, i, Axis::kRows), axis_taps(network, i, Axis::kCols)};
      is_symmetric_ = is_symmetric_ && layer.axes[0] == layer.axes[1];
      layer.macs_per_pixel = macs_per_pixel(network, i);
      layer.macs_before = macs;
      macs += layer_macs(network, i);
      for (const TensorId t : layer.inputs) {
        if (t != kNoTensor) {
          ++tensors_[at(t)].readers_end;  // a count for now
        }
      }
    }
    network_macs_ = macs;
    require_small_sums();
    int begin = 0;
    for (TensorFacts& tensor : tensors_) {
      const int count = tensor.readers_end;
      tensor.readers_begin = tensor.readers_end = begin;
      begin += count;
    }
    for (int i = 0; i < layer_count; ++i) {
      for (const TensorId t : layers_[at(i)].inputs) {
        if (t != kNoTensor) {
          readers_[at(tensors_[at(t)].readers_end++)] = i;
        }
      }
    }
    for (TensorId t = 0; t <= layer_count; ++t) {
      TensorFacts& tensor = tensors_[at(t)];
      const bool is_read = tensor.readers_begin < tensor.readers_end;
      tensor.first_reader = is_read ? readers_[at(tensor.readers_begin)] : layer_count;
      tensor.last_reader = is_read ? readers_[at(tensor.readers_end - 1)] : layer_count;
      tensor.is_output =
          std::find(network.outputs.begin(), network.outputs.end(), t) != network.outputs.end();
      tensor.last_reader = tensor.is_output ? layer_count : tensor.last_reader;
      tensor.materialised_up_to = std::max(tensor.last_reader, t);
    }
    for (TensorId t = layer_count; t >= kImage; --t) {
      TensorFacts& tensor = tensors_[at(t)];
      const int reader = tensor.first_reader;
      const bool is_copied = tensor.has_one_reader() && layers_[at(reader)].copies_windows();
      tensor.windows = is_copied ? tensors_[at(reader) + 1].windows : t;
    }
    for (TensorId t = 1; t <= layer_count; ++t) {
      if (tensors_[at(t)].windows != t) {
        layers_[at(tensors_[at(t)].first_reader)].macs_per_pixel +=
            layers_[at(t) - 1].macs_per_pixel;
      }
    }
  }

  // Lanes have 32 bits.
  void require_small_sums() const {
    std::int64_t bytes = 0;
    for (const TensorFacts& tensor : tensors_) {
      bytes += aligned(tensor.bytes());
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const auto& [rows, cols] = layers_[i].axes;
      if (layers_[i].kind == LayerKind::kDepthwiseConv2d) {
        bytes += patchnas_depthwise_scratch_bytes(rows.output, cols.output, rows.kernel,
                                                  cols.kernel, rows.stride, cols.stride);
      }
    }
    if (bytes > std::numeric_limits<Lane>::max()) {
      throw InputError("the network's tensors have " + std::to_string(bytes) +
                       " bytes; schedules can be compared for at most " +
                       std::to_string(std::numeric_limits<Lane>::max()));
    }
  }

  // Whether `layer` is the last to read the tensor, which it may then overwrite.
  [[nodiscard]] bool dies_in(TensorId t, int layer) const {
    return t >= input_count_ && tensors_[at(t)].last_reader == layer;
  }

  // Whether `layer` may write over its input `j`, if the windows are equal.
  [[nodiscard]] bool may_lie_over(int i, std::size_t j) const {
    return layers_[at(i)].may_overwrite[j] && dies_in(layers_[at(i)].inputs[j], i);
  }

  // Of a depthwise layer: rows of its output must not be longer.
  [[nodiscard]] bool may_lie_over_input(int i) const {
    const AxisTaps& cols = layers_[at(i)].axes[1];
    return dies_in(layers_[at(i)].inputs[0], i) && cols.output <= cols.input;
  }

  [[nodiscard]] Saving whole_saving(int i) const {
    const LayerFacts& layer = layers_[at(i)];
    const std::int64_t out = tensors_[at(i) + 1].bytes();
    if (layer.is_pointwise) {
      if (!dies_in(layer.inputs[0], i)) {
        return {};
      }
      const TensorFacts& output = tensors_[at(i) + 1];
      const std::int64_t distance = aligned(patchnas_pointwise_distance_bytes(
          out / output.channels, tensors_[at(layer.inputs[0])].channels, output.channels));
      return {.deployed = aligned(std::max(std::int64_t{0}, out - distance))};
    }
    if (layer.overwrites_equal_windows() || layer.overwrites_whole_tensors() ||
        layer.kind == LayerKind::kConv2d) {
      const bool saves = may_lie_over(i, 0) || may_lie_over(i, 1);
      return saves ? Saving{aligned(out), out} : Saving{};
    }
    if (layer.kind != LayerKind::kDepthwiseConv2d) {
      return {};
    }
    const bool saves = may_lie_over_input(i);
    const std::int64_t shared =
        saves ? std::min(tensors_[at(layer.inputs[0])].bytes(), out) : std::int64_t{0};
    const auto& [rows, cols] = layer.axes;
    const std::int64_t scratch = patchnas_depthwise_scratch_bytes(
        rows.output, cols.output, rows.kernel, cols.kernel, rows.stride, cols.stride);
    return {aligned(shared) - aligned(scratch), shared};
  }

  // MCUNetV2 adds a residual as the projection before it writes.
  [[nodiscard]] bool next_adds_its_output(int i) const {
    return at(i) + 1 < layers_.size() && layers_[at(i) + 1].is_addition &&
           layers_[at(i) + 1].inputs[0] == i + 1;
  }

  // Layer-by-layer execution, and with it what every schedule needs after its patch stage.
  void sum_whole_layers() {
    const int layer_count = static_cast<int>(layers_.size());
    after_.resize(at(layer_count));
    std::int64_t deployed = aligned(tensors_[0].bytes());
    std::int64_t mcunetv2 = 0;
    for (int i = 0; i < layer_count; ++i) {
      const std::int64_t out = tensors_[at(i) + 1].bytes();
      deployed += aligned(out);
      mcunetv2 += out;
      const Saving saving = whole_saving(i);
      after_[at(i)] = {deployed - saving.deployed, mcunetv2 - saving.mcunetv2};
      if (next_adds_its_output(i)) {
        after_[at(i)].mcunetv2 -= whole_saving(i + 1).mcunetv2;
      }
      for (const TensorId t : layers_[at(i)].inputs) {
        if (t != kNoTensor && tensors_[at(t)].last_reader == i) {
          deployed -= aligned(tensors_[at(t)].bytes());
          mcunetv2 -= t == kImage ? 0 : tensors_[at(t)].bytes();
        }
      }
    }
    for (int i = layer_count - 1; i-- > 0;) {
      after_[at(i)].deployed = std::max(after_[at(i)].deployed, after_[at(i) + 1].deployed);
      after_[at(i)].mcunetv2 = std::max(after_[at(i)].mcunetv2, after_[at(i) + 1].mcunetv2);
    }
    costs_.push_back({.grid = {1, 1},
                      .split_layer = 0,
                      .macs = network_macs_,
                      .deployed_bytes = after_[0].deployed,
                      .mcunetv2_bytes = after_[0].mcunetv2});
  }

  // --- one grid, a lane for every split layer ----------------------------------------------------

  bool find_splits(const Network& network, const TileGrid& grid) {
    splits_.clear();
    for (int split = 1; split < network.layer_count(); ++split) {
      const TensorFacts& out = tensors_[at(split)];
      if (out.height < grid.rows || out.width < grid.cols ||
          !fits_patches(network.layers[at(split - 1)])) {
        break;
      }
      if (split_points_ == SplitPoints::kLayers || ends_block(network, split - 1)) {
        splits_.push_back(split);
      }
    }
    if (splits_.empty()) {
      return false;
    }
    depth_ = splits_.back();
    lanes_ = static_cast<int>(splits_.size());
    row_ = (lanes_ + kBlock - 1) / kBlock * kBlock;
    // lane_after_[layer]: the first lane whose patch stage holds the layer.
    lane_after_.resize(layers_.size() + 1);
    int lane = 0;
    for (std::size_t layer = 0; layer < lane_after_.size(); ++layer) {
      while (lane < lanes_ && splits_[at(lane)] <= static_cast<int>(layer)) {
        ++lane;
      }
      lane_after_[layer] = lane;
    }
    return true;
  }

  void sweep(const TileGrid& grid) {
    const std::size_t tensors = tensors_.size();
    const std::size_t row = at(row_);
    const bool square = is_symmetric_ && grid.rows == grid.cols;
    grow(begins_, tensors * at(std::max(grid.rows, grid.cols)) * row);
    grow(ends_, begins_.size());
    grow(read_begin_, at(std::max(grid.rows, grid.cols)) * row);
    grow(read_end_, read_begin_.size());
    grow(agree_, at(depth_) * 2 * row);
    for (int i = 0; i < depth_; ++i) {
      if (needs_equal_windows(i)) {
        std::fill_n(this->row(agree_, 2 * i), 2 * row_, -1);
      }
    }
    grow(peaks_, at(lanes_));
    for (AxisLanes& axis : axes_) {
      grow(axis.window, tensors * row);
      grow(axis.computed, tensors * row);
    }
    sweep_axis(Axis::kRows, grid.rows, axes_[0]);
    if (!square) {
      sweep_axis(Axis::kCols, grid.cols, axes_[1]);
    }
    sum_live_bytes(axes_[0], square ? axes_[0] : axes_[1]);
    for (int lane = 0; lane < lanes_; ++lane) {
      const int split = splits_[at(lane)];
      costs_.push_back({.grid = grid,
                        .split_layer = split,
                        .macs = macs_[at(lane)] + network_macs_ - layers_[at(split)].macs_before,
                        .deployed_bytes = peaks_[at(lane)].deployed,
                        .mcunetv2_bytes = peaks_[at(lane)].mcunetv2});
    }
  }

  // Along one axis, of every lane. A row that belongs to a tensor is that of its `windows`.
  struct AxisLanes {
    std::vector<Lane> window;    // [tensor][lane]: the largest over the tiles
    std::vector<Lane> computed;  // [tensor][lane]: positions in all tiles together
  };

  [[nodiscard]] TensorId windows(TensorId t) const { return tensors_[at(t)].windows; }
  // From this lane on, patch stages hold the tensor.
  [[nodiscard]] int first_lane(TensorId t) const { return t == kImage ? 0 : lane_after(t - 1); }
  // From this lane on, the tensor that has the same windows stands for this one too.
  [[nodiscard]] int own_lanes_end(TensorId t) const {
    return windows(t) == t ? lanes_ : lane_after(tensors_[at(t)].first_reader);
  }
  // What each tile needs of a tensor.
  [[nodiscard]] Lane* begins(TensorId t, int tiles, int tile) {
    return begins_.data() + at((windows(t) * tiles + tile) * row_);
  }
  [[nodiscard]] Lane* ends(TensorId t, int tiles, int tile) {
    return ends_.data() + at((windows(t) * tiles + tile) * row_);
  }
  [[nodiscard]] Lane* row(std::vector<Lane>& values, int index) const {
    return values.data() + at(index * row_);
  }
  [[nodiscard]] const Lane* row(const std::vector<Lane>& values, int index) const {
    return values.data() + at(index * row_);
  }
  [[nodiscard]] int lane_after(int layer) const { return lane_after_[at(layer)]; }

  // tile_geometry.h's backward pass.
  void sweep_axis(Axis axis, int tiles, AxisLanes& out) {
    for (int i = depth_; i-- > 0;) {
      const LayerFacts& layer = layers_[at(i)];
      complete_windows(i, axis, tiles, out);
      const bool copies = layer.copies_windows();
      if (!copies) {
        read_windows(i, axis, tiles, out);
      }
      for (const TensorId t : layer.inputs) {
        if (t == kNoTensor || tensors_[at(t)].has_one_reader()) {
          continue;  // read_windows() has written its windows, or they are the output's
        }
        for (int tile = 0; tile < tiles; ++tile) {
          merge_reads(t, i, copies ? begins(i + 1, tiles, tile) : row(read_begin_, tile),
                      copies ? ends(i + 1, tiles, tile) : row(read_end_, tile),
                      begins(t, tiles, tile), ends(t, tiles, tile));
        }
      }
    }
    if (!tensors_[kImage].has_one_reader()) {
      measure_windows(kImage, tiles, out);
    }
    compare_windows(tiles);
  }

  // What every tile of a layer reads: the windows of an input that nothing else reads.
  void read_windows(int i, Axis axis, int tiles, AxisLanes& out) {
    const LayerFacts& layer = layers_[at(i)];
    const AxisTaps& window = layer.axes[static_cast<std::size_t>(axis)];
    const TensorId in = layer.inputs[0];
    const bool is_only_reader = tensors_[at(in)].has_one_reader();
    Lane* const read_begins = is_only_reader ? begins(in, tiles, 0) : read_begin_.data();
    Lane* const read_ends = is_only_reader ? ends(in, tiles, 0) : read_end_.data();
    // A multiplication of lanes is several instructions on older processors.
    const auto strided = [stride = window.stride](const Block& block) {
      return stride == 1 ? block : stride == 2 ? block + block : block * stride;
    };
    const Block pad = all(window.pad);
    const Block reach = all(window.kernel - window.stride - window.pad);
    const Block limit = all(window.input);
    const Lane* const out_begins = begins(i + 1, tiles, 0);
    const Lane* const out_ends = ends(i + 1, tiles, 0);
    Lane* const largest_reads = row(out.window, windows(in));
    Lane* const computed_sums = row(out.computed, windows(in));
    const int tile_end = tiles * row_;
    for (int lane = block_begin(lane_after(i)); lane < lanes_; lane += kBlock) {
      Block computed{};
      Block largest_read{};
      for (int at_tile = lane; at_tile < tile_end; at_tile += row_) {
        const Block begin =
            least(limit, largest(Block{}, strided(load(out_begins + at_tile)) - pad));
        const Block end = largest(Block{}, least(limit, strided(load(out_ends + at_tile)) + reach));
        store(read_begins + at_tile, begin);
        store(read_ends + at_tile, end);
        computed += end - begin;
        largest_read = largest(largest_read, end - begin);
      }
      if (is_only_reader) {
        store(largest_reads + lane, largest_read);
        store(computed_sums + lane, computed);
      }
    }
  }

  // Where a layer's output is materialised, each tile computes at least its part of an even
  // partition.
  void complete_windows(int i, Axis axis, int tiles, AxisLanes& out) {
    const TensorFacts& tensor = tensors_[at(i) + 1];
    const int first = lane_after(i);
    const int windowed = lane_after(tensor.materialised_up_to);
    const int unread = lane_after(tensor.first_reader);
    const int extent = tensor.extent(axis);
    Lane* begin = begins(i + 1, tiles, 0);
    Lane* end = ends(i + 1, tiles, 0);
    for (int tile = 0; tile < tiles; ++tile, begin += row_, end += row_) {
      const auto [part_begin, part_end] = even_part(extent, tiles, tile);
      for (int lane = first; lane < unread; ++lane) {
        begin[lane] = part_begin;
        end[lane] = part_end;
      }
      for (int lane = unread; lane < windowed; ++lane) {
        begin[lane] = std::min(begin[lane], part_begin);
        end[lane] = std::max(end[lane], part_end);
      }
    }
    if (!tensor.has_one_reader()) {
      measure_windows(i + 1, tiles, out);
      return;
    }
    // Its reader has measured the other lanes.
    Lane* const window = row(out.window, tensor.windows);
    Lane* const computed = row(out.computed, tensor.windows);
    for (int lane = first; lane < unread; ++lane) {
      window[lane] = (extent + tiles - 1) / tiles;
      computed[lane] = extent;
    }
  }

  // The largest and the sum of a tensor's windows, in all lanes that hold it.
  void measure_windows(TensorId t, int tiles, AxisLanes& out) {
    const Lane* const window_begins = begins(t, tiles, 0);
    const Lane* const window_ends = ends(t, tiles, 0);
    Lane* const computed_sums = row(out.computed, windows(t));
    Lane* const largest_windows = row(out.window, windows(t));
    const int tile_end = tiles * row_;
    for (int lane = block_begin(first_lane(t)); lane < lanes_; lane += kBlock) {
      Block computed{};
      Block largest_window{};
      for (int at_tile = lane; at_tile < tile_end; at_tile += row_) {
        const Block size = load(window_ends + at_tile) - load(window_begins + at_tile);
        computed += size;
        largest_window = largest(largest_window, size);
      }
      store(computed_sums + lane, computed);
      store(largest_windows + lane, largest_window);
    }
  }

  // Merges what `layer` reads of a tensor in a tile into what later readers in the same patch stage
  // need.
  void merge_reads(TensorId t, int layer, const Lane* read_begin, const Lane* read_end, Lane* begin,
                   Lane* end) const {
    const TensorFacts& tensor = tensors_[at(t)];
    int next = static_cast<int>(layers_.size());
    for (int r = tensor.readers_end; r-- > tensor.readers_begin && readers_[at(r)] != layer;) {
      next = readers_[at(r)];
    }
    const int merged = lane_after(next);
    for (int lane = block_begin(lane_after(layer)); lane < lanes_; lane += kBlock) {
      const Block only_here = lanes_below(merged, lane);
      const Block first = load(read_begin + lane);
      const Block last = load(read_end + lane);
      store(begin + lane, choose(only_here, first, least(load(begin + lane), first)));
      store(end + lane, choose(only_here, last, largest(load(end + lane), last)));
    }
  }

  [[nodiscard]] bool needs_equal_windows(int i) const {
    return layers_[at(i)].overwrites_equal_windows() || layers_[at(i)].is_pointwise;
  }

  // Whether a layer's windows equal its inputs', so that it can write over them.
  void compare_windows(int tiles) {
    for (int i = 0; i < depth_; ++i) {
      if (!needs_equal_windows(i)) {
        continue;
      }
      for (std::size_t j = 0; j < 2; ++j) {
        const TensorId t = layers_[at(i)].inputs[j];
        if (!dies_in(t, i) || tensors_[at(t)].first_reader == i) {
          continue;  // an input that nothing else reads has the output's windows
        }
        Lane* const agree = row(agree_, 2 * i + static_cast<int>(j));
        for (int tile = 0; tile < tiles; ++tile) {
          for (int lane = lane_after(i); lane < lanes_; ++lane) {
            if (begins(t, tiles, tile)[lane] != begins(i + 1, tiles, tile)[lane] ||
                ends(t, tiles, tile)[lane] != ends(i + 1, tiles, tile)[lane]) {
              agree[lane] = 0;
            }
          }
        }
      }
    }
  }

  // --- live bytes --------------------------------------------------------------------------------

  void sum_live_bytes(const AxisLanes& rows, const AxisLanes& cols) {
    for (auto* lanes : {&live_deployed_, &live_mcunetv2_, &peak_deployed_, &peak_mcunetv2_}) {
      lanes->assign(at(row_), 0);
    }
    macs_.assign(at(lanes_), 0);
    const std::size_t tensors = tensors_.size();
    grow(pixels_, tensors * at(row_));
    grow(sizes_, tensors * at(row_));
    grow(saved_deployed_, tensors * at(row_));
    grow(saved_mcunetv2_, tensors * at(row_));
    for (TensorId t = depth_; t >= kImage; --t) {
      size_tensor(t, rows, cols);
    }
    grow(zeros_, at(row_));
    for (int i = 0; i < depth_; ++i) {
      if (may_save(i)) {
        save_in_place(i, rows, cols);
      }
    }
    int finished = 0;
    for (int i = 0; i < depth_; ++i) {
      run_layer(i);
      // The blocks of later layers may begin before the lanes that hold them.
      for (; finished < lanes_ && splits_[at(finished)] == i + 1; ++finished) {
        const Whole& after = after_[at(i) + 1];
        peaks_[at(finished)] = {
            std::max<std::int64_t>(after.deployed, peak_deployed_[at(finished)]),
            std::max<std::int64_t>(after.mcunetv2, peak_mcunetv2_[at(finished)])};
      }
      sum_macs(i, rows, cols);
    }
  }

  // A layer that computes what its output's reader does is counted with it, where that one is in
  // the patch stage too.
  void sum_macs(int i, const AxisLanes& rows, const AxisLanes& cols) {
    const TensorFacts& out = tensors_[at(i) + 1];
    const std::int64_t macs = layers_[at(i)].macs_per_pixel;
    const Lane* const height = row(rows.computed, out.windows);
    const Lane* const width = row(cols.computed, out.windows);
    std::int64_t* const sums = macs_.data();
    const int end = own_lanes_end(i + 1);
    for (int lane = lane_after(i); lane < end; ++lane) {
      sums[lane] += macs * (std::int64_t{height[lane]} * width[lane]);
    }
  }

  // Bytes of the tensor's window in each lane; what is complete or from outside counts throughout
  // the patch stage.
  void size_tensor(TensorId t, const AxisLanes& rows, const AxisLanes& cols) {
    const TensorFacts& tensor = tensors_[at(t)];
    const int first = first_lane(t);
    const bool is_resident = t == kImage && input_ == InputMode::kResident;
    const int windowed = is_resident ? lanes_ : lane_after(tensor.materialised_up_to);
    Lane* const pixels = row(pixels_, tensor.windows);
    const Lane* const heights = row(rows.window, tensor.windows);
    const Lane* const widths = row(cols.window, tensor.windows);
    const int end = own_lanes_end(t);
    for (int lane = block_begin(first); lane < end; lane += kBlock) {
      const auto height = unsigned_block(load(heights + lane));
      const auto width = unsigned_block(load(widths + lane));
      store(pixels + lane, signed_block(height * width));
    }
    Lane* const size = row(sizes_, t);
    const UnsignedBlock channels = UnsignedBlock{} + static_cast<std::uint32_t>(tensor.channels);
    for (int lane = block_begin(first); lane < lanes_; lane += kBlock) {
      const Block bytes = signed_block(unsigned_block(load(pixels + lane)) * channels);
      store(size + lane, bytes & ~lanes_below(windowed, lane) & lanes_below(lanes_, lane));
    }
    const auto whole = static_cast<Lane>(tensor.bytes());
    const auto whole_aligned = static_cast<Lane>(aligned(tensor.bytes()));
    Lane* const deployed = live_deployed_.data();
    Lane* const mcunetv2 = live_mcunetv2_.data();
    for (int lane = first; lane < windowed; ++lane) {
      deployed[lane] += whole_aligned;
      mcunetv2[lane] += t == kImage ? 0 : whole;
    }
    for (int lane = windowed; t == kImage && lane < lanes_; ++lane) {
      deployed[lane] += static_cast<Lane>(aligned(size[lane]));
    }
  }

  // What a layer saves by writing over its input, less its scratch; nothing is saved where its
  // output is materialised, whose size is 0 here.
  void save_in_place(int i, const AxisLanes& rows, const AxisLanes& cols) {
    const LayerFacts& layer = layers_[at(i)];
    const int first = block_begin(lane_after(i));
    Lane* const deployed = row(saved_deployed_, i);
    Lane* const mcunetv2 = row(saved_mcunetv2_, i);
    const Lane* const out = row(sizes_, i + 1);
    if (layer.overwrites_equal_windows()) {
      const Block may_save_0 = all(may_lie_over(i, 0) ? -1 : 0);
      const Block may_save_1 = all(may_lie_over(i, 1) ? -1 : 0);
      const Lane* const agree_0 = row(agree_, 2 * i);
      const Lane* const agree_1 = row(agree_, 2 * i + 1);
      for (int lane = first; lane < lanes_; lane += kBlock) {
        const Block saved = load(out + lane) & ((load(agree_0 + lane) & may_save_0) |
                                                (load(agree_1 + lane) & may_save_1));
        store(mcunetv2 + lane, saved);
        store(deployed + lane, aligned_block(saved));
      }
    } else if (layer.is_pointwise) {
      const Lane* const agree = row(agree_, 2 * i);
      const Lane* const pixels = row(pixels_, windows(i + 1));
      const int in_channels = tensors_[at(layer.inputs[0])].channels;
      const int out_channels = tensors_[at(i) + 1].channels;
      for (int lane = first; lane < lanes_; lane += kBlock) {
        // patchnas_pointwise_distance_bytes() of the largest tile.
        const Block count = load(pixels + lane);
        const Block together = least(count, all(PATCHNAS_POINTWISE_GROUP));
        const Block distance =
            out_channels <= in_channels
                ? together * out_channels
                : signed_block(unsigned_block(count) * static_cast<std::uint32_t>(out_channels) -
                               unsigned_block(count - together) *
                                   static_cast<std::uint32_t>(in_channels));
        const Block shared = largest(load(out + lane) - aligned_block(distance), Block{});
        store(mcunetv2 + lane, Block{});
        store(deployed + lane, aligned_block(shared) & load(agree + lane));
      }
    } else {
      const Lane* const sizes = row(sizes_, layer.inputs[0]);
      const Lane* const heights = row(rows.window, windows(i + 1));
      const Lane* const widths = row(cols.window, windows(i + 1));
      // patchnas_depthwise_scratch_bytes() of the largest tile.
      const auto plane_extent = [](const Lane* output, const AxisTaps& axis) {
        return unsigned_block((load(output) - 1) * axis.stride + axis.kernel);
      };
      const Block dies = all(may_lie_over_input(i) ? -1 : 0);
      for (int lane = first; lane < lanes_; lane += kBlock) {
        const Block shared = least(load(sizes + lane), load(out + lane)) & dies;
        const Block plane = signed_block(plane_extent(heights + lane, layer.axes[0]) *
                                         plane_extent(widths + lane, layer.axes[1]));
        const Block scratch = aligned_block(plane + PATCHNAS_SCRATCH_SLACK_BYTES);
        store(mcunetv2 + lane, shared);
        store(deployed + lane, aligned_block(shared) - scratch);
      }
    }
  }

  [[nodiscard]] bool may_save(int i) const {
    const LayerFacts& layer = layers_[at(i)];
    return layer.kind == LayerKind::kDepthwiseConv2d ||
           (layer.is_pointwise && dies_in(layer.inputs[0], i)) ||
           (layer.overwrites_equal_windows() && (may_lie_over(i, 0) || may_lie_over(i, 1)));
  }

  void run_layer(int i) {
    const LayerFacts& layer = layers_[at(i)];
    const Lane* const zeros = zeros_.data();
    const Lane* const out = row(sizes_, i + 1);
    const Lane* const saved_deployed = may_save(i) ? row(saved_deployed_, i) : zeros;
    const Lane* const saved_mcunetv2 = may_save(i) ? row(saved_mcunetv2_, i) : zeros;
    const bool fused = next_adds_its_output(i) && i + 1 < depth_ && may_save(i + 1);
    const Lane* const saved_next = fused ? row(saved_mcunetv2_, i + 1) : zeros;
    const int next_lane = lane_after(i + 1);  // the add has to be in the patch stage too
    const auto size_if_last = [&](TensorId t) {
      return t != kNoTensor && tensors_[at(t)].last_reader == i ? row(sizes_, t) : zeros;
    };
    const Lane* const finished_0 = size_if_last(layer.inputs[0]);
    const Lane* const finished_1 = size_if_last(layer.inputs[1]);
    // The image is not counted by `mcunetv2`.
    const Block counted_0 = all(layer.inputs[0] == kImage ? 0 : -1);
    const Block counted_1 = all(layer.inputs[1] == kImage ? 0 : -1);
    Lane* const live_deployed = live_deployed_.data();
    Lane* const live_mcunetv2 = live_mcunetv2_.data();
    Lane* const peak_deployed = peak_deployed_.data();
    Lane* const peak_mcunetv2 = peak_mcunetv2_.data();
    for (int lane = block_begin(lane_after(i)); lane < lanes_; lane += kBlock) {
      const Block size = load(out + lane);
      const Block deployed = load(live_deployed + lane) + aligned_block(size);
      const Block mcunetv2 = load(live_mcunetv2 + lane) + size;
      const Block fused_bytes = load(saved_next + lane) & ~lanes_below(next_lane, lane);
      store(peak_deployed + lane,
            largest(load(peak_deployed + lane), deployed - load(saved_deployed + lane)));
      store(peak_mcunetv2 + lane, largest(load(peak_mcunetv2 + lane),
                                          mcunetv2 - load(saved_mcunetv2 + lane) - fused_bytes));
      const Block size_0 = load(finished_0 + lane);
      const Block size_1 = load(finished_1 + lane);
      store(live_deployed + lane, deployed - aligned_block(size_0) - aligned_block(size_1));
      store(live_mcunetv2 + lane, mcunetv2 - (size_0 & counted_0) - (size_1 & counted_1));
    }
  }

  struct Whole {
    std::int64_t deployed = 0;
    std::int64_t mcunetv2 = 0;
  };

  std::vector<TileGrid> grids_;
  SplitPoints split_points_;
  InputMode input_;

  std::vector<LayerFacts> layers_;
  std::vector<TensorFacts> tensors_;
  std::vector<int> readers_;
  bool is_symmetric_ = false;
  std::int64_t network_macs_ = 0;
  std::vector<Whole> after_;  // the largest live bytes of whole layers from each on

  std::vector<int> splits_;  // by lane
  std::vector<int> lane_after_;
  int depth_ = 0;
  int input_count_ = 1;
  int lanes_ = 0;
  int row_ = 0;               // lanes_, rounded up to whole blocks
  std::vector<Lane> begins_;  // [tensor][tile][lane]
  std::vector<Lane> ends_;
  std::vector<Lane> read_begin_;  // [tile][lane], of the layer at hand
  std::vector<Lane> read_end_;
  std::vector<Lane> agree_;  // [layer][input][lane]: -1 where the windows are equal, else 0
  std::array<AxisLanes, 2> axes_;
  std::vector<Lane> pixels_;          // [tensor][lane]: of the largest window
  std::vector<Lane> sizes_;           // [tensor][lane]; 0 where it is counted throughout
  std::vector<Lane> saved_deployed_;  // [layer][lane]
  std::vector<Lane> saved_mcunetv2_;
  std::vector<Lane> zeros_;  // [lane], never written
  std::vector<Lane> live_deployed_;
  std::vector<Lane> live_mcunetv2_;
  std::vector<Lane> peak_deployed_;
  std::vector<Lane> peak_mcunetv2_;
  std::vector<std::int64_t> macs_;  // of the patch stage
  std::vector<Whole> peaks_;        // of the whole schedule
  std::vector<ScheduleCosts> costs_;
};

ScheduleSweep::ScheduleSweep(std::vector<TileGrid> grids, SplitPoints split_points, InputMode input)
    : workspace_(std::make_unique<Workspace>(std::move(grids), split_points, input)) {}
ScheduleSweep::~ScheduleSweep() = default;
ScheduleSweep::ScheduleSweep(ScheduleSweep&&) noexcept = default;
ScheduleSweep& ScheduleSweep::operator=(ScheduleSweep&&) noexcept = default;

std::span<const ScheduleCosts> ScheduleSweep::run(const Network& network) {
  return workspace_->run(network);
}

}  // namespace patchnas
