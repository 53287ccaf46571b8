// What computes element by element, moves elements, or interpolates between them.

#include <algorithm>
#include <optional>
#include <vector>

#include "arch/resize_samples.h"
#include "deploy/reference/litert_arithmetic.h"
#include "deploy/reference/reference_kernels.h"

namespace patchnas {
namespace {

// Calls visit(row, col) for every pixel.
template <typename Visit>
void for_each_pixel(const Rect& rect, const Visit& visit) {
  for (int row = rect.rows.begin; row < rect.rows.end; ++row) {
    for (int col = rect.cols.begin; col < rect.cols.end; ++col) {
      visit(row, col);
    }
  }
}

// A map of constants is read as if it were a tensor.
InputWindow second_input(const LayerContext& context, const std::array<InputWindow, 2>& inputs) {
  const TensorShape& shape = context.layer.output;
  return context.layer.has_constant_map
             ? InputWindow{context.quantised.constants, full_rect(shape), shape}
             : inputs[1];
}

class Combination {
 public:
  explicit Combination(const LayerContext& context)
      : context_(context),
        arithmetic_(context.quantised.add),
        is_reversed_(context.quantised.constants_come_first) {}

  [[nodiscard]] std::int8_t operator()(std::int8_t a, std::int8_t b) const {
    switch (context_.layer.kind) {
      case LayerKind::kMaximum:
        return std::max(a, b);
      case LayerKind::kMinimum:
        return std::min(a, b);
      case LayerKind::kPrelu:
        return stored(steps(0, a) >= 0
                          ? requantised(steps(0, a), arithmetic_.inputs[0])
                          : requantised(steps(0, a) * steps(1, b), arithmetic_.output));
      case LayerKind::kMultiply:
        if (context_.arithmetic == Arithmetic::kLiteRt) {
          return stored(litert_requantise(steps(0, a) * steps(1, b), context_.inputs[0].scale,
                                          context_.inputs[1].scale, context_.output.scale));
        }
        [[fallthrough]];
      default:
        return stored(requantised(combined(a, b), arithmetic_.output));
    }
  }

 private:
  [[nodiscard]] std::int8_t stored(std::int32_t value) const {
    const ActivationClamp& clamp = context_.quantised.clamp;
    return static_cast<std::int8_t>(
        std::clamp(value + context_.output.zero_point, clamp.min, clamp.max));
  }
  [[nodiscard]] std::int32_t requantised(std::int32_t value, const Requantisation& by) const {
    return requantise(value, by, context_.arithmetic);
  }
  [[nodiscard]] std::int32_t steps(std::size_t input, std::int8_t value) const {
    return value - context_.inputs[input].zero_point;
  }
  [[nodiscard]] std::int32_t scaled(std::size_t input, std::int8_t value,
                                    int left_shift = kAddLeftShift) const {
    return requantised(steps(input, value) * (1 << left_shift), arithmetic_.inputs[input]);
  }
  [[nodiscard]] std::int32_t combined(std::int8_t a, std::int8_t b) const {
    switch (context_.layer.kind) {
      case LayerKind::kMultiply:
        return steps(0, a) * steps(1, b);
      case LayerKind::kSubtract:
        return is_reversed_ ? scaled(1, b) - scaled(0, a) : scaled(0, a) - scaled(1, b);
      case LayerKind::kSquaredDifference: {
        const std::int32_t difference =
            scaled(0, a, kSquaredDifferenceLeftShift) - scaled(1, b, kSquaredDifferenceLeftShift);
        return difference * difference;
      }
      default:
        return scaled(0, a) + scaled(1, b);
    }
  }

  const LayerContext& context_;
  const AddArithmetic& arithmetic_;
  bool is_reversed_;
};

}  // namespace

void combine(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
             const OutputWindow& output, const Rect& computed) {
  const Combination combined(context);
  const bool is_constant = has_constant_operand(context.layer);
  const InputWindow second = second_input(context, inputs);
  for_each_pixel(computed, [&](int row, int col) {
    const std::int8_t* const a = inputs[0].pixel(row, col);
    const std::int8_t* const b = is_constant && !context.layer.has_constant_map
                                     ? context.quantised.constants.data()
                                 : context.layer.repeats_second ? second.pixel(0, 0)
                                                                : second.pixel(row, col);
    std::int8_t* const out = output.pixel(row, col);
    for (int c = 0; c < output.shape.channels; ++c) {
      out[c] = combined(a[c], b[c]);
    }
  });
}

void look_up(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
             const Rect& computed) {
  const LookupTables& tables = context.quantised.lookup;
  const LookupTable& table =
      context.arithmetic == Arithmetic::kTfliteMicroSingleRounding ? tables.once : tables.twice;
  for_each_pixel(computed, [&](int row, int col) {
    const std::int8_t* const in = input.pixel(row, col);
    std::transform(in, in + output.shape.channels, output.pixel(row, col),
                   [&](std::int8_t value) { return table[static_cast<std::size_t>(value + 128)]; });
  });
}

void resize(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
            const Rect& computed) {
  const Resizing& rule = context.layer.resizing;
  const auto rows = resize_samples(rule, input.shape.height, output.shape.height);
  const auto cols = resize_samples(rule, input.shape.width, output.shape.width);
  for_each_pixel(computed, [&](int row, int col) {
    const ResizeSample& y = rows[static_cast<std::size_t>(row)];
    const ResizeSample& x = cols[static_cast<std::size_t>(col)];
    for (int c = 0; c < output.shape.channels; ++c) {
      const auto along = [&](int in_row) {
        return input.pixel(in_row, x.first)[c] * (kResizeParts - x.part) +
               input.pixel(in_row, x.second)[c] * x.part;
      };
      const std::int32_t sum = along(y.first) * (kResizeParts - y.part) + along(y.second) * y.part;
      constexpr std::int32_t kWhole = kResizeParts * kResizeParts;
      const bool rounds_up = context.arithmetic == Arithmetic::kTfliteMicroSingleRounding;
      output.pixel(row, col)[c] = static_cast<std::int8_t>(
          rounds_up ? (sum + kWhole / 2) >> 20
                    : (sum + (sum > 0 ? kWhole / 2 : -kWhole / 2)) / kWhole);
    }
  });
}

void copy_channels(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
                   const OutputWindow& output, const Rect& computed) {
  const ChannelRange& range = context.layer.channels;
  const bool has_rest = context.layer.input_count() == 2 || context.layer.has_constant_map;
  const InputWindow rest = second_input(context, inputs);
  for_each_pixel(computed, [&](int row, int col) {
    std::int8_t* const out = output.pixel(row, col);
    for (int c = 0; c < output.shape.channels; ++c) {
      const bool is_copied = c >= range.to && c < range.to + range.count;
      out[c] = is_copied  ? inputs[0].pixel(row, col)[range.from + c - range.to]
               : has_rest ? rest.pixel(row, col)[c]
                          : context.quantised.fill;
    }
  });
}

void pad(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
         const Rect& computed) {
  const Rect all = full_rect(input.shape);
  for_each_pixel(computed, [&](int row, int col) {
    const int from_row = row - context.layer.kernel.pad_top;
    const int from_col = col - context.layer.kernel.pad_left;
    std::int8_t* const out = output.pixel(row, col);
    if (all.contains({{from_row, from_row + 1}, {from_col, from_col + 1}})) {
      std::copy_n(input.pixel(from_row, from_col), output.shape.channels, out);
    } else {
      std::fill_n(out, output.shape.channels, context.quantised.fill);
    }
  });
}

void copy_elements(const LayerContext& context, const std::array<InputWindow, 2>& inputs,
                   const OutputWindow& output) {
  const StridedCopy& copy = context.layer.copy;
  std::vector<std::int8_t> result(output.bytes.size(), context.quantised.fill);
  if (context.layer.input_count() == 2 || context.layer.has_constant_map) {
    std::copy_n(second_input(context, inputs).bytes.begin(), result.size(), result.begin());
  }
  for (int i = 0; i < copy.counts[0]; ++i) {
    for (int j = 0; j < copy.counts[1]; ++j) {
      for (int k = 0; k < copy.counts[2]; ++k) {
        const auto at = [&](int begin, const std::array<int, 3>& strides) {
          return static_cast<std::size_t>(begin + i * strides[0] + j * strides[1] + k * strides[2]);
        };
        result[at(copy.to, copy.to_strides)] = inputs[0].bytes[at(copy.from, copy.from_strides)];
      }
    }
  }
  std::copy(result.begin(), result.end(), output.bytes.begin());
}

}  // namespace patchnas
