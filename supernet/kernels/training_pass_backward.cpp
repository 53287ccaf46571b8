// The way back of TrainingPass.

#include <algorithm>

#include "arch/base/parallel.h"
#include "supernet/kernels/elementwise_kernel.h"
#include "supernet/kernels/function_kernel.h"
#include "supernet/kernels/pointwise_kernel.h"
#include "supernet/kernels/thread_sums.h"
#include "supernet/kernels/training_pass.h"

namespace patchnas::kernels {
namespace {

std::vector<float> to_floats(const std::vector<double>& values, int size) {
  return {values.begin(), values.begin() + size};
}

}  // namespace

void TrainingPass::backward(
    std::span<const float> logit_gradients,
    const std::function<void(int layer, const LayerGradients& gradients)>& deliver) {
  Tensor& logits = tensors_.back();
  const int classes = network_.output().channels;
  logits.gradient = take(1, logits.channels);
  std::fill_n(logits.gradient.get(), std::int64_t{count_} * logits.channels, 0.0F);
  for (int image = 0; image < count_; ++image) {
    std::copy_n(logit_gradients.data() + std::ptrdiff_t{image} * classes, classes,
                logits.gradient.get() + std::ptrdiff_t{image} * logits.channels);
  }
  finish(logits);
  for (int i = network_.layer_count() - 1; i >= 0; --i) {
    LayerGradients gradients;
    run_backward(i, gradients);
    tensor(i + 1).gradient.reset();
    tensor(i + 1).raw.reset();
    deliver(i, gradients);
  }
  patches_.reset();
}

void TrainingPass::run_backward(int layer, LayerGradients& gradients) {
  switch (layers_[static_cast<std::size_t>(layer)].operation) {
    case Operation::kAdd:
      return backward_add(layer);
    case Operation::kMean:
      return backward_mean(layer);
    case Operation::kFunction:
      return backward_function(layer);
    case Operation::kScale:
      return backward_scale(layer);
    default:
      return backward_convolution(layer, gradients);
  }
}

// Takes part in the gradient of an input: its buffer, and whether this reader is the one to finish
// it.
GradientSink TrainingPass::sink_into(Tensor& t) {
  GradientSink sink;
  sink.view = t.mask();
  sink.accumulate = t.gradient != nullptr;
  if (t.gradient == nullptr) {
    t.gradient = take(t.pixels, t.channels);
  }
  sink.gradient = t.gradient.get();
  sink.last_reader = --t.readers_left == 0;
  sink.mean = t.mean.empty() ? nullptr : t.mean.data();
  return sink;
}

void TrainingPass::keep_sums(const GradientSink& sink, const ThreadSums& sums, Tensor& t) {
  if (sink.last_reader && sink.mean != nullptr) {
    t.gradient_sum = sums.sums();
    t.gradient_product = sums.products();
  }
}

// From batch norm's definition: with x = (raw - mean) / stddev,
// d raw = gamma / stddev * (gradient - mean(gradient) - x * mean(gradient * x)).
TrainingPass::NormCoefficients TrainingPass::norm_coefficients(const FusedLayer& fused,
                                                               const Tensor& out) const {
  const double n = static_cast<double>(count_) * static_cast<double>(out.pixels);
  NormCoefficients norm;
  for (std::size_t c = 0; c < out.inverse_stddev.size(); ++c) {
    const double inverse = out.inverse_stddev[c];
    const double product = out.gradient_product[c] * inverse;  // sum of gradient * x
    const double a = fused.gamma[c] * inverse;
    const double b = -a * inverse * product / n;
    norm.gamma_gradient.push_back(product);
    norm.a.push_back(static_cast<float>(a));
    norm.b.push_back(static_cast<float>(b));
    norm.c.push_back(static_cast<float>(-a * out.gradient_sum[c] / n - b * out.mean[c]));
  }
  return norm;
}

std::vector<float> TrainingPass::bias_gradient(const Tensor& out, int channels) const {
  std::vector<float> gradient(static_cast<std::size_t>(channels), 0.0F);
  for (std::int64_t pixel = 0; pixel < count_ * out.pixels; ++pixel) {
    for (int c = 0; c < channels; ++c) {
      gradient[static_cast<std::size_t>(c)] += out.gradient.get()[pixel * out.channels + c];
    }
  }
  return gradient;
}

void TrainingPass::backward_convolution(int layer, LayerGradients& gradients) {
  const FusedLayer& fused = layers_[static_cast<std::size_t>(layer)];
  const Layer& l = network_.layers[static_cast<std::size_t>(layer)];
  const Tensor& out = tensor(layer + 1);
  const bool has_input = fused.operation != Operation::kPatches;

  const NormCoefficients norm = norm_coefficients(fused, out);
  NormGradient output{.gradient = out.gradient.get()};
  if (fused.has_norm) {
    gradients.gamma = to_floats(norm.gamma_gradient, l.output.channels);
    gradients.beta = to_floats(out.gradient_sum, l.output.channels);
    output.raw = out.raw.get();
    output.a = norm.a.data();
    output.b = norm.b.data();
    output.c = norm.c.data();
  } else {
    gradients.bias = out.mean.empty() ? bias_gradient(out, l.output.channels)
                                      : to_floats(out.gradient_sum, l.output.channels);
  }

  GradientSink sink;
  ActivationView input{.raw = patches_.get(), .channels = fused.in_channels};
  if (has_input) {
    sink = sink_into(tensor(l.inputs[0]));
    input = tensor(l.inputs[0]).view();
  }
  const std::size_t weights = fused.weights.size();
  AlignedFloats partial(weights * static_cast<std::size_t>(thread_count()), 0.0F);
  ThreadSums sums(sink.mean != nullptr ? input.channels : 0);
  const std::int64_t in_pixels =
      fused.operation == Operation::kPatches ? fused.out_pixels : fused.in_pixels;
  parallel_ranges(count_, [&](int thread, int begin, int end) {
    float* scratch = memory_.scratch[static_cast<std::size_t>(thread)].data();
    float* weight_gradient = partial.data() + static_cast<std::size_t>(thread) * weights;
    GradientSink thread_sink = sink;
    if (sink.mean != nullptr) {
      thread_sink.sums = sums.of(thread);
    }
    const auto run = [&](int first, int count) {
      const NormGradient g = output.from_offset(first * fused.out_pixels * fused.out_channels);
      const ActivationView in = input.from_pixel(first * in_pixels);
      const GradientSink to = has_input ? thread_sink.from_pixel(first * in_pixels) : thread_sink;
      if (fused.operation == Operation::kDepthwise) {
        depthwise_backward(fused.depthwise, in, g, fused.backward_weights.data(), weight_gradient,
                           to, scratch);
      } else {
        pointwise_backward(in, count * fused.out_pixels, g, fused.out_channels,
                           fused.backward_weights.data(), weight_gradient, to, scratch);
      }
    };
    if (fused.operation == Operation::kDepthwise) {
      for (int image = begin; image < end; ++image) {
        run(image, 1);
      }
    } else {
      run(begin, end - begin);
    }
  });
  for (std::size_t begin = weights; begin < partial.size(); begin += weights) {
    accumulate(partial.data() + begin, static_cast<std::int64_t>(weights), partial.data());
  }
  gradients.weight =
      unpack_weight_gradient(network_, layer, fused, std::span(partial).first(weights));
  if (fused.integers) {
    for (float& gradient : gradients.weight) {
      gradient *= fused.integers->input_step;  // the input was in steps
    }
  }
  if (has_input) {
    keep_sums(sink, sums, tensor(l.inputs[0]));
  }
}

// Both inputs get the gradient of the sum as it is. The first to ask shares its buffer: a later
// reader of the residual's source may add to it, because by then the other branch has read it
// (supported()). In an int8 network each input has a mask of its own.
void TrainingPass::backward_add(int layer) {
  const Layer& l = network_.layers[static_cast<std::size_t>(layer)];
  const Tensor& out = tensor(layer + 1);
  const bool shares = !layers_[static_cast<std::size_t>(layer)].integers;
  for (const TensorId id : l.inputs) {
    Tensor& in = tensor(id);
    if (in.gradient == nullptr && !shares) {
      in.gradient = take(in.pixels, in.channels);
      std::fill_n(in.gradient.get(), count_ * in.pixels * in.channels, 0.0F);
    }
    if (in.gradient == nullptr) {
      in.gradient = out.gradient;
      --in.readers_left;
    } else {
      const GradientSink sink = sink_into(in);
      parallel_ranges(count_, [&](int, int begin, int end) {
        const std::int64_t image = in.pixels * in.channels;
        accumulate(out.gradient.get() + begin * image, (end - begin) * image,
                   sink.gradient + begin * image);
      });
    }
    finish(in);
  }
}

void TrainingPass::finish(Tensor& in) {
  if (in.readers_left > 0 || in.mean.empty()) {
    return;
  }
  ThreadSums sums(in.channels);
  GradientSink sink;
  sink.gradient = in.gradient.get();
  sink.view = in.mask();
  sink.mean = in.mean.data();
  parallel_ranges(count_, [&](int thread, int begin, int end) {
    GradientSink part = sink.from_pixel(begin * in.pixels);
    part.sums = sums.of(thread);
    finish_gradient(part, (end - begin) * in.pixels);
  });
  keep_sums(sink, sums, in);
}

template <typename Run>
void TrainingPass::sink_in_parts(Tensor& in, const Run& run) {
  const GradientSink sink = sink_into(in);
  ThreadSums sums(sink.mean != nullptr ? in.channels : 0);
  parallel_ranges(count_, [&](int thread, int begin, int end) {
    GradientSink part = sink;
    if (sink.mean != nullptr) {
      part.sums = sums.of(thread);
    }
    run(begin, end, part.from_pixel(begin * in.pixels));
  });
  keep_sums(sink, sums, in);
}

void TrainingPass::backward_mean(int layer) {
  Tensor& in = tensor(network_.layers[static_cast<std::size_t>(layer)].inputs[0]);
  const Tensor& out = tensor(layer + 1);
  sink_in_parts(in, [&](int begin, int end, const GradientSink& sink) {
    for (int image = begin; image < end; ++image) {
      spread_gradient(out.gradient.get() + std::int64_t{image} * out.channels, in.pixels,
                      sink.from_pixel((image - begin) * in.pixels));
    }
  });
}

void TrainingPass::backward_function(int layer) {
  const FusedLayer& fused = layers_[static_cast<std::size_t>(layer)];
  Tensor& in = tensor(network_.layers[static_cast<std::size_t>(layer)].inputs[0]);
  const float* const gradient = tensor(layer + 1).gradient.get();
  const float step = fused.integers ? fused.integers->input_step : 1.0F;
  sink_in_parts(in, [&](int begin, int end, const GradientSink& sink) {
    function_gradient(fused.function, in.view().from_pixel(begin * in.pixels), step,
                      gradient + begin * in.pixels * in.channels, (end - begin) * in.pixels, sink);
  });
}

void TrainingPass::backward_scale(int layer) {
  const FusedLayer& fused = layers_[static_cast<std::size_t>(layer)];
  const Layer& l = network_.layers[static_cast<std::size_t>(layer)];
  Tensor& map = tensor(l.inputs[0]);
  Tensor& factors = tensor(l.inputs[1]);
  const float* const gradient = tensor(layer + 1).gradient.get();
  const auto of_images = [&](int begin, int end, const Tensor& in, const GradientSink& sink,
                             const auto& run) {
    for (int image = begin; image < end; ++image) {
      run(image, gradient + image * map.pixels * map.channels,
          sink.from_pixel((image - begin) * in.pixels));
    }
  };
  sink_in_parts(map, [&](int begin, int end, const GradientSink& all) {
    of_images(begin, end, map, all, [&](int image, const float* own, const GradientSink& sink) {
      scaled_map_gradient(factors.view().from_pixel(image),
                          fused.integers ? fused.integers->second_step : 1.0F, own, map.pixels,
                          sink);
    });
  });
  sink_in_parts(factors, [&](int begin, int end, const GradientSink& all) {
    of_images(begin, end, factors, all, [&](int image, const float* own, const GradientSink& sink) {
      scaling_factor_gradient(map.view().from_pixel(image * map.pixels),
                              fused.integers ? fused.integers->input_step : 1.0F, own, map.pixels,
                              sink);
    });
  });
}

}  // namespace patchnas::kernels
