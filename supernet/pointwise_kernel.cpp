#include "supernet/pointwise_kernel.h"

#include <algorithm>

#include "supernet/kernel_inlines.h"

namespace patchnas::fused {
namespace {

// A tile of pixels: its inputs and outputs stay in the first-level cache between the steps of a
// kernel.
constexpr int kTileFloats = 6144;
constexpr int kRows = 4;        // of a register block
constexpr int kMaxColumns = 3;  // vectors of a register block: 4 x 3 accumulators

int tile_pixels(int in_channels, int out_channels) {
  const int pixels = kTileFloats / (in_channels + out_channels);
  return std::clamp(pixels / kRows * kRows, 32, 256);
}

// A matrix seen by its strides.
struct Strided {
  const float* data;
  std::int64_t row;
  std::int64_t column;
};

enum class Store { kOverwrite, kAdd };

// c[R, 8 * C] (+)= a[R, depth] * b[depth, 8 * C]
template <int R, int C>
PATCHNAS_INLINE void register_block(const Strided& a, int depth, const float* b,
                                    std::int64_t b_stride, float* c, std::int64_t c_stride,
                                    Store mode) {
  Vec acc[R][C] = {};
  for (int k = 0; k < depth; ++k) {
    Vec columns[C];
    for (int j = 0; j < C; ++j) {
      columns[j] = simd::load(b + k * b_stride + j * kLanes);
    }
    for (int i = 0; i < R; ++i) {
      const float factor = a.data[i * a.row + k * a.column];
      for (int j = 0; j < C; ++j) {
        acc[i][j] += factor * columns[j];
      }
    }
  }
  for (int i = 0; i < R; ++i) {
    for (int j = 0; j < C; ++j) {
      float* target = c + i * c_stride + j * kLanes;
      if (mode == Store::kAdd) {
        acc[i][j] += simd::load(target);
      }
      simd::store(target, acc[i][j]);
    }
  }
}

template <int C>
PATCHNAS_INLINE void column_block(const Strided& a, int rows, int depth, const float* b,
                                  std::int64_t b_stride, float* c, std::int64_t c_stride,
                                  Store mode) {
  int i = 0;
  for (; i + kRows <= rows; i += kRows) {
    const Strided block{a.data + i * a.row, a.row, a.column};
    register_block<kRows, C>(block, depth, b, b_stride, c + i * c_stride, c_stride, mode);
  }
  for (; i < rows; ++i) {
    const Strided block{a.data + i * a.row, a.row, a.column};
    register_block<1, C>(block, depth, b, b_stride, c + i * c_stride, c_stride, mode);
  }
}

// c[rows, columns] (+)= a[rows, depth] * b[depth, columns]; b and c are dense, columns a multiple
// of 8.
PATCHNAS_INLINE void multiply(const Strided& a, int rows, int depth, const float* b, int columns,
                              float* c, Store mode) {
  int vectors = columns / kLanes;
  int j = 0;
  while (vectors > 0) {
    // 3 + 3 + ... + 2 + 2 rather than ... + 1: a single column of accumulators would wait for
    // itself.
    if (vectors == 1) {
      column_block<1>(a, rows, depth, b + j, columns, c + j, columns, mode);
      vectors -= 1;
      j += kLanes;
    } else if (vectors == 2 || vectors == 4) {
      column_block<2>(a, rows, depth, b + j, columns, c + j, columns, mode);
      vectors -= 2;
      j += 2 * kLanes;
    } else {
      column_block<kMaxColumns>(a, rows, depth, b + j, columns, c + j, columns, mode);
      vectors -= kMaxColumns;
      j += kMaxColumns * kLanes;
    }
  }
}

// The values of a tile of the input: in `scratch`, or in place where nothing is to be applied.
PATCHNAS_INLINE const float* tile_values(const ActivationView& view, int pixels, float* scratch) {
  if (view.scale == nullptr) {
    return view.raw;
  }
  for (int channel = 0; channel < view.channels; channel += kLanes) {
    const ViewReader reader(view, channel);
    for (int pixel = 0; pixel < pixels; ++pixel) {
      const std::int64_t offset = std::int64_t{pixel} * view.channels;
      simd::store(scratch + offset + channel, reader.read(offset));
    }
  }
  return scratch;
}

PATCHNAS_INLINE const float* tile_norm_gradient(const NormGradient& norm, int pixels, int channels,
                                                float* scratch) {
  if (norm.a == nullptr) {
    return norm.gradient;
  }
  for (int channel = 0; channel < channels; channel += kLanes) {
    const NormGradientReader reader(norm, channel);
    for (int pixel = 0; pixel < pixels; ++pixel) {
      const std::int64_t offset = std::int64_t{pixel} * channels;
      simd::store(scratch + offset + channel, reader.read(offset));
    }
  }
  return scratch;
}

PATCHNAS_INLINE void add_sums(const float* values, int pixels, int channels,
                              const ChannelSums& sums) {
  for (int channel = 0; channel < channels; channel += kLanes) {
    Vec sum[4] = {};
    Vec square[4] = {};
    for_pixels(
        pixels, [&](std::int64_t pixel, int slot) __attribute__((always_inline)) {
          const Vec v = simd::load(values + pixel * channels + channel);
          sum[slot] += v;
          square[slot] += v * v;
        });
    add_to(sums.sum + channel, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    add_to(sums.product + channel, (square[0] + square[1]) + (square[2] + square[3]));
  }
}

PATCHNAS_INLINE void sink_tile(const GradientSink& sink, const float* gradient, int pixels) {
  const int channels = sink.view.channels;
  for (int channel = 0; channel < channels; channel += kLanes) {
    GradientWriter writer(sink, channel);
    for_pixels(
        pixels, [&](std::int64_t pixel, int slot) __attribute__((always_inline)) {
          writer.write(pixel * channels, slot, simd::load(gradient + pixel * channels + channel));
        });
    writer.finish();
  }
}

}  // namespace

std::size_t pointwise_scratch_size(int in_channels, int out_channels) {
  const auto pixels = static_cast<std::size_t>(tile_pixels(in_channels, out_channels));
  return pixels * static_cast<std::size_t>(2 * in_channels + out_channels);
}

PATCHNAS_CLONES
void pointwise_forward(const ActivationView& input, std::int64_t pixels, const float* weights,
                       int out_channels, float* output, const ChannelSums& sums, float* scratch) {
  const int tile = tile_pixels(input.channels, out_channels);
  for (std::int64_t begin = 0; begin < pixels; begin += tile) {
    const int count = static_cast<int>(std::min<std::int64_t>(tile, pixels - begin));
    const float* values = tile_values(input.from_pixel(begin), count, scratch);
    float* result = output + begin * out_channels;
    multiply({values, input.channels, 1}, count, input.channels, weights, out_channels, result,
             Store::kOverwrite);
    if (sums.sum != nullptr) {
      add_sums(result, count, out_channels, sums);
    }
  }
}

PATCHNAS_CLONES
void pointwise_backward(const ActivationView& input, std::int64_t pixels,
                        const NormGradient& output, int out_channels,
                        const float* weights_transposed, float* weight_gradient,
                        const GradientSink& sink, float* scratch) {
  const int channels = input.channels;
  const int tile = tile_pixels(channels, out_channels);
  float* value_scratch = scratch;
  float* gradient_scratch = value_scratch + std::int64_t{tile} * channels;
  float* input_gradient = gradient_scratch + std::int64_t{tile} * out_channels;
  for (std::int64_t begin = 0; begin < pixels; begin += tile) {
    const int count = static_cast<int>(std::min<std::int64_t>(tile, pixels - begin));
    const float* values = tile_values(input.from_pixel(begin), count, value_scratch);
    const float* gradient = tile_norm_gradient(output.from_offset(begin * out_channels), count,
                                               out_channels, gradient_scratch);
    multiply({values, 1, channels}, channels, count, gradient, out_channels, weight_gradient,
             Store::kAdd);
    if (sink.gradient != nullptr) {
      multiply({gradient, out_channels, 1}, count, out_channels, weights_transposed, channels,
               input_gradient, Store::kOverwrite);
      sink_tile(sink.from_pixel(begin), input_gradient, count);
    }
  }
}

}  // namespace patchnas::fused
