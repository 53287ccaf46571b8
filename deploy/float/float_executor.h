#pragma once

// A float network straight from its definition: sums in double precision, each tensor rounded to
// float.
//
//   const std::vector<std::vector<float>> tensors = run_float_layers(network, image);
//
//   const FloatExecutor executor(network);                       // prepared once for many samples
//   executor.run_each(samples, [&](int thread, int sample, const FloatTensors& t) { ... });

#include <memory>
#include <span>
#include <vector>

#include "arch/base/parallel.h"
#include "arch/float_network.h"

namespace patchnas {

/// One per tensor, [H, W, C] each: the inputs first, then what each layer writes.
using FloatTensors = std::vector<std::vector<float>>;

class FloatLayerRun;

class FloatExecutor {
 public:
  /// Keeps `network`, which must outlive it.
  /// @param before_each of the samples of run_each()
  /// @throws InputError naming the layer if the network is no valid one or sizes of its values do
  /// not fit it.
  explicit FloatExecutor(const FloatNetwork& network, BeforeEach before_each = {});
  FloatExecutor(const FloatExecutor&) = delete;
  FloatExecutor& operator=(const FloatExecutor&) = delete;
  ~FloatExecutor();

  /// Safe to call from several threads.
  /// @param inputs of one sample: all inputs, one after the other
  /// @throws InputError if their number is not the network's.
  [[nodiscard]] FloatTensors run(std::span<const float> inputs) const;

  /// @param samples back to back @throws InputError if they are none, or no whole number of them.
  [[nodiscard]] int sample_count(std::span<const float> samples) const;
  /// Of one of them.
  [[nodiscard]] std::span<const float> sample(std::span<const float> samples, int index) const;

  /// Calls visit(thread, sample, tensors) for each of the samples, in all threads of parallel.h.
  /// @throws InputError as sample_count()
  template <typename Visit>
  void run_each(std::span<const float> samples, const Visit& visit) const {
    parallel_each(sample_count(samples), [&](int thread, int index) {
      if (before_each_) {
        before_each_();
      }
      visit(thread, index, run(sample(samples, index)));
    });
  }

 private:
  const FloatNetwork& network_;
  BeforeEach before_each_;
  std::vector<std::unique_ptr<FloatLayerRun>> layers_;  // one per layer
};

/// All tensors of one sample, as FloatExecutor::run().
FloatTensors run_float_layers(const FloatNetwork& network, std::span<const float> inputs);

/// The network's outputs, one after the other.
std::vector<float> outputs_of(const Network& network, const FloatTensors& tensors);

}  // namespace patchnas
