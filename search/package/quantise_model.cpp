#include "search/package/quantise_model.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "deploy/float/calibration_run.h"
#include "deploy/float/float_executor.h"
#include "deploy/quantise/prepare_for_int8.h"
#include "deploy/reference/reference_executor.h"
#include "search/base/console.h"
#include "search/base/stop_signal.h"

namespace patchnas {
namespace {

constexpr int kSamplesAtATime = 64;

template <typename T>
std::int32_t largest(std::span<const T> values) {
  return static_cast<std::int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

bool is_classifier(const Network& network) {
  const std::vector<TensorId> outputs = network.output_tensors();
  const TensorShape& shape = network.shape(outputs[0]);
  return outputs.size() == 1 && shape.pixels() == 1 && shape.channels > 1;
}

struct Choices {
  std::vector<std::int32_t> of_float, of_int8;  // one per sample
};

Choices choices(const FloatNetwork& network, const QuantizedNetwork& quantised,
                std::span<const float> samples) {
  const FloatExecutor executor(network, throw_if_stopped);
  const int count = executor.sample_count(samples);
  Progress progress("quantise: float and int8", "samples", 0, count);
  Choices result;
  result.of_float.resize(static_cast<std::size_t>(count));
  result.of_int8.resize(static_cast<std::size_t>(count));
  const auto each = static_cast<std::size_t>(network.network.input_elements());
  for (int begin = 0; begin < count; begin += kSamplesAtATime) {
    const int end = std::min(count, begin + kSamplesAtATime);
    const auto part = samples.subspan(static_cast<std::size_t>(begin) * each,
                                      static_cast<std::size_t>(end - begin) * each);
    executor.run_each(part, [&](int, int index, const FloatTensors& tensors) {
      const auto sample = static_cast<std::size_t>(begin + index);
      const std::vector<float> real = outputs_of(network.network, tensors);
      const std::vector<std::int8_t> stored =
          run_layer_by_layer(quantised, int8_inputs(quantised, executor.sample(part, index)));
      result.of_float[sample] = largest(std::span(real));
      result.of_int8[sample] = largest(std::span(stored));
    });
    progress.update(end);
  }
  return result;
}

double share_of_equal(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
  const auto equal = std::inner_product(a.begin(), a.end(), b.begin(), 0, std::plus<>(),
                                        [](int x, int y) { return x == y ? 1 : 0; });
  return equal / static_cast<double>(a.size());
}

}  // namespace

std::vector<int> QuantisedModel::worst_layers(int count) const {
  std::vector<int> layers(noise.size());
  std::iota(layers.begin(), layers.end(), 0);
  const auto decibels = [&](int layer) {
    return noise[static_cast<std::size_t>(layer)].decibels();
  };
  std::stable_sort(layers.begin(), layers.end(),
                   [&](int a, int b) { return decibels(a) < decibels(b); });
  layers.resize(std::min(layers.size(), static_cast<std::size_t>(count)));
  return layers;
}

QuantisedModel quantise_model(FloatNetwork network, const CalibrationSamples& samples,
                              const QuantiseRequest& request) {
  const FloatNetwork prepared = prepare_for_int8(std::move(network), request.ends.pixels);
  const CalibrationSamples measured =
      random_samples(samples, prepared.network, request.count, request.seed);
  QuantisedModel model;
  model.samples = sample_count(samples, prepared.network);
  model.measured_samples = sample_count(measured, prepared.network);
  model.network = quantise(
      prepared, calibrated_ranges(prepared, measured.values, request.calibration, throw_if_stopped),
      request.ends);
  model.noise = layer_noise(prepared, model.network, measured.values, throw_if_stopped);
  if (is_classifier(prepared.network)) {
    const Choices chosen = choices(prepared, model.network, samples.values);
    model.top_one = TopOne{.agreement = share_of_equal(chosen.of_float, chosen.of_int8),
                           .float_accuracy = {},
                           .int8_accuracy = {}};
    if (!samples.labels.empty()) {
      model.top_one->float_accuracy = share_of_equal(chosen.of_float, samples.labels);
      model.top_one->int8_accuracy = share_of_equal(chosen.of_int8, samples.labels);
    }
  }
  return model;
}

}  // namespace patchnas
