#include "supernet/training/optimiser.h"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "arch/base/error.h"
#include "supernet/network/layer_tensors.h"

namespace patchnas {
namespace {

// As usual for float16: start high, halve at every overflow, double after so many steps without.
constexpr double kFirstLossScale = 65536.0;
constexpr double kLargestLossScale = 16777216.0;
constexpr std::int64_t kStepsToDouble = 2000;

void add_finite(StateWriter& writer, const char* name, const std::vector<float>& values) {
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
    throw Error(std::string("training: ") + name + " are not finite, and are not saved");
  }
  writer.add(name, values);
}

}  // namespace

Optimiser::Optimiser(at::Tensor parameters, const at::Tensor& decay_mask, OptimiserConfig config)
    : parameters_(std::move(parameters)),
      config_(config),
      gradient_(at::zeros_like(parameters_)),
      momentum_(at::zeros_like(parameters_)),
      decay_(decay_mask.to(parameters_.device()) * config_.weight_decay) {
  const auto on_device = [&](at::ScalarType type) { return parameters_.options().dtype(type); };
  if (config_.ema_decay > 0.0) {
    average_ = parameters_.clone();
  }
  if (config_.precision == Precision::kMixed) {
    loss_scale_ = at::full({}, kFirstLossScale, on_device(at::kFloat));
    good_steps_ = at::zeros({}, on_device(at::kLong));
  }
  failed_step_ = at::full({}, -1, on_device(at::kLong));
  failed_loss_ = at::zeros({}, on_device(at::kDouble));
}

// Nesterov's momentum as Sutskever et al. (2013) rewrite it.
void Optimiser::step(double rate, const at::Tensor& loss, double loss_limit) {
  at::Tensor scale_is_used_up = at::ones_like(failed_step_, at::kBool);
  if (loss_scale_.defined()) {
    scale_is_used_up = loss_scale_.le(1.0);
    gradient_.div_(loss_scale_);
  }
  const at::Tensor norm = gradient_.norm();
  const at::Tensor is_finite = at::isfinite(norm).logical_and(at::isfinite(loss));
  const at::Tensor fails =
      loss.le(loss_limit)
          .logical_not()
          .logical_or(scale_is_used_up.logical_and(at::isfinite(norm).logical_not()));
  const at::Tensor is_first = fails.logical_and(failed_step_.lt(0));
  failed_step_ = at::where(is_first, at::full_like(failed_step_, steps_), failed_step_);
  failed_loss_ = at::where(is_first, loss, failed_loss_);
  if (config_.clip_norm > 0.0) {
    gradient_.mul_((config_.clip_norm / norm).clamp_max(1.0));
  }

  const at::Tensor changes = is_finite.logical_and(fails.logical_not());
  const auto update = [&](const at::Tensor& tensor, const at::Tensor& next) {
    tensor.copy_(at::where(changes, next, tensor));
  };
  gradient_.addcmul_(decay_, parameters_);
  update(momentum_, momentum_.mul(config_.momentum).add_(gradient_));
  update(parameters_, parameters_.sub(gradient_.add_(momentum_, config_.momentum), rate));
  if (average_.defined()) {
    const auto t = static_cast<double>(steps_);
    const double decay = std::min(config_.ema_decay, (1.0 + t) / (10.0 + t));
    update(average_, average_.mul(decay).add_(parameters_, 1.0 - decay));
  }
  if (loss_scale_.defined()) {
    adapt_loss_scale(is_finite);
  }
  ++steps_;
}

void Optimiser::adapt_loss_scale(const at::Tensor& is_finite) {
  const at::Tensor good_steps = good_steps_ + 1;
  const at::Tensor is_due = good_steps.ge(kStepsToDouble);
  const at::Tensor after_good =
      at::where(is_due, (loss_scale_ * 2.0).clamp_max(kLargestLossScale), loss_scale_);
  loss_scale_ = at::where(is_finite, after_good, loss_scale_ * 0.5);
  good_steps_ = at::where(is_finite.logical_and(is_due.logical_not()), good_steps,
                          at::zeros_like(good_steps));
}

std::optional<Optimiser::Failure> Optimiser::failure() const {
  const auto step = failed_step_.item<std::int64_t>();
  return step < 0 ? std::nullopt : std::optional(Failure{step, failed_loss_.item<double>()});
}

void Optimiser::swap_average() {
  if (average_.defined()) {
    const at::Tensor kept = parameters_.clone();
    parameters_.copy_(average_);
    average_.copy_(kept);
  }
}

void Optimiser::adopt_average() {
  if (average_.defined()) {
    parameters_.copy_(average_);
  }
}

Optimiser::State Optimiser::state() const {
  State state{.steps = steps_,
              .parameters = to_floats(parameters_),
              .momentum = to_floats(momentum_),
              .average = {},
              .loss_scale = {}};
  if (average_.defined()) {
    state.average = to_floats(average_);
  }
  if (loss_scale_.defined()) {
    state.loss_scale = to_floats(at::stack({loss_scale_, good_steps_.to(at::kFloat)}));
  }
  return state;
}

void Optimiser::State::save(StateWriter& writer) const {
  writer.add("step", steps);
  add_finite(writer, "parameters", parameters);
  add_finite(writer, "momentum", momentum);
  if (!average.empty()) {
    add_finite(writer, "average", average);
  }
  if (!loss_scale.empty()) {
    add_finite(writer, "loss_scale", loss_scale);
  }
}

Optimiser::State Optimiser::read(StateReader& reader) const {
  const auto size = static_cast<std::size_t>(momentum_.numel());
  State state;
  state.steps = reader.integer("step");
  state.parameters = reader.floats("parameters", size);
  state.momentum = reader.floats("momentum", size);
  if (average_.defined()) {
    state.average = reader.floats("average", size);
  }
  if (loss_scale_.defined()) {
    state.loss_scale = reader.floats("loss_scale", 2);
  }
  return state;
}

void Optimiser::restore(const State& state) {
  steps_ = state.steps;
  copy_floats(state.parameters, parameters_);
  copy_floats(state.momentum, momentum_);
  if (average_.defined()) {
    copy_floats(state.average, average_);
  }
  if (loss_scale_.defined()) {
    loss_scale_.fill_(state.loss_scale[0]);
    good_steps_.fill_(static_cast<std::int64_t>(state.loss_scale[1]));
  }
}

}  // namespace patchnas
