#include "deploy/float/layer_noise.h"

#include <cmath>
#include <limits>

#include "arch/base/error.h"
#include "deploy/float/float_executor.h"
#include "deploy/reference/end_numbers.h"
#include "deploy/reference/reference_executor.h"

namespace patchnas {
namespace {

LayerNoise noise_of(std::span<const float> real, std::span<const std::int8_t> stored,
                    const TensorQuantisation& q) {
  LayerNoise result;
  for (std::size_t i = 0; i < real.size(); ++i) {
    const double value = real[i];
    const double difference = double{q.scale} * (stored[i] - q.zero_point) - value;
    result.signal += value * value;
    result.noise += difference * difference;
  }
  return result;
}

}  // namespace

double LayerNoise::decibels() const {
  return noise > 0 ? 10.0 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
}

std::vector<LayerNoise> layer_noise(const FloatNetwork& network, const QuantizedNetwork& quantised,
                                    std::span<const float> samples, const BeforeEach& before_each) {
  if (network.network != quantised.network) {
    throw InputError("noise can only be measured between a float network and its own int8 form");
  }
  const FloatExecutor executor(network, before_each);
  const auto layers = static_cast<std::size_t>(network.network.layer_count());
  // Of each sample by itself: their sum does not depend on which thread computed which.
  std::vector<std::vector<LayerNoise>> of_samples(
      static_cast<std::size_t>(executor.sample_count(samples)));
  executor.run_each(samples, [&](int, int sample, const FloatTensors& real) {
    const auto stored =
        run_all_layers(quantised, int8_inputs(quantised, executor.sample(samples, sample)));
    for (std::size_t i = 0; i < layers; ++i) {
      of_samples[static_cast<std::size_t>(sample)].push_back(
          noise_of(real[i + 1], stored[i + 1], quantised.tensors[i + 1]));
    }
  });
  std::vector<LayerNoise> result(layers);
  for (const std::vector<LayerNoise>& own : of_samples) {
    for (std::size_t i = 0; i < layers; ++i) {
      result[i].signal += own[i].signal;
      result[i].noise += own[i].noise;
    }
  }
  return result;
}

std::vector<std::int8_t> int8_inputs(const QuantizedNetwork& network,
                                     std::span<const float> samples) {
  std::vector<EndFormat> formats = input_formats(network);
  for (EndFormat& format : formats) {
    format.end.numbers = EndNumbers::kFloat32;
  }
  const auto each = static_cast<std::size_t>(network.network.input_elements());
  std::vector<std::int8_t> result;
  for (std::size_t at = 0; at < samples.size(); at += each) {
    const std::span<const float> sample = samples.subspan(at, each);
    const std::vector<std::int8_t> stored = to_int8(
        {reinterpret_cast<const std::uint8_t*>(sample.data()), sample.size_bytes()}, formats);
    result.insert(result.end(), stored.begin(), stored.end());
  }
  return result;
}

}  // namespace patchnas
