#include "supernet/kernels/function_kernel.h"

#include <cmath>

#include "arch/fixed_point.h"
#include "supernet/kernels/kernel_inlines.h"

namespace patchnas::kernels {
namespace {

template <int Lanes>
PATCHNAS_INLINE simd::Vec<Lanes> logistic(const simd::Vec<Lanes>& x) {
  simd::Vec<Lanes> y;
  for (int lane = 0; lane < Lanes; ++lane) {
    y[lane] = 1.0F / (1.0F + std::exp(-x[lane]));
  }
  return y;
}

template <int Lanes>
PATCHNAS_INLINE simd::Vec<Lanes> value_of(ValueFunction function, const simd::Vec<Lanes>& x) {
  if (function == ValueFunction::kLogistic) {
    return logistic<Lanes>(x);
  }
  const simd::Vec<Lanes> ramp =
      clamp<Lanes>(x + 3.0F, simd::splat<Lanes>(0.0F), simd::splat<Lanes>(6.0F));
  return x * ramp / 6.0F;
}

template <int Lanes>
PATCHNAS_INLINE simd::Vec<Lanes> slope_of(ValueFunction function, const simd::Vec<Lanes>& x) {
  if (function == ValueFunction::kLogistic) {
    const simd::Vec<Lanes> y = logistic<Lanes>(x);
    return y * (1.0F - y);
  }
  const simd::Vec<Lanes> inside = x / 3.0F + 0.5F;
  const simd::Vec<Lanes> left = x > -3.0F ? inside : simd::Vec<Lanes>{};
  return x < 3.0F ? left : simd::splat<Lanes>(1.0F);
}

/// Calls visit(Width, channel, offset) for all vectors of all pixels.
template <typename Visit>
PATCHNAS_INLINE void for_elements(int channels, std::int64_t pixels, const Visit& visit) {
  for (std::int64_t offset = 0; offset < pixels * channels; offset += channels) {
    simd::for_vectors(channels, [&](auto lanes, int channel)
                                    PATCHNAS_INLINE_LAMBDA { visit(lanes, channel, offset); });
  }
}

PATCHNAS_INLINE void apply_function_body(ValueFunction function, const ActivationView& input,
                                         std::int64_t pixels, float* output) {
  for_elements(input.channels, pixels,
               [&](auto lanes, int channel, std::int64_t offset) PATCHNAS_INLINE_LAMBDA {
                 constexpr int kLanes = decltype(lanes)::value;
                 const ViewReader<kLanes> reader(input, channel);
                 simd::store<kLanes>(output + offset + channel,
                                     value_of<kLanes>(function, reader.read(offset)));
               });
}

PATCHNAS_INLINE void look_up_steps_body(const StepTable& table, const ActivationView& input,
                                        std::int64_t pixels, float* output) {
  for_elements(
      input.channels, pixels,
      [&](auto lanes, int channel, std::int64_t offset) PATCHNAS_INLINE_LAMBDA {
        constexpr int kLanes = decltype(lanes)::value;
        const simd::Vec<kLanes> steps = ViewReader<kLanes>(input, channel).read(offset);
        for (int lane = 0; lane < kLanes; ++lane) {
          const auto stored = static_cast<std::int32_t>(steps[lane]) + table.input_zero_point;
          output[offset + channel + lane] = table.values[static_cast<std::size_t>(stored + 128)];
        }
      });
}

PATCHNAS_INLINE void function_gradient_body(ValueFunction function, const ActivationView& input,
                                            float step, const float* gradient, std::int64_t pixels,
                                            const GradientSink& sink) {
  const std::int64_t channels = input.channels;
  simd::for_vectors(input.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    const ViewReader<kLanes> reader(input, channel);
    const float* const of_output = gradient + channel;
    sink_pixels<kLanes>(sink, channel, pixels, [&](std::int64_t pixel) PATCHNAS_INLINE_LAMBDA {
      const std::int64_t offset = pixel * channels;
      return simd::load<kLanes>(of_output + offset) *
             slope_of<kLanes>(function, reader.read(offset) * step);
    });
  });
}

PATCHNAS_INLINE void scale_pixels_body(const ActivationView& map, const ActivationView& factors,
                                       std::int64_t pixels, float* output) {
  const std::int64_t channels = map.channels;
  simd::for_vectors(map.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    const ViewReader<kLanes> reader(map, channel);
    const simd::Vec<kLanes> factor = ViewReader<kLanes>(factors, channel).read(0);
    for (std::int64_t offset = 0; offset < pixels * channels; offset += channels) {
      simd::store<kLanes>(output + offset + channel, reader.read(offset) * factor);
    }
  });
}

PATCHNAS_INLINE void scale_steps_body(const ActivationView& map, const ActivationView& factors,
                                      const Requantisation& by, std::int64_t pixels,
                                      float* output) {
  for_elements(map.channels, pixels,
               [&](auto lanes, int channel, std::int64_t offset) PATCHNAS_INLINE_LAMBDA {
                 constexpr int kLanes = decltype(lanes)::value;
                 const simd::Vec<kLanes> products = ViewReader<kLanes>(map, channel).read(offset) *
                                                    ViewReader<kLanes>(factors, channel).read(0);
                 for (int lane = 0; lane < kLanes; ++lane) {
                   output[offset + channel + lane] = static_cast<float>(
                       requantise(static_cast<std::int32_t>(products[lane]), by));
                 }
               });
}

PATCHNAS_INLINE void scaled_map_gradient_body(const ActivationView& factors, float step,
                                              const float* gradient, std::int64_t pixels,
                                              const GradientSink& sink) {
  const std::int64_t channels = sink.view.channels;
  simd::for_vectors(sink.view.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    const simd::Vec<kLanes> factor = ViewReader<kLanes>(factors, channel).read(0) * step;
    const float* const of_output = gradient + channel;
    sink_pixels<kLanes>(sink, channel, pixels, [&](std::int64_t pixel) PATCHNAS_INLINE_LAMBDA {
      return simd::load<kLanes>(of_output + pixel * channels) * factor;
    });
  });
}

PATCHNAS_INLINE void scaling_factor_gradient_body(const ActivationView& map, float step,
                                                  const float* gradient, std::int64_t pixels,
                                                  const GradientSink& sink) {
  const std::int64_t channels = map.channels;
  simd::for_vectors(map.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    const ViewReader<kLanes> reader(map, channel);
    simd::Vec<kLanes> sum{};
    for (std::int64_t offset = 0; offset < pixels * channels; offset += channels) {
      sum += simd::load<kLanes>(gradient + channel + offset) * reader.read(offset);
    }
    const simd::Vec<kLanes> total = sum * step;
    sink_pixels<kLanes>(sink, channel, 1,
                        [&](std::int64_t) PATCHNAS_INLINE_LAMBDA { return total; });
  });
}

}  // namespace

PATCHNAS_KERNEL(apply_function,
                (ValueFunction function, const ActivationView& input, std::int64_t pixels,
                 float* output),
                (function, input, pixels, output))
PATCHNAS_KERNEL(look_up_steps,
                (const StepTable& table, const ActivationView& input, std::int64_t pixels,
                 float* output),
                (table, input, pixels, output))
PATCHNAS_KERNEL(function_gradient,
                (ValueFunction function, const ActivationView& input, float step,
                 const float* gradient, std::int64_t pixels, const GradientSink& sink),
                (function, input, step, gradient, pixels, sink))
PATCHNAS_KERNEL(scale_pixels,
                (const ActivationView& map, const ActivationView& factors, std::int64_t pixels,
                 float* output),
                (map, factors, pixels, output))
PATCHNAS_KERNEL(scale_steps,
                (const ActivationView& map, const ActivationView& factors, const Requantisation& by,
                 std::int64_t pixels, float* output),
                (map, factors, by, pixels, output))
PATCHNAS_KERNEL(scaled_map_gradient,
                (const ActivationView& factors, float step, const float* gradient,
                 std::int64_t pixels, const GradientSink& sink),
                (factors, step, gradient, pixels, sink))
PATCHNAS_KERNEL(scaling_factor_gradient,
                (const ActivationView& map, float step, const float* gradient, std::int64_t pixels,
                 const GradientSink& sink),
                (map, step, gradient, pixels, sink))

}  // namespace patchnas::kernels
