#include "supernet/kernels/depthwise_kernel.h"

#include <algorithm>

#include "supernet/kernels/kernel_inlines.h"

namespace patchnas::kernels {
namespace {

// A zero-padded plane of the channels of a vector: pixel (y, x) of the tensor is at (y + top, x +
// left).
template <int Lanes>
struct Plane {
  float* data = nullptr;
  int width = 0;
  int top = 0;
  int left = 0;

  PATCHNAS_INLINE float* at(int y, int x) const {
    return data + (std::int64_t{y + top} * width + (x + left)) * Lanes;
  }
};

// Rows of a plane whose floats stay in the first-level cache from one step of a kernel to the next.
constexpr std::int64_t kBandFloats = 5120;

int band_rows(int width, int lanes) {
  return static_cast<int>(std::max<std::int64_t>(1, kBandFloats / (std::int64_t{width} * lanes)));
}

template <int Lanes>
PATCHNAS_INLINE void clear(float* data, std::int64_t floats) {
  for (std::int64_t i = 0; i < floats; i += Lanes) {
    simd::store<Lanes>(data + i, simd::Vec<Lanes>{});
  }
}

// Rows [begin, end) of a tensor `width` pixels wide, through a reader, into a plane.
template <int Lanes, typename Reader>
PATCHNAS_INLINE void fill_rows(const Reader& reader, const Plane<Lanes>& plane, int begin, int end,
                               int width, std::int64_t channels) {
  std::int64_t offset = std::int64_t{begin} * width * channels;
  for (int y = begin; y < end; ++y) {
    float* row = plane.at(y, 0);
    for (int x = 0; x < width; ++x, offset += channels) {
      reader.prefetch(offset + kPrefetchPixels * channels);
      simd::store<Lanes>(row + x * Lanes, reader.read(offset));
    }
  }
}

// The weights of all taps, [taps][Lanes], from [channels / 8][taps][8].
template <int Taps, int Lanes>
PATCHNAS_INLINE void gather_taps(const float* weights, float (&taps)[Taps * Lanes]) {
  for (int tap = 0; tap < Taps; ++tap) {
    for (int part = 0; part < Lanes; part += simd::kLanes) {
      simd::store<simd::kLanes>(
          taps + tap * Lanes + part,
          simd::load<simd::kLanes>(weights + part * Taps + tap * simd::kLanes));
    }
  }
}

// The way back, added to what is there.
template <int Taps, int Lanes>
PATCHNAS_INLINE void add_taps(const float (&taps)[Taps * Lanes], float* weights) {
  for (int tap = 0; tap < Taps; ++tap) {
    for (int part = 0; part < Lanes; part += simd::kLanes) {
      float* target = weights + part * Taps + tap * simd::kLanes;
      simd::store<simd::kLanes>(target, simd::load<simd::kLanes>(target) +
                                            simd::load<simd::kLanes>(taps + tap * Lanes + part));
    }
  }
}

// G neighbouring outputs: out[g] = sum over taps of in[g * STRIDE + tap] * weights[tap].
template <int Lanes, int K, int STRIDE, int G, typename Emit>
PATCHNAS_INLINE void window_group(const float* in, std::int64_t row_stride, const float* weights,
                                  int x, const Emit& emit) {
  using Vec = simd::Vec<Lanes>;
  Vec acc[G] = {};
  for (int ky = 0; ky < K; ++ky, in += row_stride, weights += K * Lanes) {
    Vec w[K];
#pragma GCC unroll 7
    for (int kx = 0; kx < K; ++kx) {
      w[kx] = simd::load<Lanes>(weights + kx * Lanes);
    }
    // Every input is read once and goes to all outputs whose window it is in.
#pragma GCC unroll 24
    for (int i = 0; i < (G - 1) * STRIDE + K; ++i) {
      const Vec v = simd::load<Lanes>(in + i * Lanes);
#pragma GCC unroll 8
      for (int g = 0; g < G; ++g) {
        const int kx = i - g * STRIDE;
        if (kx >= 0 && kx < K) {
          acc[g] += v * w[kx];
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int g = 0; g < G; ++g) {
    emit(x + g, g % 4, acc[g]);
  }
}

// One row of outputs; emit(x, slot, value), slot as in kernel_inlines.h.
template <int Lanes, int K, int STRIDE, typename Emit>
PATCHNAS_INLINE void window_row(const float* in, std::int64_t row_stride, const float* weights,
                                int width, const Emit& emit) {
  int x = 0;
  const auto groups = [&](auto group) PATCHNAS_INLINE_LAMBDA {
    constexpr int G = decltype(group)::value;
    for (; x + G <= width; x += G) {
      window_group<Lanes, K, STRIDE, G>(in + x * STRIDE * Lanes, row_stride, weights, x, emit);
    }
  };
  if constexpr (simd::Isa::kRegisters > 16) {
    if (width % 7 == 0) {  // 7, 14, 28, 56, 112, 224
      groups(simd::Width<7>{});
    }
  }
  groups(simd::Width<4>{});
  groups(simd::Width<1>{});
}

template <int Lanes, int K, int STRIDE>
PATCHNAS_INLINE void forward_channels(const DepthwiseShape& s, const ActivationView& input,
                                      const float* weights, int channel, const Plane<Lanes>& plane,
                                      float* output, const ChannelSums& sums) {
  using Vec = simd::Vec<Lanes>;
  const std::int64_t channels = s.channels;
  const ViewReader<Lanes> reader(input, channel);
  float taps[K * K * Lanes];
  gather_taps<K * K, Lanes>(weights + std::int64_t{channel} * K * K, taps);
  VectorSums<Lanes> own;
  const int band = band_rows(plane.width * STRIDE, Lanes);
  int filled = 0;
  for (int begin = 0; begin < s.out_height; begin += band) {
    const int end = std::min(begin + band, s.out_height);
    const int needed = std::min(s.in_height, (end - 1) * STRIDE + K - s.pad_top);
    fill_rows<Lanes>(reader, plane, filled, needed, s.in_width, channels);
    filled = std::max(filled, needed);
    for (int y = begin; y < end; ++y) {
      float* row = output + std::int64_t{y} * s.out_width * channels + channel;
      window_row<Lanes, K, STRIDE>(plane.data + std::int64_t{y} * STRIDE * plane.width * Lanes,
                                   std::int64_t{plane.width} * Lanes, taps, s.out_width,
                                   [&](int x, int slot, const Vec& v) PATCHNAS_INLINE_LAMBDA {
                                     simd::store<Lanes>(row + x * channels, v);
                                     own.add(slot, v, v);
                                   });
    }
  }
  if (sums.sum != nullptr) {
    own.add_to(sums, channel);
  }
}

template <int K, int STRIDE>
PATCHNAS_INLINE void forward_image(const DepthwiseShape& shape, const ActivationView& input,
                                   const float* weights, float* output, const ChannelSums& sums,
                                   float* scratch) {
  const DepthwiseShape s = shape;  // a copy that no store can change stays in registers
  const PlaneSize size = s.input_plane();
  int cleared = 0;
  simd::for_vectors(s.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    const Plane<kLanes> plane{scratch, size.width, s.pad_top, s.pad_left};
    if (cleared != kLanes) {
      clear<kLanes>(scratch, size.pixels() * kLanes);
      cleared = kLanes;
    }
    forward_channels<kLanes, K, STRIDE>(s, input, weights, channel, plane, output, sums);
  });
}

// Rows of the kernel whose weights' gradients are summed in registers at a time, and outputs
// taken at a time.
template <int K>
struct GradientBlock {
  static constexpr int kOutputs = simd::Isa::kRegisters > 16 ? (K == 7 ? 2 : 4) : (K == 7 ? 2 : 3);
  static constexpr int kRows = std::clamp((simd::Isa::kRegisters - kOutputs - 1) / K, 1, K);
};

// gradients[r][kx] += sum over a row of outputs of gradient * input, for kernel rows r in [0, R).
template <int Lanes, int K, int STRIDE, int R>
PATCHNAS_INLINE void weight_gradient_rows(const float* in, std::int64_t row_stride,
                                          const float* gradient, int width, float* gradients) {
  using Vec = simd::Vec<Lanes>;
  Vec acc[R * K];
#pragma GCC unroll 32
  for (int tap = 0; tap < R * K; ++tap) {
    acc[tap] = simd::load<Lanes>(gradients + tap * Lanes);
  }
  const auto outputs = [&](auto group, int x) PATCHNAS_INLINE_LAMBDA {
    constexpr int G = decltype(group)::value;
    Vec g[G];
#pragma GCC unroll 8
    for (int i = 0; i < G; ++i) {
      g[i] = simd::load<Lanes>(gradient + (x + i) * Lanes);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float* row = in + r * row_stride + x * STRIDE * Lanes;
#pragma GCC unroll 24
      for (int i = 0; i < (G - 1) * STRIDE + K; ++i) {
        const Vec v = simd::load<Lanes>(row + i * Lanes);
#pragma GCC unroll 8
        for (int j = 0; j < G; ++j) {
          const int kx = i - j * STRIDE;
          if (kx >= 0 && kx < K) {
            acc[r * K + kx] += g[j] * v;
          }
        }
      }
    }
  };
  constexpr int G = GradientBlock<K>::kOutputs;
  int x = 0;
  for (; x + G <= width; x += G) {
    outputs(simd::Width<G>{}, x);
  }
  for (; x < width; ++x) {
    outputs(simd::Width<1>{}, x);
  }
#pragma GCC unroll 32
  for (int tap = 0; tap < R * K; ++tap) {
    simd::store<Lanes>(gradients + tap * Lanes, acc[tap]);
  }
}

// gradients[ky][kx] += sum over output rows [begin, end) of gradient * input.
template <int Lanes, int K, int STRIDE>
PATCHNAS_INLINE void add_weight_gradient(const Plane<Lanes>& in, const Plane<Lanes>& gradient,
                                         int begin, int end, int width, float* gradients) {
  constexpr int R = GradientBlock<K>::kRows;
  const std::int64_t row_stride = std::int64_t{in.width} * Lanes;
  const auto rows = [&](auto count, int ky) PATCHNAS_INLINE_LAMBDA {
    for (int y = begin; y < end; ++y) {
      weight_gradient_rows<Lanes, K, STRIDE, decltype(count)::value>(
          in.data + (y * STRIDE + ky) * row_stride, row_stride, gradient.at(y, 0), width,
          gradients + ky * K * Lanes);
    }
  };
  int ky = 0;
  for (; ky + R <= K; ky += R) {
    rows(simd::Width<R>{}, ky);
  }
  if constexpr (K % R != 0) {
    rows(simd::Width<K % R>{}, ky);
  }
}

// Stride 1: one row of the gradient convolved with the turned kernel.
template <int Lanes, int K, typename Emit>
PATCHNAS_INLINE void input_gradient_stride1(const DepthwiseShape& s, const Plane<Lanes>& gradient,
                                            const float* turned, int y, const Emit& emit) {
  window_row<Lanes, K, 1>(gradient.at(y + s.pad_top - (K - 1), s.pad_left - (K - 1)),
                          std::int64_t{gradient.width} * Lanes, turned, s.in_width, emit);
}

// G input pixels, every second one, whose padded column is 2 * column + PARITY; only taps of that
// parity meet them.
template <int Lanes, int K, int PARITY, int G>
PATCHNAS_INLINE void stride2_group(const Plane<Lanes>& gradient, const float* weights,
                                   int padded_row, int column, simd::Vec<Lanes> (&acc)[G]) {
  for (int ky = padded_row % 2; ky < K; ky += 2) {
    const float* row = gradient.at((padded_row - ky) / 2, column);
#pragma GCC unroll 4
    for (int kx = PARITY; kx < K; kx += 2) {
      const simd::Vec<Lanes> weight = simd::load<Lanes>(weights + (ky * K + kx) * Lanes);
#pragma GCC unroll 8
      for (int g = 0; g < G; ++g) {
        acc[g] += simd::load<Lanes>(row + (g - (kx - PARITY) / 2) * Lanes) * weight;
      }
    }
  }
}

template <int Lanes, int K, int PARITY, int G, typename Emit>
PATCHNAS_INLINE void stride2_run(const DepthwiseShape& s, const Plane<Lanes>& gradient,
                                 const float* weights, int y, int& x, const Emit& emit) {
  for (; x + 2 * (G - 1) < s.in_width; x += 2 * G) {
    simd::Vec<Lanes> acc[G] = {};
    stride2_group<Lanes, K, PARITY, G>(gradient, weights, y + s.pad_top, (x + s.pad_left) / 2, acc);
#pragma GCC unroll 8
    for (int g = 0; g < G; ++g) {
      emit(x + 2 * g, g % 4, acc[g]);
    }
  }
}

template <int Lanes, int K, int PARITY, typename Emit>
PATCHNAS_INLINE void stride2_parity(const DepthwiseShape& s, const Plane<Lanes>& gradient,
                                    const float* weights, int y, const Emit& emit) {
  int x = (PARITY + s.pad_left) % 2;
  stride2_run<Lanes, K, PARITY, 7>(s, gradient, weights, y, x, emit);
  stride2_run<Lanes, K, PARITY, 4>(s, gradient, weights, y, x, emit);
  stride2_run<Lanes, K, PARITY, 1>(s, gradient, weights, y, x, emit);
}

template <int Lanes, int K, int STRIDE>
PATCHNAS_INLINE void backward_channels(const DepthwiseShape& s, const ActivationView& input,
                                       const NormGradient& output, const float* weights,
                                       int channel, const Plane<Lanes>& in,
                                       const Plane<Lanes>& gradient, float* weight_gradient,
                                       const GradientSink& sink, float* row_gradient) {
  using Vec = simd::Vec<Lanes>;
  constexpr int kTaps = K * K;
  const std::int64_t channels = s.channels;
  const ViewReader<Lanes> input_reader(input, channel);
  const NormGradientReader<Lanes> gradient_reader(output, channel);
  float taps[kTaps * Lanes];
  gather_taps<kTaps, Lanes>(weights + std::int64_t{channel} * kTaps, taps);
  if constexpr (STRIDE == 1) {
    for (int tap = 0; tap < kTaps / 2; ++tap) {  // turned by 180 degrees
      const Vec first = simd::load<Lanes>(taps + tap * Lanes);
      float* other = taps + (kTaps - 1 - tap) * Lanes;
      simd::store<Lanes>(taps + tap * Lanes, simd::load<Lanes>(other));
      simd::store<Lanes>(other, first);
    }
  }
  float gradients[kTaps * Lanes] = {};
  const int band = band_rows(in.width * STRIDE + gradient.width, Lanes);
  int filled = 0;
  int finished = 0;
  for (int begin = 0; begin < s.out_height; begin += band) {
    const int end = std::min(begin + band, s.out_height);
    const int needed = std::min(s.in_height, (end - 1) * STRIDE + K - s.pad_top);
    fill_rows<Lanes>(input_reader, in, filled, needed, s.in_width, channels);
    filled = std::max(filled, needed);
    fill_rows<Lanes>(gradient_reader, gradient, begin, end, s.out_width, channels);
    add_weight_gradient<Lanes, K, STRIDE>(in, gradient, begin, end, s.out_width, gradients);
    if (sink.gradient == nullptr) {
      continue;
    }
    // The input rows of which no later output row has a part.
    const int complete =
        end == s.out_height ? s.in_height : std::min(s.in_height, end * STRIDE - s.pad_top);
    for (int y = finished; y < complete; ++y) {
      const auto emit = [&](int x, int, const Vec& v) PATCHNAS_INLINE_LAMBDA {
        simd::store<Lanes>(row_gradient + x * Lanes, v);
      };
      if constexpr (STRIDE == 1) {
        input_gradient_stride1<Lanes, K>(s, gradient, taps, y, emit);
      } else {
        stride2_parity<Lanes, K, 0>(s, gradient, taps, y, emit);
        stride2_parity<Lanes, K, 1>(s, gradient, taps, y, emit);
      }
      sink_pixels<Lanes>(sink.from_pixel(std::int64_t{y} * s.in_width), channel, s.in_width,
                         [&](std::int64_t x) PATCHNAS_INLINE_LAMBDA {
                           return simd::load<Lanes>(row_gradient + x * Lanes);
                         });
    }
    finished = std::max(finished, complete);
  }
  add_taps<kTaps, Lanes>(gradients, weight_gradient + std::int64_t{channel} * kTaps);
}

template <int K, int STRIDE>
PATCHNAS_INLINE void backward_image(const DepthwiseShape& shape, const ActivationView& input,
                                    const NormGradient& output, const float* weights,
                                    float* weight_gradient, const GradientSink& sink,
                                    float* scratch) {
  const DepthwiseShape s = shape;
  const PlaneSize in_size = s.input_plane();
  const PlaneSize gradient_size = s.gradient_plane();
  int cleared = 0;
  simd::for_vectors(s.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    float* second = scratch + in_size.pixels() * kLanes;
    float* row = second + gradient_size.pixels() * kLanes;
    const Plane<kLanes> in{scratch, in_size.width, s.pad_top, s.pad_left};
    const Plane<kLanes> gradient{second, gradient_size.width, K, K};
    if (cleared != kLanes) {
      clear<kLanes>(scratch, (in_size.pixels() + gradient_size.pixels()) * kLanes);
      cleared = kLanes;
    }
    backward_channels<kLanes, K, STRIDE>(s, input, output, weights, channel, in, gradient,
                                         weight_gradient, sink, row);
  });
}

// Calls visit(kernel size, stride) with both as types.
template <typename Visit>
PATCHNAS_INLINE void for_shape(const DepthwiseShape& s, const Visit& visit) {
  using simd::Width;
  switch (s.kernel_size * 2 + s.stride) {
    case 3:
      return visit(Width<1>{}, Width<1>{});
    case 4:
      return visit(Width<1>{}, Width<2>{});
    case 7:
      return visit(Width<3>{}, Width<1>{});
    case 8:
      return visit(Width<3>{}, Width<2>{});
    case 11:
      return visit(Width<5>{}, Width<1>{});
    case 12:
      return visit(Width<5>{}, Width<2>{});
    case 15:
      return visit(Width<7>{}, Width<1>{});
    case 16:
      return visit(Width<7>{}, Width<2>{});
    default:
      break;
  }
}

PATCHNAS_INLINE void depthwise_forward_body(const DepthwiseShape& shape,
                                            const ActivationView& input, const float* weights,
                                            float* output, const ChannelSums& sums,
                                            float* scratch) {
  for_shape(shape, [&](auto kernel, auto stride) PATCHNAS_INLINE_LAMBDA {
    forward_image<decltype(kernel)::value, decltype(stride)::value>(shape, input, weights, output,
                                                                    sums, scratch);
  });
}

PATCHNAS_INLINE void depthwise_backward_body(const DepthwiseShape& shape,
                                             const ActivationView& input,
                                             const NormGradient& output, const float* weights,
                                             float* weight_gradient, const GradientSink& sink,
                                             float* scratch) {
  for_shape(shape, [&](auto kernel, auto stride) PATCHNAS_INLINE_LAMBDA {
    backward_image<decltype(kernel)::value, decltype(stride)::value>(
        shape, input, output, weights, weight_gradient, sink, scratch);
  });
}

}  // namespace

PATCHNAS_KERNEL(depthwise_forward,
                (const DepthwiseShape& shape, const ActivationView& input, const float* weights,
                 float* output, const ChannelSums& sums, float* scratch),
                (shape, input, weights, output, sums, scratch))
PATCHNAS_KERNEL(depthwise_backward,
                (const DepthwiseShape& shape, const ActivationView& input,
                 const NormGradient& output, const float* weights, float* weight_gradient,
                 const GradientSink& sink, float* scratch),
                (shape, input, output, weights, weight_gradient, sink, scratch))

}  // namespace patchnas::kernels
