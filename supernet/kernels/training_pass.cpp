#include "supernet/kernels/training_pass.h"

#include <algorithm>
#include <cmath>

#include "arch/base/parallel.h"
#include "supernet/kernels/layer_constants.h"
#include "supernet/kernels/quantised_layers.h"
#include "supernet/kernels/thread_sums.h"

namespace patchnas::kernels {

ActivationView TrainingPass::Tensor::view() const {
  ActivationView v{.raw = raw.get(), .channels = channels};
  if (!scale.empty()) {
    v.scale = scale.data();
    v.shift = shift.data();
    v.low = low;
    v.high = high;
  }
  return v;
}

ActivationView TrainingPass::Tensor::mask() const {
  ActivationView v = view();
  v.low -= margin;
  v.high += margin;
  return v;
}

TrainingPass::TrainingPass(const Network& network, std::span<const LayerValues> values,
                           PassMemory& memory)
    : TrainingPass(network, make_fused_layers(network, values), memory) {}

TrainingPass::TrainingPass(const QuantizedNetwork& network, PassMemory& memory)
    : TrainingPass(network.network, make_fused_layers(network), memory) {}

TrainingPass::TrainingPass(const Network& network, std::vector<FusedLayer> layers,
                           PassMemory& memory)
    : network_(network),
      memory_(memory),
      layers_(std::move(layers)),
      tensors_(static_cast<std::size_t>(network.tensor_count())) {
  memory_.scratch.resize(static_cast<std::size_t>(thread_count()));
  for (AlignedFloats& scratch : memory_.scratch) {
    scratch.resize(std::max(scratch.size(), scratch_size(layers_)));
  }
}

Buffer TrainingPass::take(std::int64_t pixels, int channels) {
  return memory_.pool.take(static_cast<std::size_t>(count_ * pixels * channels));
}

std::vector<float> TrainingPass::forward(std::span<const float> images, int count) {
  const FusedLayer& classifier = layers_.back();
  images_ = images.data();
  count_ = count;
  for (int i = 0; i < network_.layer_count(); ++i) {
    run_forward(i);
  }
  const int classes = network_.output().channels;
  std::vector<float> result = values(network_.layer_count());
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = classifier.integers
                    ? result[i] * classifier.integers->output_step
                    : result[i] + classifier.bias[i % static_cast<std::size_t>(classes)];
  }
  return result;
}

std::vector<float> TrainingPass::values(TensorId tensor) const {
  const Tensor& t = tensors_[static_cast<std::size_t>(tensor)];
  const int channels = network_.shape(tensor).channels;
  std::vector<float> result;
  result.reserve(static_cast<std::size_t>(count_ * t.pixels) * channels);
  for (std::int64_t pixel = 0; pixel < count_ * t.pixels; ++pixel) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
      const float raw = t.raw.get()[static_cast<std::size_t>(pixel * t.channels) + c];
      result.push_back(t.scale.empty() ? raw
                                       : std::clamp(raw * t.scale[c] + t.shift[c], t.low, t.high));
    }
  }
  return result;
}

void TrainingPass::run_forward(int layer) {
  const FusedLayer& fused = layers_[static_cast<std::size_t>(layer)];
  const Layer& l = network_.layers[static_cast<std::size_t>(layer)];
  Tensor& out = tensor(layer + 1);
  out.channels = fused.out_channels;
  out.pixels = fused.out_pixels;
  out.low = fused.low;
  out.high = fused.high;
  out.raw = take(out.pixels, out.channels);
  ActivationView a;
  ActivationView b;
  if (fused.operation == Operation::kPatches) {
    patches_ = take(fused.out_pixels, fused.in_channels);
  } else {
    a = tensor(l.inputs[0]).view();
    ++tensor(l.inputs[0]).readers_left;
  }
  if (l.input_count() == 2) {
    b = tensor(l.inputs[1]).view();
    ++tensor(l.inputs[1]).readers_left;
  }
  ThreadSums sums(fused.has_norm ? out.channels : 0);
  parallel_ranges(count_, [&](int thread, int begin, int end) {
    LayerRun run;
    run.output = out.raw.get() + begin * fused.out_pixels * fused.out_channels;
    run.count = end - begin;
    if (fused.operation == Operation::kPatches) {
      run.images = images_ + begin * network_.input.elements();
      run.patches = patches_.get() + begin * fused.out_pixels * fused.in_channels;
    } else {
      run.a = a.from_pixel(begin * fused.in_pixels);
    }
    if (l.input_count() == 2) {
      run.b = b.from_pixel(begin * fused.second_pixels);
    }
    if (fused.has_norm) {
      run.sums = sums.of(thread);
    }
    run_layer(network_, layer, fused, run,
              memory_.scratch[static_cast<std::size_t>(thread)].data());
  });
  if (fused.has_norm) {
    normalise(fused, sums.sums(), sums.products(), out);
  } else if (fused.integers) {
    be_steps(out);
  } else if (fused.has_bias) {
    be_biased(fused, out);
  }
}

void TrainingPass::be_biased(const FusedLayer& fused, Tensor& out) {
  out.scale.assign(fused.bias.size(), 1.0F);
  out.shift = fused.bias;
  out.mean.assign(fused.bias.size(), 0.0F);
}

// The raw values are steps already. Those that the clamp left alone are at most at its ends, where
// no value lies half a step further.
void TrainingPass::be_steps(Tensor& out) {
  const auto channels = static_cast<std::size_t>(out.channels);
  out.scale.assign(channels, 1.0F);
  out.shift.assign(channels, 0.0F);
  out.mean.assign(channels, 0.0F);
  out.margin = 0.5F;
}

void TrainingPass::normalise(const FusedLayer& fused, const std::vector<double>& sum,
                             const std::vector<double>& square, Tensor& out) const {
  const double n = static_cast<double>(count_) * static_cast<double>(out.pixels);
  for (std::size_t c = 0; c < sum.size(); ++c) {
    const double mean = sum[c] / n;
    const double variance = std::max(0.0, square[c] / n - mean * mean);
    const double inverse = 1.0 / std::sqrt(variance + kBatchNormEpsilon);
    out.mean.push_back(static_cast<float>(mean));
    out.variance.push_back(static_cast<float>(variance));
    out.inverse_stddev.push_back(static_cast<float>(inverse));
    out.scale.push_back(static_cast<float>(fused.gamma[c] * inverse));
    out.shift.push_back(static_cast<float>(fused.beta[c] - mean * fused.gamma[c] * inverse));
  }
}

BatchStatistics TrainingPass::statistics(int layer) const {
  const Tensor& t = tensors_[static_cast<std::size_t>(layer) + 1];
  if (t.variance.empty()) {
    return {};
  }
  BatchStatistics result{t.mean, t.variance};
  const auto channels =
      static_cast<std::size_t>(network_.layers[static_cast<std::size_t>(layer)].output.channels);
  result.mean.resize(channels);
  result.variance.resize(channels);
  return result;
}

}  // namespace patchnas::kernels
