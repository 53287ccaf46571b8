#include "deploy/quantise/activation_scales.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "arch/base/error.h"
#include "deploy/quantise/quantise.h"
#include "deploy/quantise/requantisation.h"

namespace patchnas {
namespace {

using FixedScales = std::vector<std::optional<TensorQuantisation>>;

[[noreturn]] void fail(const Network& network, TensorId tensor, const std::string& what) {
  throw InputError(tensor == kImage ? "the network's input: " + what
                                    : "layer " + std::to_string(tensor - 1) + " (" +
                                          network.layer_name(tensor - 1) + "): " + what);
}

bool can_hold(const TensorQuantisation& q, float value) {
  const double stored = std::round(double{value} / double{q.scale}) + q.zero_point;
  return value <= kLeastFill || (stored >= -128 && stored <= 127);
}

ValueRange widened_by(const ValueRange& range, const ValueRange& other) {
  return {std::min(range.min, other.min), std::max(range.max, other.max)};
}

// After the activation function.
ValueRange layer_range(const Layer& layer, const ValueRange& measured) {
  const auto [low, high] = activation_limits(layer.activation);
  return {std::clamp(measured.min, low, high), std::clamp(measured.max, low, high)};
}

// The kernels multiply by ratios of scales in so many bits: a finer output scale than this of the
// inputs is out of their range.
double finest_ratio(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kAdd:
    case LayerKind::kSubtract:
    case LayerKind::kSquaredDifference:
      return 0x1p-18;  // kAddLeftShift fraction bits
    case LayerKind::kLookup:
      return layer.function == ValueFunction::kHardSwish ? 0x1p-6 : 0x1p-19;
    case LayerKind::kMean:
      return 0x1p-19;
    default:
      return 0.0;
  }
}

// Sets of tensors that share a scale, each named by its first tensor.
class ScaleSets {
 public:
  explicit ScaleSets(const Network& network) : first_(network.layers.size() + 1) {
    for (std::size_t t = 0; t < first_.size(); ++t) {
      first_[t] = t;
    }
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const Layer& layer = network.layers[i];
      for (int input = 0; keeps_scale(layer) && input < layer.input_count(); ++input) {
        unite(static_cast<std::size_t>(layer.inputs[static_cast<std::size_t>(input)]), i + 1);
      }
    }
  }

  [[nodiscard]] std::size_t of(std::size_t tensor) const {
    while (first_[tensor] != tensor) {
      tensor = first_[tensor];
    }
    return tensor;
  }

 private:
  void unite(std::size_t a, std::size_t b) {
    const auto [first, second] = std::minmax({of(a), of(b)});
    first_[second] = first;
  }

  std::vector<std::size_t> first_;
};

class ActivationScales {
 public:
  ActivationScales(const FloatNetwork& network, const std::vector<ValueRange>& ranges,
                   FixedScales fixed)
      : network_(network),
        ranges_(ranges),
        fixed_(std::move(fixed)),
        sets_(network.network),
        of_sets_(ranges.size()) {}

  std::vector<TensorQuantisation> run() {
    check_mixtures();
    for (std::size_t set = 0; set < ranges_.size(); ++set) {
      if (sets_.of(set) == set) {
        of_sets_[set] = fixed_[set] ? *fixed_[set] : activation_quantisation(range_of_set(set));
      }
    }
    // Of a chain of layers each round settles one at least.
    for (std::size_t round = 0; round < ranges_.size() && raise_scales(); ++round) {
    }
    std::vector<TensorQuantisation> result;
    for (std::size_t t = 0; t < ranges_.size(); ++t) {
      result.push_back(of_tensor(t));
    }
    return result;
  }

 private:
  [[nodiscard]] const TensorQuantisation& of_tensor(std::size_t tensor) const {
    return of_sets_[sets_.of(tensor)];
  }

  void check_mixtures() const {
    for (int i = 0; i < network_.network.layer_count(); ++i) {
      for (const std::size_t input : {0U, 1U}) {
        if (mixes_scales(network_, i, input, fixed_)) {
          fail(network_.network, i + 1,
               "puts numbers whose scale the specification fixes beside others "
               "(prepare_for_int8() brings them to one scale first)");
        }
      }
    }
  }

  // Of what is computed, not of what is handed on: that lies within, unless it is filled up.
  [[nodiscard]] ValueRange range_of_set(std::size_t set) const {
    ValueRange range{0.0F, 0.0F};
    for (std::size_t t = set; t < ranges_.size(); ++t) {
      if (sets_.of(t) == set) {
        range = widened_by(range, range_of_tensor(t));
      }
    }
    return range;
  }

  [[nodiscard]] ValueRange range_of_tensor(std::size_t tensor) const {
    const ValueRange& measured = ranges_[tensor];
    if (tensor > 0 && keeps_scale(network_.network.layers[tensor - 1])) {
      return range_of_constants(network_.network.layers[tensor - 1], network_.layers[tensor - 1]);
    }
    if (!std::isfinite(measured.min) || !std::isfinite(measured.max) ||
        measured.min > measured.max) {
      fail(network_.network, static_cast<TensorId>(tensor), "its range of values is not finite");
    }
    return tensor == 0 ? measured : layer_range(network_.network.layers[tensor - 1], measured);
  }

  // That a layer has beside what it hands on.
  [[nodiscard]] static ValueRange range_of_constants(const Layer& layer, const FloatLayer& own) {
    if (has_constant_operand(layer) || layer.has_constant_map) {
      const auto [min, max] = std::minmax_element(own.constants.begin(), own.constants.end());
      return {*min, *max};
    }
    return fills(layer) && own.fill > kLeastFill ? ValueRange{own.fill, own.fill} : ValueRange{};
  }

  // Returns whether any had to be.
  bool raise_scales() {
    bool raised = false;
    for (std::size_t i = 0; i < network_.network.layers.size(); ++i) {
      const Layer& layer = network_.network.layers[i];
      double largest = 0;
      for (int input = 0; input < layer.input_count(); ++input) {
        const TensorId tensor = layer.inputs[static_cast<std::size_t>(input)];
        largest = std::max(largest, double{of_tensor(static_cast<std::size_t>(tensor)).scale});
      }
      if (has_constant_operand(layer)) {
        largest =
            std::max(largest, double{constants_quantisation(network_.layers[i].constants).scale});
      }
      const auto least = static_cast<float>(largest * finest_ratio(layer));
      float& scale = of_sets_[sets_.of(i + 1)].scale;
      if (scale < least && !fixed_[i + 1]) {
        scale = least;
        raised = true;
      }
    }
    return raised;
  }

  const FloatNetwork& network_;
  const std::vector<ValueRange>& ranges_;
  FixedScales fixed_;
  ScaleSets sets_;
  std::vector<TensorQuantisation> of_sets_;  // by their first tensors
};

}  // namespace

TensorQuantisation constants_quantisation(const std::vector<float>& constants) {
  const auto [min, max] = std::minmax_element(constants.begin(), constants.end());
  return activation_quantisation({*min, *max});
}

FixedScales fixed_scales(const FloatNetwork& network,
                         const std::optional<TensorQuantisation>& image) {
  FixedScales fixed{image};
  for (int i = 0; i < network.network.layer_count(); ++i) {
    const Layer& layer = network.network.layers[static_cast<std::size_t>(i)];
    const std::optional<TensorQuantisation>& input =
        fixed[static_cast<std::size_t>(layer.inputs[0])];
    const bool hands_on = keeps_scale(layer) && input && !mixes_scales(network, i, 0, fixed);
    fixed.push_back(hands_on ? input : fixed_output(layer));
  }
  return fixed;
}

bool mixes_scales(const FloatNetwork& network, int index, std::size_t input,
                  const FixedScales& fixed) {
  const Layer& layer = network.network.layers[static_cast<std::size_t>(index)];
  if (!keeps_scale(layer) || layer.inputs[input] == kNoTensor) {
    return false;
  }
  const auto scale_of = [&](std::size_t i) {
    return fixed[static_cast<std::size_t>(layer.inputs[i])];
  };
  if (!scale_of(input)) {
    return false;
  }
  if (layer.input_count() == 2) {
    return scale_of(0) != scale_of(1);
  }
  const FloatLayer& own = network.layers[static_cast<std::size_t>(index)];
  if (has_constant_operand(layer) || layer.has_constant_map) {
    return !std::all_of(own.constants.begin(), own.constants.end(),
                        [&](float constant) { return can_hold(*scale_of(input), constant); });
  }
  return fills(layer) && !can_hold(*scale_of(input), own.fill);
}

std::vector<TensorQuantisation> activation_scales(const FloatNetwork& network,
                                                  const std::vector<ValueRange>& ranges,
                                                  const std::optional<TensorQuantisation>& image) {
  return ActivationScales(network, ranges, fixed_scales(network, image)).run();
}

}  // namespace patchnas
