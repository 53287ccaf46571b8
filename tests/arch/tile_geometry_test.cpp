#include "arch/tile_geometry.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "arch/resize_samples.h"
#include "arch/row_schedules.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

template <typename Check>
void for_random_segments(const char* stream_name, Check check) {
  RandomStream stream(11, stream_name);
  for (int round = 0; round < 60; ++round) {
    const Network network = testing::random_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      for (const Segment& segment : schedule.segments) {
        check(network, SegmentGeometry(network, segment));
      }
    }
  }
}

template <typename Check>
void for_tiles(const SegmentGeometry& geometry, Check check) {
  for (int row = 0; row < geometry.grid().rows; ++row) {
    for (int col = 0; col < geometry.grid().cols; ++col) {
      check(row, col);
    }
  }
}

// Counts how often each pixel of a layer's output is computed.
std::vector<int> coverage(const Network& network, const SegmentGeometry& geometry, int layer) {
  const TensorShape& shape = network.shape(layer + 1);
  std::vector<int> counts(static_cast<std::size_t>(shape.pixels()), 0);
  for_tiles(geometry, [&](int row, int col) {
    const Rect computed = geometry.tile(layer, row, col).computed;
    for (int y = computed.rows.begin; y < computed.rows.end; ++y) {
      for (int x = computed.cols.begin; x < computed.cols.end; ++x) {
        ++counts.at(static_cast<std::size_t>(y * shape.width + x));
      }
    }
  });
  return counts;
}

// The bounding box of the input pixels that a rectangle of outputs reads, tap by tap.
Rect pixels_read(const Network& network, int layer, const Rect& output) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const TensorShape& in = network.shape(l.inputs[0]);
  if (l.kind == LayerKind::kAdd) {
    return output;
  }
  if (l.kind == LayerKind::kFullyConnected || l.kind == LayerKind::kSoftmax) {
    return full_rect(in);
  }
  Rect box{{in.height, 0}, {in.width, 0}};
  if (l.kind == LayerKind::kResize) {
    const auto add = [&](Interval& read, const Interval& computed, int from, int to) {
      const std::vector<ResizeSample> samples = resize_samples(l.resizing, from, to);
      for (int i = computed.begin; i < computed.end; ++i) {
        const ResizeSample& sample = samples[static_cast<std::size_t>(i)];
        read = {std::min({read.begin, sample.first, sample.second}),
                std::max({read.end, sample.first + 1, sample.second + 1})};
      }
    };
    add(box.rows, output.rows, in.height, l.output.height);
    add(box.cols, output.cols, in.width, l.output.width);
    return box;
  }
  if (l.kind == LayerKind::kTransposeConv) {
    const auto add = [](Interval& read, const Interval& computed, int extent, int kernel,
                        int stride, int pad) {
      for (int i = 0; i < extent; ++i) {
        for (int tap = 0; tap < kernel; ++tap) {
          if (const int hit = i * stride - pad + tap; hit >= computed.begin && hit < computed.end) {
            read = {std::min(read.begin, i), std::max(read.end, i + 1)};
          }
        }
      }
    };
    add(box.rows, output.rows, in.height, l.kernel.height, l.kernel.stride_h, l.kernel.pad_top);
    add(box.cols, output.cols, in.width, l.kernel.width, l.kernel.stride_w, l.kernel.pad_left);
    return box;
  }
  for (int oy = output.rows.begin; oy < output.rows.end; ++oy) {
    for (int ky = 0; ky < l.kernel.height; ++ky) {
      const int y = oy * l.kernel.stride_h - l.kernel.pad_top + ky * l.kernel.dilation_h;
      if (y >= 0 && y < in.height) {
        box.rows = {std::min(box.rows.begin, y), std::max(box.rows.end, y + 1)};
      }
    }
  }
  for (int ox = output.cols.begin; ox < output.cols.end; ++ox) {
    for (int kx = 0; kx < l.kernel.width; ++kx) {
      const int x = ox * l.kernel.stride_w - l.kernel.pad_left + kx * l.kernel.dilation_w;
      if (x >= 0 && x < in.width) {
        box.cols = {std::min(box.cols.begin, x), std::max(box.cols.end, x + 1)};
      }
    }
  }
  return box;
}

TEST(TileGeometry, TilesPartitionTheSplitLayersOutput) {
  for_random_segments("tiles/partition", [](const Network& network,
                                            const SegmentGeometry& geometry) {
    const int last = geometry.segment().end_layer - 1;
    const std::vector<int> counts = coverage(network, geometry, last);
    EXPECT_TRUE(std::all_of(counts.begin(), counts.end(), [](int count) { return count == 1; }));
  });
}

TEST(TileGeometry, MaterialisedTensorsAreComplete) {
  for_random_segments(
      "tiles/materialised", [](const Network& network, const SegmentGeometry& geometry) {
        for (int layer = geometry.segment().first_layer; layer < geometry.segment().end_layer;
             ++layer) {
          if (geometry.materialised(layer + 1)) {
            const std::vector<int> counts = coverage(network, geometry, layer);
            EXPECT_TRUE(
                std::all_of(counts.begin(), counts.end(), [](int count) { return count >= 1; }));
          }
        }
      });
}

TEST(TileGeometry, InputsAreTheReceptiveFieldClippedToTheImage) {
  for_random_segments(
      "tiles/receptive_field", [](const Network& network, const SegmentGeometry& geometry) {
        for (int layer = geometry.segment().first_layer; layer < geometry.segment().end_layer;
             ++layer) {
          for_tiles(geometry, [&](int row, int col) {
            const LayerTile tile = geometry.tile(layer, row, col);
            const bool adds_up = geometry.adds_up() && layer + 1 == geometry.segment().end_layer;
            if (tile.computed.pixels() > 0 && !adds_up) {
              const Kernel& kernel = network.layers[static_cast<std::size_t>(layer)].kernel;
              const Rect read = pixels_read(network, layer, tile.computed);
              // Taps that lie apart may leave out what is between them and the border.
              if (kernel.dilation_h == 1 && kernel.dilation_w == 1) {
                EXPECT_TRUE(same_positions(tile.inputs[0].rows, read.rows));
                EXPECT_TRUE(same_positions(tile.inputs[0].cols, read.cols));
              }
              EXPECT_TRUE(tile.inputs[0].contains(read));
            }
          });
        }
      });
}

TEST(TileGeometry, EveryInputIsHeldByItsProducersWindowAndNothingMoreIsComputed) {
  for_random_segments("tiles/taps", [](const Network& network, const SegmentGeometry& geometry) {
    const Segment& segment = geometry.segment();
    for_tiles(geometry, [&](int row, int col) {
      for (int producer = segment.first_layer; producer < segment.end_layer; ++producer) {
        const LayerTile made = geometry.tile(producer, row, col);
        Rect room = full_rect(network.shape(producer + 1));
        room.rows.begin = geometry.caches_rows() ? made.window.rows.begin : 0;
        EXPECT_TRUE(room.contains(made.window));
        EXPECT_TRUE(made.window.contains(made.computed));
        Rect needed;
        for (int reader = producer + 1; reader < segment.end_layer; ++reader) {
          const Layer& l = network.layers[static_cast<std::size_t>(reader)];
          for (std::size_t j = 0; j < 2; ++j) {
            if (l.inputs[j] == producer + 1) {
              const Rect read = geometry.tile(reader, row, col).inputs[j];
              const Rect& there = geometry.caches_rows() ? made.window : made.computed;
              EXPECT_TRUE(read.pixels() == 0 || there.contains(read));
              needed = {hull(needed.rows, read.rows), hull(needed.cols, read.cols)};
            }
          }
        }
        if (!geometry.materialised(producer + 1) && !geometry.caches_rows()) {
          EXPECT_EQ(made.window, made.computed);
          EXPECT_EQ(made.computed, needed);
        }
      }
      const Rect read = geometry.external_window(segment.first_layer, row, col);
      EXPECT_TRUE(full_rect(network.shape(segment.first_layer)).contains(read));
    });
  });
}

// Each pixel of a sum's input is added once.
TEST(TileGeometry, WhatAddsUpIsReadInParts) {
  int sums = 0;
  for_random_segments("tiles/sums", [&](const Network& network, const SegmentGeometry& geometry) {
    if (!geometry.adds_up()) {
      return;
    }
    ++sums;
    const int last = geometry.segment().end_layer - 1;
    const TensorShape& shape = network.shape(last);
    std::vector<int> counts(static_cast<std::size_t>(shape.pixels()), 0);
    for_tiles(geometry, [&](int row, int col) {
      const Rect read = geometry.tile(last, row, col).inputs[0];
      for (int y = read.rows.begin; y < read.rows.end; ++y) {
        for (int x = read.cols.begin; x < read.cols.end; ++x) {
          ++counts.at(static_cast<std::size_t>(y * shape.width + x));
        }
      }
    });
    EXPECT_TRUE(std::all_of(counts.begin(), counts.end(), [](int count) { return count == 1; }));
  });
  EXPECT_GT(sums, 5);
}

TEST(TileGeometry, AMovedEndKeepsOnlyWhatStays) {
  RandomStream stream(11, "tiles/move_end");
  int kept = 0;
  for (int round = 0; round < 200; ++round) {
    const Network network = testing::random_network(stream);
    const NetworkTaps taps(network);
    const int layers = network.layer_count();
    Segment segment{
        .first_layer = static_cast<int>(stream.below(static_cast<std::uint64_t>(layers))),
        .grid = {1 + static_cast<int>(stream.below(4)), 1 + static_cast<int>(stream.below(4))}};
    const int farthest = layers - segment.first_layer;
    SegmentGeometry moved;
    SegmentGeometry before;
    for (int move = 0; move < 20; ++move) {
      const bool is_next = move > 0 && stream.chance(0.5) && segment.end_layer < layers;
      segment.end_layer =
          is_next ? segment.end_layer + 1
                  : segment.first_layer + 1 +
                        static_cast<int>(stream.below(static_cast<std::uint64_t>(farthest)));
      int changed = segment.first_layer;
      if (move == 0) {
        moved.assign(taps, segment);
      } else {
        changed = moved.move_end(taps, segment.end_layer);
      }
      const SegmentGeometry fresh(network, segment);
      EXPECT_EQ(moved.segment(), segment);
      for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
        EXPECT_EQ(moved.materialised(layer + 1), fresh.materialised(layer + 1));
        for_tiles(fresh, [&](int row, int col) {
          EXPECT_EQ(moved.tile(layer, row, col), fresh.tile(layer, row, col));
          EXPECT_EQ(moved.external_window(segment.first_layer, row, col),
                    fresh.external_window(segment.first_layer, row, col));
          if (layer < changed) {
            EXPECT_EQ(moved.tile(layer, row, col), before.tile(layer, row, col));
          }
        });
      }
      kept += changed - segment.first_layer;
      before = moved;
    }
  }
  EXPECT_GT(kept, 1000);
}

TEST(TileGeometry, MoreRowsAStepAreStepsOfOneTakenTogether) {
  RandomStream stream(5, "geometry/steps");
  int segments = 0;
  for (int round = 0; round < 300; ++round) {
    const Network network = testing::random_network(stream);
    for (const Segment& segment : random_rows(network, 3, stream).segments) {
      Segment one_row = segment;
      one_row.step_rows = 1;
      const SegmentGeometry rows(network, one_row);
      for (int more = 1; more <= network.shape(segment.first_layer + 1).height; ++more) {
        Segment longer = segment;
        longer.step_rows = more;
        const SegmentGeometry expected(network, longer);
        SegmentGeometry taken;
        taken.take_together(rows, more, first_step_rows(NetworkTaps(network), longer));
        ASSERT_EQ(taken.segment(), longer);
        ASSERT_EQ(taken.grid(), expected.grid());
        for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
          for_tiles(expected, [&](int row, int col) {
            const LayerTile& a = taken.tile(layer, row, col);
            const LayerTile& b = expected.tile(layer, row, col);
            EXPECT_EQ(a.computed, b.computed);
            EXPECT_EQ(a.window, b.window);
            EXPECT_TRUE(same_positions(a.inputs[0].rows, b.inputs[0].rows));
            EXPECT_TRUE(same_positions(a.inputs[1].rows, b.inputs[1].rows));
            EXPECT_EQ(a.inputs[0].cols, b.inputs[0].cols);
          });
        }
      }
      ++segments;
    }
  }
  EXPECT_GT(segments, 200);
}

TEST(TileGeometry, SumsAndMaximaAgreeWithTheTiles) {
  for_random_segments("tiles/sums", [](const Network&, const SegmentGeometry& geometry) {
    for (int layer = geometry.segment().first_layer; layer < geometry.segment().end_layer;
         ++layer) {
      std::int64_t computed = 0;
      int most_rows = 0;
      int most_cols = 0;
      std::int64_t largest_window = 0;
      for_tiles(geometry, [&](int row, int col) {
        const LayerTile tile = geometry.tile(layer, row, col);
        computed += tile.computed.pixels();
        most_rows = std::max(most_rows, tile.computed.rows.size());
        most_cols = std::max(most_cols, tile.computed.cols.size());
        largest_window = std::max(largest_window, tile.window.pixels());
      });
      EXPECT_EQ(geometry.computed_pixels(layer), computed);
      EXPECT_EQ(geometry.largest_computed(Axis::kRows, layer), most_rows);
      EXPECT_EQ(geometry.largest_computed(Axis::kCols, layer), most_cols);
      EXPECT_EQ(geometry.largest_window_pixels(layer + 1), largest_window);
    }
  });
}

TEST(TileGeometry, ClippingOnlySaves) {
  RandomStream stream(11, "tiles/unclipped");
  int saved = 0;
  for (int round = 0; round < 100; ++round) {
    const Network network = testing::random_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      std::int64_t tiles = 1;
      for (const Segment& segment : schedule.segments) {
        tiles = std::max(tiles, std::int64_t{segment.grid.rows} * segment.grid.cols);
      }
      const std::int64_t clipped = scheduled_macs(network, schedule);
      const std::int64_t unclipped = unclipped_macs(network, schedule);
      EXPECT_GE(unclipped, clipped);
      EXPECT_LE(unclipped, tiles * network_macs(network));
      saved += unclipped > clipped ? 1 : 0;
    }
  }
  EXPECT_GT(saved, 100);
}

TEST(TileGeometry, OnePatchIsLayerByLayer) {
  RandomStream stream(11, "tiles/one_patch");
  for (int round = 0; round < 100; ++round) {
    const Network network = testing::random_lowered_network(stream);
    for (int split = 1; split < network.layer_count(); ++split) {
      EXPECT_EQ(scheduled_macs(network, PatchSchedule::leading({1, 1}, split)),
                network_macs(network));
      const SegmentGeometry whole(network, {.first_layer = 0, .end_layer = split, .grid = {1, 1}});
      EXPECT_EQ(whole.tile(split - 1, 0, 0).computed, full_rect(network.shape(split)));
    }
    const std::int64_t with_patches = scheduled_macs(network, PatchSchedule::leading({2, 2}, 1));
    EXPECT_EQ(with_patches, network_macs(network));  // one layer's patches have no halo to compute
  }
}

}  // namespace
}  // namespace patchnas
