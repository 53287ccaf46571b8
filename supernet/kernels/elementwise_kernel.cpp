#include "supernet/kernels/elementwise_kernel.h"

#include <algorithm>

#include "supernet/kernels/kernel_inlines.h"

namespace patchnas::kernels {
namespace {

// Pixels that stay in the first-level cache while their channels are gone through.
constexpr std::int64_t kRun = 64;

PATCHNAS_INLINE void gather_patches_body(const float* image, const TensorShape& shape,
                                         const Kernel& kernel, const TensorShape& output,
                                         float* patches) {
  const int row_floats = simd::padded(kernel.height * kernel.width * shape.channels);
  std::fill_n(patches, output.pixels() * row_floats, 0.0F);
  for (int y = 0; y < output.height; ++y) {
    for (int x = 0; x < output.width; ++x) {
      float* row = patches + (std::int64_t{y} * output.width + x) * row_floats;
      const int first_x = x * kernel.stride_w - kernel.pad_left;
      const int begin = std::max(first_x, 0);
      const int end = std::min(first_x + kernel.width, shape.width);
      for (int ky = 0; ky < kernel.height; ++ky) {
        const int in_y = y * kernel.stride_h - kernel.pad_top + ky;
        if (in_y < 0 || in_y >= shape.height || end <= begin) {
          continue;
        }
        std::copy_n(image + (std::int64_t{in_y} * shape.width + begin) * shape.channels,
                    std::int64_t{end - begin} * shape.channels,
                    row + (ky * kernel.width + begin - first_x) * shape.channels);
      }
    }
  }
}

PATCHNAS_INLINE void add_views_body(const ActivationView& a, const ActivationView& b,
                                    std::int64_t pixels, float* sum) {
  const std::int64_t channels = a.channels;
  for (std::int64_t begin = 0; begin < pixels; begin += kRun) {
    const std::int64_t end = std::min(pixels, begin + kRun);
    simd::for_vectors(a.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
      constexpr int kLanes = decltype(lanes)::value;
      const ViewReader<kLanes> left(a, channel);
      const ViewReader<kLanes> right(b, channel);
      for (std::int64_t offset = begin * channels; offset < end * channels; offset += channels) {
        simd::store<kLanes>(sum + offset + channel, left.read(offset) + right.read(offset));
      }
    });
  }
}

PATCHNAS_INLINE void finish_gradient_body(const GradientSink& sink, std::int64_t pixels) {
  const std::int64_t channels = sink.view.channels;
  for (std::int64_t begin = 0; begin < pixels; begin += kRun) {
    GradientSink run = sink.from_pixel(begin);
    run.accumulate = false;
    simd::for_vectors(sink.view.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
      constexpr int kLanes = decltype(lanes)::value;
      const float* gradient = run.gradient + channel;
      sink_pixels<kLanes>(run, channel, std::min<std::int64_t>(kRun, pixels - begin),
                          [&](std::int64_t pixel) PATCHNAS_INLINE_LAMBDA {
                            return simd::load<kLanes>(gradient + pixel * channels);
                          });
    });
  }
}

PATCHNAS_INLINE void accumulate_body(const float* source, std::int64_t count, float* target) {
  simd::for_vectors(count, [&](auto lanes, std::int64_t i) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    simd::store<kLanes>(target + i,
                        simd::load<kLanes>(source + i) + simd::load<kLanes>(target + i));
  });
}

PATCHNAS_INLINE void mean_pixels_body(const ActivationView& input, std::int64_t pixels,
                                      float* mean) {
  const std::int64_t channels = input.channels;
  simd::for_vectors(input.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    const ViewReader<kLanes> reader(input, channel);
    simd::Vec<kLanes> sum{};
    for (std::int64_t offset = 0; offset < pixels * channels; offset += channels) {
      sum += reader.read(offset);
    }
    simd::store<kLanes>(mean + channel, sum / static_cast<float>(pixels));
  });
}

PATCHNAS_INLINE void spread_gradient_body(const float* mean_gradient, std::int64_t pixels,
                                          const GradientSink& sink) {
  simd::for_vectors(sink.view.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    const simd::Vec<kLanes> share =
        simd::load<kLanes>(mean_gradient + channel) / static_cast<float>(pixels);
    sink_pixels<kLanes>(sink, channel, pixels,
                        [&](std::int64_t) PATCHNAS_INLINE_LAMBDA { return share; });
  });
}

}  // namespace

PATCHNAS_KERNEL(gather_patches,
                (const float* image, const TensorShape& shape, const Kernel& kernel,
                 const TensorShape& output, float* patches),
                (image, shape, kernel, output, patches))
PATCHNAS_KERNEL(add_views,
                (const ActivationView& a, const ActivationView& b, std::int64_t pixels, float* sum),
                (a, b, pixels, sum))
PATCHNAS_KERNEL(finish_gradient, (const GradientSink& sink, std::int64_t pixels), (sink, pixels))
PATCHNAS_KERNEL(accumulate, (const float* source, std::int64_t count, float* target),
                (source, count, target))
PATCHNAS_KERNEL(mean_pixels, (const ActivationView& input, std::int64_t pixels, float* mean),
                (input, pixels, mean))
PATCHNAS_KERNEL(spread_gradient,
                (const float* mean_gradient, std::int64_t pixels, const GradientSink& sink),
                (mean_gradient, pixels, sink))

}  // namespace patchnas::kernels
