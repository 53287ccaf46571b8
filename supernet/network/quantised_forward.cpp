#include "supernet/network/quantised_forward.h"

#include <torch/torch.h>

#include "supernet/kernels/quantised_layers.h"
#include "supernet/network/forward.h"

namespace patchnas {
namespace {

// As int64 tensors that broadcast over what they are applied to.
struct RequantisationTensors {
  at::Tensor multiplier;
  at::Tensor left_factor;  // 2 to the power of the shift
  at::Tensor right_shift;
  at::Tensor right_mask;
};

RequantisationTensors requantisation_tensors(std::span<const Requantisation> values,
                                             const at::Tensor& like) {
  std::vector<std::int64_t> multiplier;
  std::vector<std::int64_t> left_factor;
  std::vector<std::int64_t> right_shift;
  std::vector<std::int64_t> right_mask;
  for (const Requantisation& value : values) {
    multiplier.push_back(value.multiplier);
    left_factor.push_back(std::int64_t{1} << std::max(value.shift, 0));
    right_shift.push_back(std::max(-value.shift, 0));
    right_mask.push_back((std::int64_t{1} << right_shift.back()) - 1);
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[1] = static_cast<std::int64_t>(values.size());
  const auto tensor = [&](const std::vector<std::int64_t>& numbers) {
    return torch::tensor(numbers, at::kLong).view(shape).to(like.device());
  };
  return {tensor(multiplier), tensor(left_factor), tensor(right_shift), tensor(right_mask)};
}

// Modulo 2^32, as int32 arithmetic wraps around.
at::Tensor wrapped(const at::Tensor& x) {
  constexpr std::int64_t kHalf = std::int64_t{1} << 31;
  return ((x + kHalf) & ((std::int64_t{1} << 32) - 1)) - kHalf;
}

// requantise() of arch/fixed_point.h, for int64 tensors of int32 values.
at::Tensor requantise(const at::Tensor& x, const RequantisationTensors& by) {
  const at::Tensor product = wrapped(x * by.left_factor) * by.multiplier;
  const at::Tensor high = at::bitwise_right_shift(product + (std::int64_t{1} << 30), 31);
  const at::Tensor threshold = at::bitwise_right_shift(by.right_mask, 1) + (high < 0);
  return at::bitwise_right_shift(high, by.right_shift) + ((high & by.right_mask) > threshold);
}

at::Tensor rescaled(const at::Tensor& x, const Requantisation& by) {
  return requantise(x, requantisation_tensors(std::span(&by, 1), x));
}

// What the stored values become.
at::Tensor looked_up(const LookupTable& table, const at::Tensor& stored) {
  const at::Tensor values =
      torch::tensor(std::vector<std::int64_t>(table.begin(), table.end()), at::kLong)
          .to(stored.device());
  return values.index_select(0, (stored + 128).flatten()).view(stored.sizes());
}

// Half a step goes away from zero, as pool_average of deploy/ rounds.
at::Tensor rounded_mean(const at::Tensor& stored) {
  const std::int64_t count = stored.size(2) * stored.size(3);
  const at::Tensor sum = stored.sum({2, 3}, true);
  const at::Tensor half =
      at::where(sum > 0, at::full_like(sum, count / 2), at::full_like(sum, -(count / 2)));
  return at::div(sum + half, count, "trunc");
}

class Interpreter {
 public:
  Interpreter(const QuantizedNetwork& network, std::span<const LayerTensors> layers)
      : network_(network), layers_(layers) {}

  at::Tensor run(const at::Tensor& images, const StepsObserver& observer) {
    const at::Tensor steps = images.to(at::kLong);
    values_.push_back({steps * network_.tensors[0].scale, steps});
    for (int i = 0; i < network_.network.layer_count(); ++i) {
      values_.push_back(run_layer(i));
    }
    for (std::size_t id = 0; observer && id < values_.size(); ++id) {
      observer(static_cast<TensorId>(id), values_[id].steps);
    }
    return values_.back().real;
  }

 private:
  struct Value {
    at::Tensor real;   // carries the gradient
    at::Tensor steps;  // int64, from the zero point
  };

  Value run_layer(int index) {
    const auto i = static_cast<std::size_t>(index);
    const Layer& layer = network_.network.layers[i];
    const TensorQuantisation& output = network_.tensors[i + 1];
    const auto input = [&](std::size_t j) -> const Value& {
      return values_[static_cast<std::size_t>(layer.inputs[j])];
    };
    const at::Tensor other = layer.input_count() == 2 ? input(1).real : at::Tensor{};
    const at::Tensor linear = linear_output(network_.network, index,
                                            straight_through_weights(index), input(0).real, other);
    const at::NoGradGuard no_gradients;
    const at::Tensor unclamped = integer_output(index);
    const ActivationClamp& clamp = network_.layers[i].clamp;
    const at::Tensor steps =
        at::clamp(unclamped, clamp.min - output.zero_point, clamp.max - output.zero_point);
    const at::Tensor untouched = (unclamped == steps).to(at::kFloat);
    const at::Tensor real = steps * output.scale;
    const at::AutoGradMode with_gradients(true);
    return {real + (linear - linear.detach()) * untouched, steps};
  }

  // In steps, before the clamp.
  at::Tensor integer_output(int index) {
    const auto i = static_cast<std::size_t>(index);
    const Layer& layer = network_.network.layers[i];
    const QuantizedLayer& own = network_.layers[i];
    const auto steps = [&](std::size_t j) {
      return values_[static_cast<std::size_t>(layer.inputs[j])].steps;
    };
    if (layer.kind == LayerKind::kAdd) {
      const auto scaled = [&](std::size_t j) {
        return rescaled(steps(j) * (std::int64_t{1} << kAddLeftShift), own.add.inputs[j]);
      };
      return rescaled(wrapped(scaled(0) + scaled(1)), own.add.output);
    }
    if (layer.kind == LayerKind::kMultiply) {
      return rescaled(wrapped(steps(0) * steps(1)), own.add.output);
    }
    if (layer.kind == LayerKind::kLookup) {
      return looked_up(own.lookup.twice, steps(0) + input_zero_point(layer)) -
             network_.tensors[i + 1].zero_point;
    }
    if (layer.kind == LayerKind::kAveragePool) {
      const std::int64_t zero_point = network_.tensors[i + 1].zero_point;
      return rounded_mean(steps(0) + zero_point) - zero_point;
    }
    // Doubles hold every sum of products; what rounding an operator may do on the way is undone.
    LayerTensors integers;
    integers.weight = integer_weight(index).to(at::kDouble);
    const at::Tensor sums = at::round(linear_output(network_.network, index, integers,
                                                    steps(0).to(at::kDouble), at::Tensor{}))
                                .to(at::kLong);
    std::vector<std::int64_t> shape(static_cast<std::size_t>(sums.dim()), 1);
    shape[1] = sums.size(1);
    const at::Tensor bias =
        torch::tensor(std::vector<std::int64_t>(own.biases.begin(), own.biases.end()), at::kLong)
            .view(shape)
            .to(sums.device());
    return requantise(wrapped(sums + bias), requantisation_tensors(own.requantisation, sums));
  }

  [[nodiscard]] std::int64_t input_zero_point(const Layer& layer) const {
    return network_.tensors[static_cast<std::size_t>(layer.inputs[0])].zero_point;
  }

  at::Tensor integer_weight(int index) const {
    const at::Tensor& weight = layers_[static_cast<std::size_t>(index)].weight;
    const at::Tensor integers = at::empty_like(weight, at::TensorOptions().requires_grad(false));
    copy_floats(kernels::integer_weights(network_, index), integers);
    return integers;
  }

  // The real value of the integer weights, with the gradient of the float ones.
  LayerTensors straight_through_weights(int index) const {
    const auto i = static_cast<std::size_t>(index);
    LayerTensors tensors = layers_[i];
    if (tensors.weight.defined()) {
      std::vector<std::int64_t> shape(static_cast<std::size_t>(tensors.weight.dim()), 1);
      shape[0] = -1;
      const at::Tensor scales =
          torch::tensor(network_.layers[i].weight_scales).view(shape).to(tensors.weight.device());
      tensors.weight =
          (integer_weight(index) * scales) + (tensors.weight - tensors.weight.detach());
    }
    return tensors;
  }

  const QuantizedNetwork& network_;
  std::span<const LayerTensors> layers_;
  std::vector<Value> values_;
};

}  // namespace

at::Tensor forward_quantised(const QuantizedNetwork& network, std::span<const LayerTensors> layers,
                             const at::Tensor& images, const StepsObserver& observer) {
  return Interpreter(network, layers).run(images, observer);
}

}  // namespace patchnas
