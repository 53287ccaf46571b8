#include "supernet/kernels/inference_pass.h"

#include <algorithm>
#include <cmath>

#include "arch/base/parallel.h"
#include "supernet/kernels/buffer_pool.h"
#include "supernet/kernels/layer_constants.h"
#include "supernet/kernels/quantised_layers.h"

namespace patchnas::kernels {
namespace {

// Of the largest tensor of a group of images, so that what a layer reads and writes fits a
// second-level cache.
constexpr std::int64_t kGroupFloats = 48 * 1024;

}  // namespace

struct InferencePass::Thread {
  BufferPool pool;
  AlignedFloats scratch;
  std::vector<float> images;
  std::vector<Buffer> tensors;
};

InferencePass::InferencePass(const Network& network, std::vector<FusedLayer> layers)
    : network_(network),
      layers_(std::move(layers)),
      norms_(layers_.size()),
      last_readers_(last_readers(network)) {
  std::int64_t largest = 1;
  for (const FusedLayer& fused : layers_) {
    largest = std::max(largest, fused.out_pixels * fused.out_channels);
  }
  images_at_once_ = static_cast<int>(std::clamp<std::int64_t>(kGroupFloats / largest, 1, 16));
}

InferencePass::InferencePass(const QuantizedNetwork& network)
    : InferencePass(network.network, make_fused_layers(network)) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const auto channels = static_cast<std::size_t>(layers_[i].out_channels);
    norms_[i] = {std::vector<float>(channels, 1.0F), std::vector<float>(channels, 0.0F)};
  }
}

InferencePass::InferencePass(const Network& network, std::span<const LayerValues> values)
    : InferencePass(network, make_fused_layers(network, values)) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const FusedLayer& fused = layers_[i];
    Norm& norm = norms_[i];
    if (fused.has_bias) {
      norm = {std::vector<float>(fused.bias.size(), 1.0F), fused.bias};
    }
    if (!fused.has_norm) {
      continue;
    }
    norm.scale.assign(static_cast<std::size_t>(fused.out_channels), 0.0F);
    norm.shift.assign(static_cast<std::size_t>(fused.out_channels), 0.0F);
    for (std::size_t c = 0; c < values[i].running_mean.size(); ++c) {
      const double scale =
          fused.gamma[c] / std::sqrt(values[i].running_variance[c] + kBatchNormEpsilon);
      norm.scale[c] = static_cast<float>(scale);
      norm.shift[c] = static_cast<float>(fused.beta[c] - values[i].running_mean[c] * scale);
    }
  }
}

ActivationView InferencePass::view(TensorId tensor, const float* raw) const {
  const auto layer = static_cast<std::size_t>(tensor - 1);
  ActivationView v{.raw = raw, .channels = layers_[layer].out_channels};
  if (!norms_[layer].scale.empty()) {
    v.scale = norms_[layer].scale.data();
    v.shift = norms_[layer].shift.data();
    v.low = layers_[layer].low;
    v.high = layers_[layer].high;
  }
  return v;
}

void InferencePass::run_images(Thread& thread, const ImageSource& source, int begin, int end,
                               float* logits) const {
  const int count = end - begin;
  const FusedLayer& classifier = layers_.back();
  source(begin, end, thread.images.data());
  for (int i = 0; i < network_.layer_count(); ++i) {
    const Layer& layer = network_.layers[static_cast<std::size_t>(i)];
    const FusedLayer& fused = layers_[static_cast<std::size_t>(i)];
    const auto take = [&](std::int64_t floats) {
      return thread.pool.take(static_cast<std::size_t>(count * floats));
    };
    Buffer output = take(fused.out_pixels * fused.out_channels);
    Buffer patches;
    LayerRun run;
    run.count = count;
    run.output = output.get();
    if (fused.operation == Operation::kPatches) {
      patches = take(fused.out_pixels * fused.in_channels);
      run.images = thread.images.data();
      run.patches = patches.get();
    } else {
      const auto input = [&](int j) {
        const TensorId id = layer.inputs[static_cast<std::size_t>(j)];
        return view(id, thread.tensors[static_cast<std::size_t>(id)].get());
      };
      run.a = input(0);
      run.b = layer.input_count() == 2 ? input(1) : run.b;
    }
    run_layer(network_, i, fused, run, thread.scratch.data());
    thread.tensors[static_cast<std::size_t>(i) + 1] = std::move(output);
    for (const TensorId id : layer.inputs) {
      if (id != kNoTensor && last_readers_[static_cast<std::size_t>(id)] == i) {
        thread.tensors[static_cast<std::size_t>(id)].reset();
      }
    }
  }
  const int classes = network_.output().channels;
  for (int image = 0; image < count; ++image) {
    const float* raw = thread.tensors.back().get() + std::int64_t{image} * classifier.out_channels;
    for (int c = 0; c < classes; ++c) {
      logits[std::int64_t{image} * classes + c] =
          classifier.integers ? classifier.integers->output_step *
                                    std::clamp(raw[c], classifier.low, classifier.high)
                              : raw[c] + classifier.bias[static_cast<std::size_t>(c)];
    }
  }
  thread.tensors.back().reset();
}

std::vector<float> InferencePass::run(const ImageSource& source, int count) const {
  const int classes = network_.output().channels;
  std::vector<float> logits(static_cast<std::size_t>(count) * classes);
  std::vector<Thread> threads(static_cast<std::size_t>(thread_count()));
  for (Thread& thread : threads) {
    thread.scratch.resize(scratch_size(layers_));
    thread.images.resize(static_cast<std::size_t>(images_at_once_ * network_.input.elements()));
    thread.tensors.resize(static_cast<std::size_t>(network_.tensor_count()));
  }
  parallel_ranges(count, [&](int thread, int begin, int end) {
    for (int first = begin; first < end; first += images_at_once_) {
      run_images(threads[static_cast<std::size_t>(thread)], source, first,
                 std::min(first + images_at_once_, end),
                 logits.data() + std::int64_t{first} * classes);
    }
  });
  return logits;
}

}  // namespace patchnas::kernels
