#include "memory_models/schedule_sweep.h"

#include <algorithm>
#include <array>

#include "arch/tile_geometry.h"
#include "memory_models/arena_planner.h"

namespace patchnas {
namespace {

using Lane = std::int32_t;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// One axis of a layer's window.
struct WindowAxis {
  int kernel = 1;
  int stride = 1;
  int pad = 0;
  int input = 0;
  int output = 0;

  bool operator==(const WindowAxis&) const = default;
};

struct LayerFacts {
  LayerKind kind = LayerKind::kConv2d;
  std::array<TensorId, 2> inputs{kNoTensor, kNoTensor};  // the second only if it is another tensor
  std::array<WindowAxis, 2> axes;
  std::int64_t macs_per_pixel = 0;
  std::int64_t macs_before = 0;  // of the layers before it, executed whole

  // Its output's windows can be smaller than the input it reads them from, or lie elsewhere.
  [[nodiscard]] bool reads_everything() const {
    return kind == LayerKind::kFullyConnected || kind == LayerKind::kSoftmax;
  }
};

struct TensorFacts {
  int height = 0;
  int width = 0;
  int channels = 0;
  int first_reader = 0;
  int last_reader = 0;
  int readers_begin = 0;  // in readers_, ascending
  int readers_end = 0;
  // Schedules that split at or before this layer have the tensor complete after the patch stage.
  int materialised_up_to = 0;

  [[nodiscard]] std::int64_t bytes() const { return std::int64_t{height} * width * channels; }
  [[nodiscard]] int extent(Axis axis) const { return axis == Axis::kRows ? height : width; }
};

// Bytes that a layer saves by working in place, in a network executed layer by layer.
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
      layer.inputs = {l.inputs[0], l.inputs[1] == l.inputs[0] ? kNoTensor : l.inputs[1]};
      const TensorFacts& in = tensors_[at(l.inputs[0])];
      const Kernel& k = l.kernel;
      layer.axes = {WindowAxis{k.height, k.stride_h, k.pad_top, in.height, l.output.height},
                    WindowAxis{k.width, k.stride_w, k.pad_left, in.width, l.output.width}};
      if (l.kind == LayerKind::kAdd) {
        layer.axes = {WindowAxis{1, 1, 0, in.height, in.height},
                      WindowAxis{1, 1, 0, in.width, in.width}};
      }
      is_symmetric_ = is_symmetric_ && layer.axes[0] == layer.axes[1];
      layer.macs_per_pixel = macs_per_pixel(network, i);
      layer.macs_before = macs;
      macs += layer.macs_per_pixel * l.output.pixels();
      for (const TensorId t : layer.inputs) {
        if (t != kNoTensor) {
          ++tensors_[at(t)].readers_end;  // a count for now
        }
      }
    }
    network_macs_ = macs;
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
      tensor.materialised_up_to = std::max(tensor.last_reader, t);
    }
  }

  // Whether `layer` is the last to read the tensor, which it may then overwrite.
  [[nodiscard]] bool dies_in(TensorId t, int layer) const {
    return t != kImage && t != kNoTensor && tensors_[at(t)].last_reader == layer;
  }

  [[nodiscard]] Saving whole_saving(int i) const {
    const LayerFacts& layer = layers_[at(i)];
    const std::int64_t out = tensors_[at(i) + 1].bytes();
    if (layer.kind == LayerKind::kAdd) {
      const bool saves = dies_in(layer.inputs[0], i) || dies_in(layer.inputs[1], i);
      return saves ? Saving{aligned(out), out} : Saving{};
    }
    if (layer.kind != LayerKind::kDepthwiseConv2d || !dies_in(layer.inputs[0], i)) {
      return {};
    }
    const TensorFacts& in = tensors_[at(layer.inputs[0])];
    const std::int64_t shared = std::min(in.bytes(), out);
    const std::int64_t scratch = std::int64_t{in.height} * in.width;
    return {std::max<std::int64_t>(0, aligned(shared) - aligned(scratch)), shared};
  }

  // MCUNetV2 adds a residual as the projection before it writes.
  [[nodiscard]] bool next_adds_its_output(int i) const {
    return at(i) + 1 < layers_.size() && layers_[at(i) + 1].kind == LayerKind::kAdd &&
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
      if (out.height < grid.rows || out.width < grid.cols) {
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
    const std::size_t tensors = at(depth_) + 1;
    const std::size_t row = at(lanes_);
    const bool square = is_symmetric_ && grid.rows == grid.cols;
    begins_.resize(tensors * at(std::max(grid.rows, grid.cols)) * row);
    ends_.resize(begins_.size());
    read_begin_.resize(row);
    read_end_.resize(row);
    agree_.assign(at(depth_) * 2 * row, 1);
    for (AxisLanes& axis : axes_) {
      axis.window.resize(tensors * row);
      axis.read.resize(tensors * row);
      axis.computed.resize(tensors * row);
    }
    sweep_axis(Axis::kRows, grid.rows, axes_[0]);
    if (!square) {
      sweep_axis(Axis::kCols, grid.cols, axes_[1]);
    }
    sum_live_bytes(axes_[0], square ? axes_[0] : axes_[1]);
    for (int lane = 0; lane < lanes_; ++lane) {
      const int split = splits_[at(lane)];
      const Whole& after = after_[at(split)];
      costs_.push_back(
          {.grid = grid,
           .split_layer = split,
           .macs = macs_[at(lane)] + network_macs_ - layers_[at(split)].macs_before,
           .deployed_bytes = std::max<std::int64_t>(peak_deployed_[at(lane)], after.deployed),
           .mcunetv2_bytes = std::max<std::int64_t>(peak_mcunetv2_[at(lane)], after.mcunetv2)});
    }
  }

  // Of every tensor or layer and lane: the largest window, the largest rectangle read, and the
  // positions computed in all tiles together, along one axis.
  struct AxisLanes {
    std::vector<Lane> window;    // [tensor][lane]
    std::vector<Lane> read;      // [layer][lane]; depthwise layers only
    std::vector<Lane> computed;  // [layer][lane]
  };

  // What each tile needs of a tensor.
  [[nodiscard]] Lane* begins(TensorId t, int tiles, int tile) {
    return begins_.data() + at((t * tiles + tile) * lanes_);
  }
  [[nodiscard]] Lane* ends(TensorId t, int tiles, int tile) {
    return ends_.data() + at((t * tiles + tile) * lanes_);
  }
  [[nodiscard]] static Lane* row(std::vector<Lane>& values, int index, int lanes) {
    return values.data() + at(index * lanes);
  }
  [[nodiscard]] int lane_after(int layer) const {
    return lane_after_[at(std::min(layer, static_cast<int>(layers_.size())))];
  }

  // tile_geometry.h's backward pass.
  void sweep_axis(Axis axis, int tiles, AxisLanes& out) {
    for (int i = depth_; i-- > 0;) {
      const LayerFacts& layer = layers_[at(i)];
      const TensorFacts& tensor = tensors_[at(i) + 1];
      const int first = lane_after(i);
      const int unread = lane_after(tensor.first_reader);
      const int windowed = lane_after(tensor.materialised_up_to);
      const WindowAxis& window = layer.axes[static_cast<std::size_t>(axis)];
      Lane* const computed = row(out.computed, i, lanes_);
      Lane* const largest = row(out.window, i + 1, lanes_);
      Lane* const read = row(out.read, i, lanes_);
      std::fill(computed + first, computed + lanes_, 0);
      std::fill(largest + first, largest + windowed, tensor.extent(axis));
      std::fill(largest + windowed, largest + lanes_, 0);
      std::fill(read + first, read + lanes_, 0);
      for (int tile = 0; tile < tiles; ++tile) {
        Lane* const begin = begins(i + 1, tiles, tile);
        Lane* const end = ends(i + 1, tiles, tile);
        const auto part_begin = static_cast<Lane>(std::int64_t{tensor.extent(axis)} * tile / tiles);
        const auto part_end =
            static_cast<Lane>(std::int64_t{tensor.extent(axis)} * (tile + 1) / tiles);
        std::fill(begin + first, begin + std::min(unread, windowed), part_begin);
        std::fill(end + first, end + std::min(unread, windowed), part_end);
        for (int lane = unread; lane < windowed; ++lane) {
          begin[lane] = std::min(begin[lane], part_begin);
          end[lane] = std::max(end[lane], part_end);
        }
        for (int lane = first; lane < lanes_; ++lane) {
          computed[lane] += end[lane] - begin[lane];
        }
        for (int lane = windowed; lane < lanes_; ++lane) {
          largest[lane] = std::max(largest[lane], end[lane] - begin[lane]);
        }
        if (layer.reads_everything()) {
          std::fill(read_begin_.begin() + first, read_begin_.begin() + lanes_, 0);
          std::fill(read_end_.begin() + first, read_end_.begin() + lanes_, window.input);
        } else {
          const Lane stride = window.stride;
          const Lane pad = window.pad;
          const Lane reach = window.kernel - window.stride - window.pad;
          const Lane limit = window.input;
          for (int lane = first; lane < lanes_; ++lane) {
            read_begin_[at(lane)] = std::max(Lane{0}, begin[lane] * stride - pad);
            read_end_[at(lane)] = std::min(limit, end[lane] * stride + reach);
          }
        }
        if (layer.kind == LayerKind::kDepthwiseConv2d) {
          for (int lane = first; lane < lanes_; ++lane) {
            read[lane] = std::max(read[lane], read_end_[at(lane)] - read_begin_[at(lane)]);
          }
        }
        for (const TensorId t : layer.inputs) {
          if (t != kNoTensor) {
            need(t, i, first, begins(t, tiles, tile), ends(t, tiles, tile));
          }
        }
      }
    }
    Lane* const image = row(out.window, kImage, lanes_);
    std::fill(image, image + lanes_, 0);
    for (int tile = 0; tile < tiles; ++tile) {
      for (int lane = 0; lane < lanes_; ++lane) {
        image[lane] = std::max(image[lane],
                               ends(kImage, tiles, tile)[lane] - begins(kImage, tiles, tile)[lane]);
      }
    }
    compare_addends(tiles);
  }

  // Merges what `layer` reads of a tensor into what later readers in the same patch stage need.
  void need(TensorId t, int layer, int first, Lane* begin, Lane* end) {
    const TensorFacts& tensor = tensors_[at(t)];
    int next = static_cast<int>(layers_.size());
    for (int r = tensor.readers_end; r-- > tensor.readers_begin && readers_[at(r)] != layer;) {
      next = readers_[at(r)];
    }
    const int merged = lane_after(next);
    for (int lane = first; lane < merged; ++lane) {
      begin[lane] = read_begin_[at(lane)];
      end[lane] = read_end_[at(lane)];
    }
    for (int lane = merged; lane < lanes_; ++lane) {
      begin[lane] = std::min(begin[lane], read_begin_[at(lane)]);
      end[lane] = std::max(end[lane], read_end_[at(lane)]);
    }
  }

  // Whether an add's windows equal its inputs', so that it can write over them.
  void compare_addends(int tiles) {
    for (int i = 0; i < depth_; ++i) {
      if (layers_[at(i)].kind != LayerKind::kAdd) {
        continue;
      }
      for (std::size_t j = 0; j < 2; ++j) {
        const TensorId t = layers_[at(i)].inputs[j];
        if (!dies_in(t, i) || tensors_[at(t)].first_reader == i) {
          continue;  // an addend that nothing else reads has the add's windows
        }
        Lane* const agree = row(agree_, 2 * i + static_cast<int>(j), lanes_);
        for (int tile = 0; tile < tiles; ++tile) {
          for (int lane = lane_after(i); lane < lanes_; ++lane) {
            agree[lane] &=
                static_cast<Lane>(begins(t, tiles, tile)[lane] ==
                                  begins(i + 1, tiles, tile)[lane]) &
                static_cast<Lane>(ends(t, tiles, tile)[lane] == ends(i + 1, tiles, tile)[lane]);
          }
        }
      }
    }
  }

  // --- live bytes --------------------------------------------------------------------------------

  void sum_live_bytes(const AxisLanes& rows, const AxisLanes& cols) {
    for (auto* lanes : {&live_deployed_, &live_mcunetv2_, &peak_deployed_, &peak_mcunetv2_}) {
      lanes->assign(at(lanes_), 0);
    }
    macs_.assign(at(lanes_), 0);
    sizes_.resize((at(depth_) + 1) * at(lanes_));
    saved_deployed_.assign(at(lanes_), 0);
    saved_mcunetv2_.assign((at(depth_) + 1) * at(lanes_), 0);
    for (TensorId t = 0; t <= depth_; ++t) {
      size_tensor(t, rows, cols);
    }
    for (int i = 0; i < depth_; ++i) {
      if (layers_[at(i)].kind == LayerKind::kAdd) {
        save_by_adding(i);
      }
    }
    for (int i = 0; i < depth_; ++i) {
      run_layer(i, rows, cols);
    }
  }

  // Bytes of the tensor's window in each lane; what is complete or from outside counts throughout
  // the patch stage.
  void size_tensor(TensorId t, const AxisLanes& rows, const AxisLanes& cols) {
    const TensorFacts& tensor = tensors_[at(t)];
    Lane* const size = row(sizes_, t, lanes_);
    const Lane* const height = rows.window.data() + at(t * lanes_);
    const Lane* const width = cols.window.data() + at(t * lanes_);
    const int first = t == kImage ? 0 : lane_after(t - 1);
    int windowed = lane_after(tensor.materialised_up_to);
    if (t == kImage && input_ == InputMode::kResident) {
      windowed = lanes_;
    }
    const auto whole = static_cast<Lane>(tensor.bytes());
    const auto whole_aligned = static_cast<Lane>(aligned(tensor.bytes()));
    for (int lane = first; lane < windowed; ++lane) {
      size[lane] = 0;
      live_deployed_[at(lane)] += whole_aligned;
      live_mcunetv2_[at(lane)] += t == kImage ? 0 : whole;
    }
    for (int lane = windowed; lane < lanes_; ++lane) {
      size[lane] = height[lane] * width[lane] * tensor.channels;
    }
    if (t == kImage) {
      for (int lane = windowed; lane < lanes_; ++lane) {
        live_deployed_[at(lane)] += aligned_lane(size[lane]);
      }
    }
  }

  static Lane aligned_lane(Lane bytes) {
    constexpr auto kMask = static_cast<Lane>(kArenaAlignmentBytes - 1);
    return (bytes + kMask) & ~kMask;
  }

  void save_by_adding(int i) {
    const Lane* const out = row(sizes_, i + 1, lanes_);
    Lane* const saved = row(saved_mcunetv2_, i, lanes_);
    const int windowed = lane_after(tensors_[at(i) + 1].materialised_up_to);
    for (std::size_t j = 0; j < 2; ++j) {
      if (dies_in(layers_[at(i)].inputs[j], i)) {
        const Lane* const agree = row(agree_, 2 * i + static_cast<int>(j), lanes_);
        for (int lane = windowed; lane < lanes_; ++lane) {
          saved[lane] = std::max(saved[lane], agree[lane] * out[lane]);
        }
      }
    }
  }

  void run_layer(int i, const AxisLanes& rows, const AxisLanes& cols) {
    const LayerFacts& layer = layers_[at(i)];
    const int first = lane_after(i);
    const int windowed = lane_after(tensors_[at(i) + 1].materialised_up_to);
    const Lane* const out = row(sizes_, i + 1, lanes_);
    Lane* const saved = row(saved_mcunetv2_, i, lanes_);
    for (int lane = windowed; lane < lanes_; ++lane) {
      live_deployed_[at(lane)] += aligned_lane(out[lane]);
      live_mcunetv2_[at(lane)] += out[lane];
    }
    std::fill(saved_deployed_.begin() + first, saved_deployed_.end(), 0);
    if (layer.kind == LayerKind::kAdd) {
      for (int lane = windowed; lane < lanes_; ++lane) {
        saved_deployed_[at(lane)] = aligned_lane(saved[lane]);
      }
    } else if (layer.kind == LayerKind::kDepthwiseConv2d && dies_in(layer.inputs[0], i)) {
      const Lane* const in = row(sizes_, layer.inputs[0], lanes_);
      const Lane* const height = rows.read.data() + at(i * lanes_);
      const Lane* const width = cols.read.data() + at(i * lanes_);
      for (int lane = windowed; lane < lanes_; ++lane) {
        saved[lane] = std::min(in[lane], out[lane]);
        saved_deployed_[at(lane)] =
            std::max(Lane{0}, aligned_lane(saved[lane]) - aligned_lane(height[lane] * width[lane]));
      }
    }
    const bool fused = next_adds_its_output(i) && i + 1 < depth_;
    const Lane* const saved_next = row(saved_mcunetv2_, fused ? i + 1 : depth_, lanes_);
    for (int lane = first; lane < lanes_; ++lane) {
      peak_deployed_[at(lane)] =
          std::max(peak_deployed_[at(lane)], live_deployed_[at(lane)] - saved_deployed_[at(lane)]);
      peak_mcunetv2_[at(lane)] = std::max(
          peak_mcunetv2_[at(lane)], live_mcunetv2_[at(lane)] - saved[lane] - saved_next[lane]);
    }
    for (const TensorId t : layer.inputs) {
      if (t != kNoTensor && tensors_[at(t)].last_reader == i &&
          !(t == kImage && input_ == InputMode::kResident)) {
        const Lane* const size = row(sizes_, t, lanes_);
        for (int lane = first; lane < lanes_; ++lane) {
          live_deployed_[at(lane)] -= aligned_lane(size[lane]);
          live_mcunetv2_[at(lane)] -= t == kImage ? 0 : size[lane];
        }
      }
    }
    if (layer.macs_per_pixel > 0) {
      const Lane* const height = rows.computed.data() + at(i * lanes_);
      const Lane* const width = cols.computed.data() + at(i * lanes_);
      for (int lane = first; lane < lanes_; ++lane) {
        macs_[at(lane)] += layer.macs_per_pixel * (std::int64_t{height[lane]} * width[lane]);
      }
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
  int lanes_ = 0;
  std::vector<Lane> begins_;  // [tensor][tile][lane]
  std::vector<Lane> ends_;
  std::vector<Lane> read_begin_;
  std::vector<Lane> read_end_;
  std::vector<Lane> agree_;  // [layer][input][lane]
  std::array<AxisLanes, 2> axes_;
  std::vector<Lane> sizes_;  // [tensor][lane]; 0 where it is counted throughout
  std::vector<Lane> saved_deployed_;
  std::vector<Lane> saved_mcunetv2_;  // [layer][lane], and a row of zeros
  std::vector<Lane> live_deployed_;
  std::vector<Lane> live_mcunetv2_;
  std::vector<Lane> peak_deployed_;
  std::vector<Lane> peak_mcunetv2_;
  std::vector<std::int64_t> macs_;
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
