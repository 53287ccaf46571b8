#include "supernet/elementwise_kernel.h"

#include <algorithm>

#include "supernet/kernel_inlines.h"

namespace patchnas::fused {
namespace {

// Pixels that stay in the first-level cache while their channels are gone through.
constexpr std::int64_t kRun = 64;

}  // namespace

void gather_patches(const float* image, const TensorShape& shape, const Kernel& kernel,
                    const TensorShape& output, float* patches) {
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

PATCHNAS_CLONES
void add_views(const ActivationView& a, const ActivationView& b, std::int64_t pixels, float* sum) {
  for (std::int64_t begin = 0; begin < pixels; begin += kRun) {
    const std::int64_t end = std::min(pixels, begin + kRun);
    for (int channel = 0; channel < a.channels; channel += kLanes) {
      const ViewReader left(a, channel);
      const ViewReader right(b, channel);
      for (std::int64_t pixel = begin; pixel < end; ++pixel) {
        const std::int64_t offset = pixel * a.channels;
        simd::store(sum + offset + channel, left.read(offset) + right.read(offset));
      }
    }
  }
}

PATCHNAS_CLONES
void finish_gradient(const GradientSink& sink, std::int64_t pixels) {
  const int channels = sink.view.channels;
  for (std::int64_t begin = 0; begin < pixels; begin += kRun) {
    GradientSink run = sink.from_pixel(begin);
    run.accumulate = false;
    for (int channel = 0; channel < channels; channel += kLanes) {
      GradientWriter writer(run, channel);
      for_pixels(
          std::min<std::int64_t>(kRun, pixels - begin), [&](std::int64_t pixel, int slot)
                                                            __attribute__((always_inline)) {
                                                              const std::int64_t offset =
                                                                  pixel * channels;
                                                              writer.write(
                                                                  offset, slot,
                                                                  simd::load(run.gradient + offset +
                                                                             channel));
                                                            });
      writer.finish();
    }
  }
}

PATCHNAS_CLONES
void accumulate(const float* source, std::int64_t count, float* target) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    simd::store(target + i, simd::load(source + i) + simd::load(target + i));
  }
}

PATCHNAS_CLONES
void mean_pixels(const ActivationView& input, std::int64_t pixels, float* mean) {
  for (int channel = 0; channel < input.channels; channel += kLanes) {
    const ViewReader reader(input, channel);
    Vec sum{};
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      sum += reader.read(pixel * input.channels);
    }
    simd::store(mean + channel, sum / static_cast<float>(pixels));
  }
}

PATCHNAS_CLONES
void spread_gradient(const float* mean_gradient, std::int64_t pixels, const GradientSink& sink) {
  for (int channel = 0; channel < sink.view.channels; channel += kLanes) {
    const Vec share = simd::load(mean_gradient + channel) / static_cast<float>(pixels);
    GradientWriter writer(sink, channel);
    for_pixels(
        pixels, [&](std::int64_t pixel, int slot) __attribute__((always_inline)) {
          writer.write(pixel * sink.view.channels, slot, share);
        });
    writer.finish();
  }
}

}  // namespace patchnas::fused
