#include "supernet/network/subnet.h"

#include <algorithm>

#include <torch/torch.h>

#include "arch/base/error.h"
#include "supernet/data/augmentation.h"
#include "supernet/network/compute.h"
#include "supernet/network/forward.h"
#include "supernet/network/state_bytes.h"

namespace patchnas {
namespace {

constexpr std::string_view kKind = "subnet";

void add_running_statistics(std::vector<LayerTensors>& layers) {
  for (LayerTensors& layer : layers) {
    if (layer.gamma.defined()) {
      layer.running_mean = at::zeros_like(layer.gamma);
      layer.running_variance = at::ones_like(layer.gamma);
    }
  }
}

std::string size_text(int height, int width, int channels) {
  return std::to_string(height) + "x" + std::to_string(width) + "x" + std::to_string(channels);
}

}  // namespace

void check_image_size(const Network& network, const ImageSet& images) {
  const TensorShape& in = network.input;
  if (images.height != in.height || images.width != in.width || images.channels != in.channels) {
    throw InputError("images of " + size_text(images.height, images.width, images.channels) +
                     " for a network that takes " + size_text(in.height, in.width, in.channels));
  }
}

Subnet::Subnet(Network network, std::uint64_t seed, c10::Device device)
    : network_(std::move(network)),
      parameters_(at::zeros({trained_count(network_)}, at::TensorOptions(device))),
      layers_(carve(network_, parameters_)) {
  RandomStream stream(seed, "subnet/weights");
  initialise(network_, parameters_, stream);
  add_running_statistics(layers_);
}

Subnet::Subnet(Network network, const std::vector<LayerTensors>& layers)
    : network_(std::move(network)) {
  const at::NoGradGuard no_gradients;
  c10::Device device = c10::kCPU;
  for (const LayerTensors& layer : layers) {
    device = layer.weight.defined() ? layer.weight.device() : device;
  }
  parameters_ = at::zeros({trained_count(network_)}, at::TensorOptions(device));
  layers_ = carve(network_, parameters_);
  add_running_statistics(layers_);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const auto member :
         {&LayerTensors::weight, &LayerTensors::bias, &LayerTensors::gamma, &LayerTensors::beta,
          &LayerTensors::running_mean, &LayerTensors::running_variance}) {
      if ((layers[i].*member).defined()) {
        (layers_[i].*member).copy_(layers[i].*member);
      }
    }
  }
}

FloatNetwork Subnet::to_float_network() const {
  return patchnas::to_float_network(network_, layers_);
}

void Subnet::observe(const ImageSet& images, const PixelNormalisation& normalisation,
                     const Observe& observe) const {
  check_image_size(network_, images);
  if (images.size() == 0) {
    throw InputError("value ranges need at least one image");
  }
  ForwardObserver observer;
  observer.tensor = [&](TensorId id, const at::Tensor& tensor) { observe(id, to_floats(tensor)); };
  const at::NoGradGuard no_gradients;
  constexpr int kBatch = 128;
  for (int begin = 0; begin < images.size(); begin += kBatch) {
    const int end = std::min(begin + kBatch, images.size());
    std::vector<float> batch(static_cast<std::size_t>(end - begin) * images.image_bytes());
    normalise_images(images, begin, end, normalisation, batch.data());
    forward(network_, layers_, image_tensor(batch, network_.input, end - begin, device()),
            NormMode::kRunning, observer);
  }
}

std::vector<ValueRange> Subnet::observe_ranges(const ImageSet& images,
                                               const PixelNormalisation& normalisation) const {
  std::vector<ValueRange> ranges(static_cast<std::size_t>(network_.tensor_count()), kNoValues);
  observe(images, normalisation, [&](TensorId id, std::span<const float> values) {
    ValueRange& range = ranges[static_cast<std::size_t>(id)];
    range = widened(range, values);
  });
  return ranges;
}

std::vector<ValueHistogram> Subnet::observe_histograms(
    const ImageSet& images, const PixelNormalisation& normalisation) const {
  const std::vector<ValueRange> ranges = observe_ranges(images, normalisation);
  std::vector<ValueHistogram> histograms(ranges.begin(), ranges.end());
  observe(images, normalisation, [&](TensorId id, std::span<const float> values) {
    histograms[static_cast<std::size_t>(id)].add(values);
  });
  return histograms;
}

std::string Subnet::save() const {
  StateWriter writer(kKind, signature(network_));
  writer.add("parameters", to_floats(parameters_));
  for (const LayerTensors& layer : layers_) {
    if (layer.gamma.defined()) {
      writer.add("running_mean", to_floats(layer.running_mean));
      writer.add("running_variance", to_floats(layer.running_variance));
    }
  }
  return std::move(writer).finish();
}

void Subnet::load(std::string_view bytes) {
  StateReader reader(bytes, kKind, signature(network_));
  const auto read = [&](const char* name, const at::Tensor& tensor) {
    return reader.floats(name, static_cast<std::size_t>(tensor.numel()));
  };
  std::vector<std::pair<at::Tensor, std::vector<float>>> loaded;
  loaded.emplace_back(parameters_, read("parameters", parameters_));
  for (const LayerTensors& layer : layers_) {
    if (layer.gamma.defined()) {
      loaded.emplace_back(layer.running_mean, read("running_mean", layer.running_mean));
      loaded.emplace_back(layer.running_variance, read("running_variance", layer.running_variance));
    }
  }
  reader.finish();
  for (const auto& [tensor, values] : loaded) {
    copy_floats(values, tensor);
  }
}

}  // namespace patchnas
