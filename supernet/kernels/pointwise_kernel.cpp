#include "supernet/kernels/pointwise_kernel.h"

#include <algorithm>
#include <span>

#include "supernet/kernels/kernel_inlines.h"

namespace patchnas::kernels {
namespace {

// Rows and vectors of a register block; with the vectors of a row of b and one factor they fill the
// registers.
constexpr int kRows = simd::Isa::kRegisters / 4;
constexpr int kMaxColumns = 3;

// A matrix seen by its strides.
struct Strided {
  const float* data;
  std::int64_t row;
  std::int64_t column;
};

enum class Store { kOverwrite, kAdd };

// Asks for memory that the next tile needs, a little in every step of a product: the processor does
// not foresee it, and all at once would wait.
struct Prefetch {
  const char* at = nullptr;
  std::int64_t step = 0;

  PATCHNAS_INLINE Prefetch(std::span<const float> next, std::int64_t steps)
      : at(reinterpret_cast<const char*>(next.data())),
        step(static_cast<std::int64_t>(next.size_bytes()) / steps) {}
  PATCHNAS_INLINE void advance() {
    __builtin_prefetch(at, 0, 2);
    at += step;
  }
};

// c[R, columns] (+)= a[R, depth] * b[depth, columns]; columns: C vectors, then kLanes more if H
// is 1.
template <int R, int C, int H>
PATCHNAS_INLINE void register_block(const Strided& a, int depth, const float* b,
                                    std::int64_t b_stride, float* c, std::int64_t c_stride,
                                    Store mode, Prefetch& prefetch) {
  constexpr int kWidth = simd::Isa::kLanes;
  simd::Vec<kWidth> acc[R][C + 1] = {};
  simd::Vec<simd::kLanes> rest[R] = {};
  const float* factors = a.data;
  for (int k = 0; k < depth; ++k, b += b_stride, factors += a.column) {
    prefetch.advance();
    simd::Vec<kWidth> columns[C + 1];
    for (int j = 0; j < C; ++j) {
      columns[j] = simd::load<kWidth>(b + j * kWidth);
    }
    simd::Vec<simd::kLanes> last{};
    if constexpr (H == 1) {
      last = simd::load<simd::kLanes>(b + C * kWidth);
    }
    for (int i = 0; i < R; ++i) {
      const float factor = factors[i * a.row];
      for (int j = 0; j < C; ++j) {
        acc[i][j] += factor * columns[j];
      }
      if constexpr (H == 1) {
        rest[i] += factor * last;
      }
    }
  }
  const auto put = [mode](auto lanes, float* target, auto& value) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    simd::store<kLanes>(target, mode == Store::kAdd ? value + simd::load<kLanes>(target) : value);
  };
  for (int i = 0; i < R; ++i, c += c_stride) {
    for (int j = 0; j < C; ++j) {
      put(simd::Width<kWidth>{}, c + j * kWidth, acc[i][j]);
    }
    if constexpr (H == 1) {
      put(simd::Width<simd::kLanes>{}, c + C * kWidth, rest[i]);
    }
  }
}

template <int C, int H>
PATCHNAS_INLINE void column_block(const Strided& a, int rows, int depth, const float* b,
                                  std::int64_t b_stride, float* c, std::int64_t c_stride,
                                  Store mode, Prefetch& prefetch) {
  int i = 0;
  for (; i + kRows <= rows; i += kRows) {
    const Strided block{a.data + i * a.row, a.row, a.column};
    register_block<kRows, C, H>(block, depth, b, b_stride, c + i * c_stride, c_stride, mode,
                                prefetch);
  }
  for (; i < rows; ++i) {
    const Strided block{a.data + i * a.row, a.row, a.column};
    register_block<1, C, H>(block, depth, b, b_stride, c + i * c_stride, c_stride, mode, prefetch);
  }
}

// Calls visit(vectors, rest) for the blocks of a row of `columns` floats: `vectors` full ones, then
// simd::kLanes floats more if `rest` is 1. 3 + 3 + ... + 2 + 2 rather than ... + 1: a single column
// of accumulators would wait for itself.
template <typename Visit>
PATCHNAS_INLINE void for_column_blocks(int columns, const Visit& visit) {
  using simd::Width;
  int j = 0;
  while (j < columns) {
    const int vectors = (columns - j) / simd::Isa::kLanes;
    const int rest = (columns - j) % simd::Isa::kLanes / simd::kLanes;
    const int left = vectors + rest;
    const int take = left == 4 ? 2 : std::min(left, kMaxColumns);
    const bool with_rest = rest == 1 && take == left;
    if constexpr (simd::Isa::kLanes > simd::kLanes) {
      if (with_rest) {
        switch (take) {
          case 1:
            return visit(Width<0>{}, Width<1>{}, j);
          case 2:
            return visit(Width<1>{}, Width<1>{}, j);
          default:
            return visit(Width<2>{}, Width<1>{}, j);
        }
      }
    }
    switch (take) {
      case 1:
        visit(Width<1>{}, Width<0>{}, j);
        break;
      case 2:
        visit(Width<2>{}, Width<0>{}, j);
        break;
      default:
        visit(Width<3>{}, Width<0>{}, j);
        break;
    }
    j += take * simd::Isa::kLanes;
  }
}

// c[rows, columns] (+)= a[rows, depth] * b[depth, columns]; b and c are dense, columns a multiple
// of simd::kLanes. `next` is fetched meanwhile.
PATCHNAS_INLINE void multiply(const Strided& a, int rows, int depth, const float* b, int columns,
                              float* c, Store mode, std::span<const float> next) {
  const int blocks =
      (columns + kMaxColumns * simd::Isa::kLanes - 1) / (kMaxColumns * simd::Isa::kLanes);
  Prefetch prefetch(next, std::int64_t{std::max(1, rows / kRows)} * blocks * depth);
  for_column_blocks(columns, [&](auto vectors, auto rest, int j) PATCHNAS_INLINE_LAMBDA {
    column_block<decltype(vectors)::value, decltype(rest)::value>(a, rows, depth, b + j, columns,
                                                                  c + j, columns, mode, prefetch);
  });
}

// What of a tensor the tile after pixel `end` takes.
PATCHNAS_INLINE std::span<const float> next_tile(const float* tensor, std::int64_t end, int tile,
                                                 std::int64_t pixels, std::int64_t channels) {
  const std::int64_t count = std::min<std::int64_t>(tile, pixels - end);
  return {tensor + end * channels, static_cast<std::size_t>(count * channels)};
}

// The values of a tile of the input: in `scratch`, or in place where nothing is to be applied.
PATCHNAS_INLINE const float* tile_values(const ActivationView& view, int pixels, float* scratch) {
  if (view.scale == nullptr) {
    return view.raw;
  }
  // Pixel by pixel, as it lies in memory: here the tile is read for the first time.
  const int channels = view.channels;
  const ActivationView v = view;
  for (std::int64_t pixel = 0; pixel < std::int64_t{pixels} * channels; pixel += channels) {
    simd::for_vectors(channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
      constexpr int kLanes = decltype(lanes)::value;
      simd::store<kLanes>(scratch + pixel + channel, ViewReader<kLanes>(v, channel).read(pixel));
    });
  }
  return scratch;
}

PATCHNAS_INLINE const float* tile_norm_gradient(const NormGradient& norm, int pixels, int channels,
                                                float* scratch) {
  if (norm.a == nullptr) {
    return norm.gradient;
  }
  const NormGradient n = norm;
  for (std::int64_t pixel = 0; pixel < std::int64_t{pixels} * channels; pixel += channels) {
    simd::for_vectors(channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
      constexpr int kLanes = decltype(lanes)::value;
      simd::store<kLanes>(scratch + pixel + channel,
                          NormGradientReader<kLanes>(n, channel).read(pixel));
    });
  }
  return scratch;
}

PATCHNAS_INLINE void add_sums(const float* values, int pixels, int channels,
                              const ChannelSums& sums) {
  simd::for_vectors(channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    VectorSums<kLanes> vector_sums;
    for_pixels(pixels, [&](std::int64_t pixel, int slot) PATCHNAS_INLINE_LAMBDA {
      const simd::Vec<kLanes> v = simd::load<kLanes>(values + pixel * channels + channel);
      vector_sums.add(slot, v, v);
    });
    vector_sums.add_to(sums, channel);
  });
}

PATCHNAS_INLINE void sink_tile(const GradientSink& sink, const float* gradient, int pixels) {
  const std::int64_t channels = sink.view.channels;
  simd::for_vectors(sink.view.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    sink_pixels<kLanes>(sink, channel, pixels, [&](std::int64_t pixel) PATCHNAS_INLINE_LAMBDA {
      return simd::load<kLanes>(gradient + pixel * channels + channel);
    });
  });
}

PATCHNAS_INLINE void pointwise_forward_body(const ActivationView& input, std::int64_t pixels,
                                            const float* weights, int out_channels, float* output,
                                            const ChannelSums& sums, float* scratch) {
  const int tile = pointwise_tile_pixels(input.channels, out_channels);
  for (std::int64_t begin = 0; begin < pixels; begin += tile) {
    const int count = static_cast<int>(std::min<std::int64_t>(tile, pixels - begin));
    const float* values = tile_values(input.from_pixel(begin), count, scratch);
    float* result = output + begin * out_channels;
    multiply({values, input.channels, 1}, count, input.channels, weights, out_channels, result,
             Store::kOverwrite, next_tile(input.raw, begin + count, tile, pixels, input.channels));
    if (sums.sum != nullptr) {
      add_sums(result, count, out_channels, sums);
    }
  }
}

PATCHNAS_INLINE void pointwise_backward_body(const ActivationView& input, std::int64_t pixels,
                                             const NormGradient& output, int out_channels,
                                             const float* weights_transposed,
                                             float* weight_gradient, const GradientSink& sink,
                                             float* scratch) {
  const int channels = input.channels;
  const int tile = pointwise_tile_pixels(channels, out_channels);
  float* value_scratch = scratch;
  float* gradient_scratch = value_scratch + std::int64_t{tile} * channels;
  float* input_gradient = gradient_scratch + std::int64_t{tile} * out_channels;
  for (std::int64_t begin = 0; begin < pixels; begin += tile) {
    const int count = static_cast<int>(std::min<std::int64_t>(tile, pixels - begin));
    const float* values = tile_values(input.from_pixel(begin), count, value_scratch);
    const float* gradient = tile_norm_gradient(output.from_offset(begin * out_channels), count,
                                               out_channels, gradient_scratch);
    multiply({values, 1, channels}, channels, count, gradient, out_channels, weight_gradient,
             Store::kAdd, next_tile(input.raw, begin + count, tile, pixels, channels));
    if (sink.gradient != nullptr) {
      multiply({gradient, out_channels, 1}, count, out_channels, weights_transposed, channels,
               input_gradient, Store::kOverwrite,
               next_tile(output.gradient, begin + count, tile, pixels, out_channels));
      sink_tile(sink.from_pixel(begin), input_gradient, count);
    }
  }
}

}  // namespace

PATCHNAS_KERNEL(pointwise_forward,
                (const ActivationView& input, std::int64_t pixels, const float* weights,
                 int out_channels, float* output, const ChannelSums& sums, float* scratch),
                (input, pixels, weights, out_channels, output, sums, scratch))
PATCHNAS_KERNEL(pointwise_backward,
                (const ActivationView& input, std::int64_t pixels, const NormGradient& output,
                 int out_channels, const float* weights_transposed, float* weight_gradient,
                 const GradientSink& sink, float* scratch),
                (input, pixels, output, out_channels, weights_transposed, weight_gradient, sink,
                 scratch))

}  // namespace patchnas::kernels
