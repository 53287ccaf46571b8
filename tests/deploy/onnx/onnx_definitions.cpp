#include "tests/deploy/onnx/onnx_definitions.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include "deploy/import/dimensions.h"
#include "tests/deploy/onnx/node_definition.h"

namespace patchnas::testing {
namespace {

class Node : public NodeDefinition {
 public:
  using NodeDefinition::NodeDefinition;

  [[nodiscard]] NdArray run() const {
    if (op_ == "Conv" || op_ == "MaxPool" || op_ == "AveragePool") {
      return slide();
    }
    if (op_ == "ConvTranspose") {
      return slide_back();
    }
    if (op_ == "Gemm" || op_ == "MatMul") {
      return multiply_matrices();
    }
    if (op_ == "Add" || op_ == "Sub" || op_ == "Mul" || op_ == "Div" || op_ == "Max" ||
        op_ == "Min" || op_ == "PRelu") {
      return combine();
    }
    if (op_ == "BatchNormalization") {
      return filled(from_, [&](const Index& i) {
        const auto c = static_cast<std::size_t>(i[1]);
        return in_[1].values[c] * (at(in_[0], i) - in_[3].values[c]) /
                   std::sqrt(in_[4].values[c] + number("epsilon", 1e-5F)) +
               in_[2].values[c];
      });
    }
    if (op_.starts_with("Reduce") || op_.starts_with("Global")) {
      return reduce();
    }
    if (op_ == "Softmax") {
      return softmax();
    }
    if (op_ == "Resize") {
      return resize();
    }
    return filled(from_, [&](const Index& i) { return function(at(in_[0], i)); });
  }

 private:
  [[nodiscard]] double function(double x) const {
    if (op_ == "Relu") {
      return std::max(x, 0.0);
    }
    if (op_ == "Clip") {
      return std::clamp<double>(x, in_[1].values[0], in_[2].values[0]);
    }
    if (op_ == "Neg") {
      return -x;
    }
    if (op_ == "Abs") {
      return std::abs(x);
    }
    if (op_ == "Elu") {
      return x < 0 ? std::expm1(x) : x;
    }
    if (op_ == "LeakyRelu") {
      return x < 0 ? number("alpha", 0.01F) * x : x;
    }
    if (op_ == "Sigmoid") {
      return 1 / (1 + std::exp(-x));
    }
    if (op_ == "Tanh") {
      return std::tanh(x);
    }
    if (op_ == "HardSigmoid") {
      return std::clamp<double>(number("alpha", 0.2F) * x + number("beta", 0.5F), 0, 1);
    }
    if (op_ == "HardSwish") {
      return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    }
    if (op_ == "Identity") {
      return x;
    }
    throw std::logic_error(op_);
  }

  // A window over [1, C, H, W] or [1, C, W].
  [[nodiscard]] NdArray slide() const {
    const bool is_conv = op_ == "Conv";
    const std::size_t axes = from_.size() - 2;
    const Integers kernel = is_conv
                                ? Integers(in_[1].dimensions.begin() + 2, in_[1].dimensions.end())
                                : list("kernel_shape", {});
    const Integers ones(axes, 1);
    const Integers strides = list("strides", ones);
    const Integers dilations = list("dilations", ones);
    Integers pads = list("pads", Integers(2 * axes, 0));
    const std::string auto_pad = text("auto_pad", "NOTSET");
    std::vector<int> to{1, is_conv ? in_[1].dimensions[0] : from_[1]};
    for (std::size_t a = 0; a < axes; ++a) {
      const std::int64_t input = from_[2 + a];
      const std::int64_t span = (kernel[a] - 1) * dilations[a] + 1;
      if (auto_pad.starts_with("SAME")) {
        const std::int64_t output = (input + strides[a] - 1) / strides[a];
        const std::int64_t all =
            std::max<std::int64_t>(0, (output - 1) * strides[a] + span - input);
        pads[a] = auto_pad == "SAME_UPPER" ? all / 2 : (all + 1) / 2;
        pads[axes + a] = all - pads[a];
      }
      const double places = static_cast<double>(input + pads[a] + pads[axes + a] - span) /
                            static_cast<double>(strides[a]);
      std::int64_t output =
          static_cast<std::int64_t>(integer("ceil_mode", 0) != 0 ? std::ceil(places)
                                                                 : std::floor(places)) +
          1;
      if (integer("ceil_mode", 0) != 0 && (output - 1) * strides[a] >= input + pads[a]) {
        --output;
      }
      to.push_back(static_cast<int>(output));
    }
    const int groups = static_cast<int>(integer("group", 1));
    return filled(to, [&](const Index& i) {
      double sum = is_conv && in_.size() > 2 ? in_[2].values[static_cast<std::size_t>(i[1])] : 0;
      double largest = std::numeric_limits<double>::lowest();
      int count = 0;
      const int per_group = is_conv ? from_[1] / groups : 1;
      const int first = is_conv ? i[1] / (to[1] / groups) * per_group : i[1];
      Index tap(axes, 0);
      const std::vector<int> taps(kernel.begin(), kernel.end());
      for (std::int64_t t = 0; t < element_count(taps); ++t) {
        bool inside = true;
        bool counts = integer("count_include_pad", 0) != 0;
        Index place{0, 0};
        std::int64_t rest = t;
        for (std::size_t a = axes; a-- > 0;) {
          tap[a] = static_cast<int>(rest % kernel[a]);
          rest /= kernel[a];
        }
        for (std::size_t a = 0; a < axes; ++a) {
          place.push_back(
              static_cast<int>(i[2 + a] * strides[a] - pads[a] + tap[a] * dilations[a]));
          inside = inside && place.back() >= 0 && place.back() < from_[2 + a];
          counts = counts && place.back() < from_[2 + a] + pads[axes + a];
        }
        count += inside || counts ? 1 : 0;
        for (int c = 0; inside && c < per_group; ++c) {
          place[1] = first + c;
          Index weight{i[1], c};
          weight.insert(weight.end(), tap.begin(), tap.end());
          const double value = at(in_[0], place);
          sum += is_conv ? value * at(in_[1], weight) : value;
          largest = std::max(largest, value);
        }
      }
      return op_ == "MaxPool" ? largest : is_conv ? sum : sum / count;
    });
  }

  // Every element of the input adds its products with all weights to a window of the output.
  [[nodiscard]] NdArray slide_back() const {
    const NdArray& weights = in_[1];
    const Integers strides = list("strides", {1, 1});
    const Integers pads = list("pads", {0, 0, 0, 0});
    const Integers added = list("output_padding", {0, 0});
    std::vector<int> to{1, weights.dimensions[1]};
    for (std::size_t a = 0; a < 2; ++a) {
      to.push_back(static_cast<int>((from_[2 + a] - 1) * strides[a] + weights.dimensions[2 + a] +
                                    added[a] - pads[a] - pads[2 + a]));
    }
    return filled(to, [&](const Index& i) {
      double sum = in_.size() > 2 ? in_[2].values[static_cast<std::size_t>(i[1])] : 0;
      filled(from_, [&](const Index& j) {
        const auto row = static_cast<int>(i[2] + pads[0] - j[2] * strides[0]);
        const auto col = static_cast<int>(i[3] + pads[1] - j[3] * strides[1]);
        const bool is_inside =
            row >= 0 && row < weights.dimensions[2] && col >= 0 && col < weights.dimensions[3];
        sum += is_inside ? at(in_[0], j) * at(weights, {j[1], i[1], row, col}) : 0;
        return 0.0;
      });
      return sum;
    });
  }

  [[nodiscard]] NdArray multiply_matrices() const {
    const bool transposed = integer("transB", 0) != 0;
    std::vector<int> to = from_;
    to.back() = in_[1].dimensions[transposed ? 0 : 1];
    return filled(to, [&](const Index& i) {
      double sum = 0;
      for (int k = 0; k < from_.back(); ++k) {
        Index of_a = i;
        of_a.back() = k;
        sum += at(in_[0], of_a) * at(in_[1], transposed ? Index{i.back(), k} : Index{k, i.back()});
      }
      return number("alpha", 1) * sum + (in_.size() > 2 ? number("beta", 1) * at(in_[2], i) : 0);
    });
  }

  [[nodiscard]] NdArray combine() const {
    std::vector<int> to(std::max(from_.size(), in_[1].dimensions.size()), 1);
    for (const NdArray& operand : in_) {
      for (std::size_t d = 1; d <= operand.dimensions.size(); ++d) {
        int& extent = to[to.size() - d];
        extent = std::max(extent, operand.dimensions[operand.dimensions.size() - d]);
      }
    }
    return filled(to, [&](const Index& i) {
      const double a = at(in_[0], i);
      const double b = at(in_[1], i);
      return op_ == "Add"   ? a + b
             : op_ == "Sub" ? a - b
             : op_ == "Mul" ? a * b
             : op_ == "Div" ? a / b
             : op_ == "Max" ? std::max(a, b)
             : op_ == "Min" ? std::min(a, b)
             : a < 0        ? a * b
                            : a;
    });
  }

  [[nodiscard]] NdArray reduce() const {
    std::vector<bool> reduced(from_.size(), false);
    for (const std::int64_t a : in_.size() > 1 ? integers_of(in_[1]) : list("axes", {2, 3})) {
      reduced[static_cast<std::size_t>(a < 0 ? a + static_cast<std::int64_t>(from_.size()) : a)] =
          true;
    }
    std::vector<int> to = from_;
    std::vector<int> over = from_;
    std::vector<int> kept;
    for (std::size_t d = 0; d < from_.size(); ++d) {
      (reduced[d] ? to : over)[d] = 1;
      if (!reduced[d] || integer("keepdims", 1) != 0) {
        kept.push_back(to[d]);
      }
    }
    NdArray result = filled(to, [&](const Index& i) {
      double sum = 0;
      double largest = std::numeric_limits<double>::lowest();
      double least = std::numeric_limits<double>::max();
      filled(over, [&](const Index& j) {
        Index place = i;
        for (std::size_t d = 0; d < place.size(); ++d) {
          place[d] += j[d];
        }
        sum += at(in_[0], place);
        largest = std::max(largest, at(in_[0], place));
        least = std::min(least, at(in_[0], place));
        return 0.0;
      });
      return op_ == "ReduceMax" || op_ == "GlobalMaxPool" ? largest
             : op_ == "ReduceMin"                         ? least
             : op_ == "ReduceSum"                         ? sum
                                  : sum / static_cast<double>(element_count(over));
    });
    result.dimensions = kept;
    return result;
  }

  [[nodiscard]] NdArray softmax() const {
    const int a = axis(-1);
    return filled(from_, [&](const Index& i) {
      double sum = 0;
      for (int k = 0; k < from_[static_cast<std::size_t>(a)]; ++k) {
        Index other = i;
        other[static_cast<std::size_t>(a)] = k;
        sum += std::exp(at(in_[0], other));
      }
      return std::exp(at(in_[0], i)) / sum;
    });
  }

  // By sizes, in its fourth input.
  [[nodiscard]] NdArray resize() const {
    const Integers sizes = integers_of(in_[3]);
    const std::string coordinates = text("coordinate_transformation_mode", "half_pixel");
    const std::vector<int> to(sizes.begin(), sizes.end());
    const auto place = [&](std::size_t d, int i) {
      const double ratio = static_cast<double>(from_[d]) / to[d];
      return coordinates == "asymmetric" ? i * ratio
             : coordinates == "align_corners"
                 ? (to[d] == 1 ? 0 : i * (from_[d] - 1.0) / (to[d] - 1))
                 : (i + 0.5) * ratio - 0.5;
    };
    const auto inside = [&](std::size_t d, double p) {
      return static_cast<int>(std::clamp<double>(p, 0, from_[d] - 1));
    };
    return filled(to, [&](const Index& i) {
      Index nearest = i;
      double value = 0;
      for (int corner = 0; corner < 4; ++corner) {
        double weight = 1;
        Index pixel = i;
        for (std::size_t d = 2; d < 4; ++d) {
          const double p = place(d, i[d]);
          nearest[d] = inside(d, std::floor(p));
          const double low = std::floor(p);
          const bool upper = (corner >> (d - 2) & 1) != 0;
          weight *= upper ? p - low : 1 - (p - low);
          pixel[d] = inside(d, upper ? low + 1 : low);
        }
        value += weight * at(in_[0], pixel);
      }
      return text("mode", "nearest") == "linear" ? value : at(in_[0], nearest);
    });
  }
};

}  // namespace

NdArray computed(const std::string& op, const std::vector<NdArray>& inputs,
                 const OnnxAttributes& attributes) {
  return moves_elements(op) ? moved(op, inputs, attributes) : Node(op, inputs, attributes).run();
}

}  // namespace patchnas::testing
