#include "supernet/depthwise_kernel.h"

#include <algorithm>

#include "supernet/kernel_inlines.h"

namespace patchnas::fused {
namespace {

// A zero-padded plane of eight channels: pixel (y, x) of the tensor is at (y + top, x + left).
struct Plane {
  float* data = nullptr;
  int width = 0;
  int top = 0;
  int left = 0;

  PATCHNAS_INLINE float* at(int y, int x) const {
    return data + (std::int64_t{y + top} * width + (x + left)) * kLanes;
  }
};

struct PlaneSize {
  int height = 0;
  int width = 0;
  [[nodiscard]] std::int64_t floats() const { return std::int64_t{height} * width * kLanes; }
};

// Every window of the convolution lies in it.
PlaneSize input_plane_size(const DepthwiseShape& s) {
  return {std::max(s.in_height + s.pad_top, (s.out_height - 1) * s.stride + s.kernel_size),
          std::max(s.in_width + s.pad_left, (s.out_width - 1) * s.stride + s.kernel_size)};
}

// Every output whose window touches the input lies in it, and zeros where such an output would not
// exist.
PlaneSize gradient_plane_size(const DepthwiseShape& s) {
  return {std::max(s.in_height, s.out_height) + 2 * s.kernel_size,
          std::max(s.in_width, s.out_width) + 2 * s.kernel_size};
}

PATCHNAS_INLINE void clear(float* data, std::int64_t floats) {
  for (std::int64_t i = 0; i < floats; i += kLanes) {
    simd::store(data + i, Vec{});
  }
}

PATCHNAS_INLINE void fill_input(const DepthwiseShape& s, const ActivationView& input, int channel,
                                const Plane& plane) {
  const ViewReader reader(input, channel);
  const std::int64_t channels = s.channels;
  std::int64_t offset = 0;
  for (int y = 0; y < s.in_height; ++y) {
    float* row = plane.at(y, 0);
    for (int x = 0; x < s.in_width; ++x, offset += channels) {
      simd::store(row + x * kLanes, reader.read(offset));
    }
  }
}

PATCHNAS_INLINE void fill_gradient(const DepthwiseShape& s, const NormGradient& output, int channel,
                                   const Plane& plane) {
  const NormGradientReader reader(output, channel);
  const std::int64_t channels = s.channels;
  std::int64_t offset = 0;
  for (int y = 0; y < s.out_height; ++y) {
    float* row = plane.at(y, 0);
    for (int x = 0; x < s.out_width; ++x, offset += channels) {
      simd::store(row + x * kLanes, reader.read(offset));
    }
  }
}

// G neighbouring outputs: out[g] = sum over taps of in[(g * STRIDE + tap)] * weights[tap].
template <int K, int STRIDE, int G, typename Emit>
PATCHNAS_INLINE void window_group(const float* in, std::int64_t row_stride, const float* weights,
                                  int x, const Emit& emit) {
  Vec acc[G] = {};
  for (int ky = 0; ky < K; ++ky) {
    const float* row = in + ky * row_stride;
    for (int kx = 0; kx < K; ++kx) {
      const Vec weight = simd::load(weights + (ky * K + kx) * kLanes);
      for (int g = 0; g < G; ++g) {
        acc[g] += simd::load(row + (g * STRIDE + kx) * kLanes) * weight;
      }
    }
  }
  for (int g = 0; g < G; ++g) {
    emit(x + g, g % 4, acc[g]);
  }
}

// One row of outputs; emit(x, slot, value), slot as in kernel_inlines.h.
template <int K, int STRIDE, typename Emit>
PATCHNAS_INLINE void window_row(const float* in, std::int64_t row_stride, const float* weights,
                                int width, const Emit& emit) {
  int x = 0;
  if (width % 7 == 0) {  // 7, 14, 28, 56, 112, 224
    for (; x + 7 <= width; x += 7) {
      window_group<K, STRIDE, 7>(in + x * STRIDE * kLanes, row_stride, weights, x, emit);
    }
  }
  for (; x + 4 <= width; x += 4) {
    window_group<K, STRIDE, 4>(in + x * STRIDE * kLanes, row_stride, weights, x, emit);
  }
  for (; x < width; ++x) {
    window_group<K, STRIDE, 1>(in + x * STRIDE * kLanes, row_stride, weights, x, emit);
  }
}

template <int K, int STRIDE>
PATCHNAS_INLINE void forward_channels(const DepthwiseShape& s, const Plane& plane,
                                      const float* weights, int channel, float* output,
                                      const ChannelSums& sums) {
  const std::int64_t channels = s.channels;
  Vec sum[4] = {};
  Vec square[4] = {};
  for (int y = 0; y < s.out_height; ++y) {
    float* row = output + std::int64_t{y} * s.out_width * channels + channel;
    window_row<K, STRIDE>(
        plane.data + std::int64_t{y} * STRIDE * plane.width * kLanes,
        std::int64_t{plane.width} * kLanes, weights,
        s.out_width, [&](int x, int slot, const Vec& v) __attribute__((always_inline)) {
          simd::store(row + x * channels, v);
          sum[slot] += v;
          square[slot] += v * v;
        });
  }
  if (sums.sum != nullptr) {
    add_to(sums.sum + channel, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    add_to(sums.product + channel, (square[0] + square[1]) + (square[2] + square[3]));
  }
}

template <int K, int STRIDE>
PATCHNAS_INLINE void forward_image(const DepthwiseShape& shape, const ActivationView& input,
                                   const float* weights, float* output, const ChannelSums& sums,
                                   float* scratch) {
  const DepthwiseShape s = shape;  // a copy that no store can change stays in registers
  const PlaneSize size = input_plane_size(s);
  const Plane plane{scratch, size.width, s.pad_top, s.pad_left};
  clear(scratch, size.floats());
  for (int channel = 0; channel < s.channels; channel += kLanes) {
    fill_input(s, input, channel, plane);
    forward_channels<K, STRIDE>(s, plane, weights + std::int64_t{channel} * K * K, channel, output,
                                sums);
  }
}

// weight_gradient[ky][kx] += sum over outputs of gradient * input.
template <int K, int STRIDE>
PATCHNAS_INLINE void add_weight_gradient(const DepthwiseShape& s, const Plane& in,
                                         const Plane& gradient, float* weight_gradient) {
  for (int ky = 0; ky < K; ++ky) {
    Vec acc[K] = {};
    for (int y = 0; y < s.out_height; ++y) {
      const float* row = in.data + std::int64_t{y * STRIDE + ky} * in.width * kLanes;
      const float* g = gradient.at(y, 0);
      for (int x = 0; x < s.out_width; ++x) {
        const Vec v = simd::load(g + x * kLanes);
        for (int kx = 0; kx < K; ++kx) {
          acc[kx] += v * simd::load(row + (x * STRIDE + kx) * kLanes);
        }
      }
    }
    for (int kx = 0; kx < K; ++kx) {
      float* target = weight_gradient + (ky * K + kx) * kLanes;
      simd::store(target, acc[kx] + simd::load(target));
    }
  }
}

// Stride 1: the gradient convolved with the turned kernel.
template <int K, typename Emit>
PATCHNAS_INLINE void input_gradient_stride1(const DepthwiseShape& s, const Plane& gradient,
                                            const float* weights, const Emit& emit) {
  float turned[K * K * kLanes];
  for (int tap = 0; tap < K * K; ++tap) {
    simd::store(turned + (K * K - 1 - tap) * kLanes, simd::load(weights + tap * kLanes));
  }
  for (int y = 0; y < s.in_height; ++y) {
    window_row<K, 1>(
        gradient.at(y + s.pad_top - (K - 1), s.pad_left - (K - 1)),
        std::int64_t{gradient.width} * kLanes, turned,
        s.in_width, [&](int x, int slot, const Vec& v) __attribute__((always_inline)) {
          emit(y, x, slot, v);
        });
  }
}

// G input pixels, every second one, whose padded column is 2 * column + PARITY; only taps of that
// parity meet them.
template <int K, int PARITY, int G>
PATCHNAS_INLINE void stride2_group(const Plane& gradient, const float* weights, int padded_row,
                                   int column, Vec (&acc)[G]) {
  for (int ky = padded_row % 2; ky < K; ky += 2) {
    const float* row = gradient.at((padded_row - ky) / 2, column);
    for (int kx = PARITY; kx < K; kx += 2) {
      const Vec weight = simd::load(weights + (ky * K + kx) * kLanes);
      for (int g = 0; g < G; ++g) {
        acc[g] += simd::load(row + (g - (kx - PARITY) / 2) * kLanes) * weight;
      }
    }
  }
}

template <int K, int PARITY, int G, typename Emit>
PATCHNAS_INLINE void stride2_run(const DepthwiseShape& s, const Plane& gradient,
                                 const float* weights, int y, int& x, const Emit& emit) {
  for (; x + 2 * (G - 1) < s.in_width; x += 2 * G) {
    Vec acc[G] = {};
    stride2_group<K, PARITY, G>(gradient, weights, y + s.pad_top, (x + s.pad_left) / 2, acc);
    for (int g = 0; g < G; ++g) {
      emit(y, x + 2 * g, g % 4, acc[g]);
    }
  }
}

template <int K, int PARITY, typename Emit>
PATCHNAS_INLINE void stride2_parity(const DepthwiseShape& s, const Plane& gradient,
                                    const float* weights, int y, const Emit& emit) {
  int x = (PARITY + s.pad_left) % 2;
  stride2_run<K, PARITY, 4>(s, gradient, weights, y, x, emit);
  stride2_run<K, PARITY, 1>(s, gradient, weights, y, x, emit);
}

template <int K, typename Emit>
PATCHNAS_INLINE void input_gradient_stride2(const DepthwiseShape& s, const Plane& gradient,
                                            const float* weights, const Emit& emit) {
  for (int y = 0; y < s.in_height; ++y) {
    stride2_parity<K, 0>(s, gradient, weights, y, emit);
    stride2_parity<K, 1>(s, gradient, weights, y, emit);
  }
}

template <int K, int STRIDE>
PATCHNAS_INLINE void backward_image(const DepthwiseShape& shape, const ActivationView& input,
                                    const NormGradient& output, const float* weights,
                                    float* weight_gradient, const GradientSink& sink,
                                    float* scratch) {
  const DepthwiseShape s = shape;
  const PlaneSize in_size = input_plane_size(s);
  const PlaneSize gradient_size = gradient_plane_size(s);
  const Plane in{scratch, in_size.width, s.pad_top, s.pad_left};
  const Plane gradient{scratch + in_size.floats(), gradient_size.width, K, K};
  clear(scratch, in_size.floats() + gradient_size.floats());
  for (int channel = 0; channel < s.channels; channel += kLanes) {
    const std::int64_t taps = std::int64_t{channel} * K * K;
    fill_input(s, input, channel, in);
    fill_gradient(s, output, channel, gradient);
    add_weight_gradient<K, STRIDE>(s, in, gradient, weight_gradient + taps);
    GradientWriter writer(sink, channel);
    const std::int64_t channels = s.channels;
    const auto emit = [&](int y, int x, int slot, const Vec& v) __attribute__((always_inline)) {
      writer.write((std::int64_t{y} * s.in_width + x) * channels, slot, v);
    };
    if constexpr (STRIDE == 1) {
      input_gradient_stride1<K>(s, gradient, weights + taps, emit);
    } else {
      input_gradient_stride2<K>(s, gradient, weights + taps, emit);
    }
    writer.finish();
  }
}

}  // namespace

bool depthwise_supported(int kernel_size, int stride) {
  return (kernel_size == 1 || kernel_size == 3 || kernel_size == 5 || kernel_size == 7) &&
         (stride == 1 || stride == 2);
}

std::size_t depthwise_scratch_size(const DepthwiseShape& shape) {
  return static_cast<std::size_t>(input_plane_size(shape).floats() +
                                  gradient_plane_size(shape).floats());
}

PATCHNAS_CLONES
void depthwise_forward(const DepthwiseShape& shape, const ActivationView& input,
                       const float* weights, float* output, const ChannelSums& sums,
                       float* scratch) {
  switch (shape.kernel_size * 2 + shape.stride) {
    case 3:
      return forward_image<1, 1>(shape, input, weights, output, sums, scratch);
    case 4:
      return forward_image<1, 2>(shape, input, weights, output, sums, scratch);
    case 7:
      return forward_image<3, 1>(shape, input, weights, output, sums, scratch);
    case 8:
      return forward_image<3, 2>(shape, input, weights, output, sums, scratch);
    case 11:
      return forward_image<5, 1>(shape, input, weights, output, sums, scratch);
    case 12:
      return forward_image<5, 2>(shape, input, weights, output, sums, scratch);
    case 15:
      return forward_image<7, 1>(shape, input, weights, output, sums, scratch);
    case 16:
      return forward_image<7, 2>(shape, input, weights, output, sums, scratch);
    default:
      break;
  }
}

PATCHNAS_CLONES
void depthwise_backward(const DepthwiseShape& s, const ActivationView& input,
                        const NormGradient& output, const float* weights, float* weight_gradient,
                        const GradientSink& sink, float* scratch) {
  switch (s.kernel_size * 2 + s.stride) {
    case 3:
      return backward_image<1, 1>(s, input, output, weights, weight_gradient, sink, scratch);
    case 4:
      return backward_image<1, 2>(s, input, output, weights, weight_gradient, sink, scratch);
    case 7:
      return backward_image<3, 1>(s, input, output, weights, weight_gradient, sink, scratch);
    case 8:
      return backward_image<3, 2>(s, input, output, weights, weight_gradient, sink, scratch);
    case 11:
      return backward_image<5, 1>(s, input, output, weights, weight_gradient, sink, scratch);
    case 12:
      return backward_image<5, 2>(s, input, output, weights, weight_gradient, sink, scratch);
    case 15:
      return backward_image<7, 1>(s, input, output, weights, weight_gradient, sink, scratch);
    case 16:
      return backward_image<7, 2>(s, input, output, weights, weight_gradient, sink, scratch);
    default:
      break;
  }
}

}  // namespace patchnas::fused
