#pragma once

// Stochastic gradient descent over one flat tensor of parameters.
//
//   Optimiser optimiser(supernet.parameters(), decay_mask(network), config);
//   optimiser.zero_gradient();
//   ... add gradients, times optimiser.loss_scale() where that is defined, to optimiser.gradient()
//   optimiser.step(learning_rate, loss, loss_limit);
//   if (const auto failure = optimiser.failure()) stop();
//
// A step waits for no device. One whose gradient is not finite changes nothing, wherever that is
// found out.

#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>

#include "arch/precision.h"
#include "supernet/network/state_bytes.h"

namespace patchnas {

struct OptimiserConfig {
  double momentum = 0.9;       ///< Nesterov's
  double weight_decay = 4e-5;  ///< not on batch norm and biases
  double clip_norm = 0.0;      ///< longest gradient, by its L2 norm over all parameters; 0: any
  /// Of the exponential moving average of the parameters, which is then the result; 0: none. The
  /// average of the first steps is shorter: step t decays by at most (1 + t) / (10 + t).
  double ema_decay = 0.0;
  Precision precision = Precision::kFloat32;
  bool operator==(const OptimiserConfig&) const = default;
};

class Optimiser {
 public:
  /// @param parameters [n], changed in place
  /// @param decay_mask [n], 1 where weights decay
  Optimiser(at::Tensor parameters, const at::Tensor& decay_mask, OptimiserConfig config);

  /// [n], to be filled before each step.
  [[nodiscard]] const at::Tensor& gradient() const { return gradient_; }
  void zero_gradient() { gradient_.zero_(); }
  /// What losses are multiplied by before they go backward; undefined in float32.
  [[nodiscard]] const at::Tensor& loss_scale() const { return loss_scale_; }

  /// @param loss [], mean of the step; not finite or above `loss_limit` is a failure
  void step(double rate, const at::Tensor& loss, double loss_limit);
  [[nodiscard]] std::int64_t steps() const { return steps_; }

  /// The first step that failed. In mixed precision a gradient that is not finite is only one if
  /// the loss scale is used up.
  struct Failure {
    std::int64_t step = 0;
    double loss = 0.0;
  };
  /// Waits for the device.
  [[nodiscard]] std::optional<Failure> failure() const;

  /// Exchanges parameters and their average; nothing without an average. Twice is as never.
  void swap_average();
  /// Makes the average the parameters.
  void adopt_average();

  struct State {
    /// @throws Error if a number is not finite.
    void save(StateWriter& writer) const;

    std::int64_t steps = 0;
    std::vector<float> parameters;
    std::vector<float> momentum;
    std::vector<float> average;     ///< empty without one
    std::vector<float> loss_scale;  ///< and the number of steps since it changed; empty in float32
  };
  /// A copy in host memory; waits for the device.
  [[nodiscard]] State state() const;
  /// @throws InputError if the entries are others than State::save()'s.
  State read(StateReader& reader) const;
  void restore(const State& state);

 private:
  void adapt_loss_scale(const at::Tensor& is_finite);

  at::Tensor parameters_;
  OptimiserConfig config_;
  at::Tensor gradient_;
  at::Tensor momentum_;
  at::Tensor decay_;
  at::Tensor average_;      // undefined without one
  at::Tensor loss_scale_;   // [], undefined in float32
  at::Tensor good_steps_;   // [], since the loss scale changed
  at::Tensor failed_step_;  // [], -1 while there is none
  at::Tensor failed_loss_;
  std::int64_t steps_ = 0;
};

}  // namespace patchnas
