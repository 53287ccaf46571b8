#include "tests/runtime/kernel_case.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "arch/resize_samples.h"
#include "deploy/package/kernel_weights.h"
#include "deploy/reference/reference_kernels.h"

namespace patchnas::testing {
namespace {

constexpr std::int8_t kUntouched = 0x5e;  // what run_kernel_cases.c fills the output with

template <typename T>
void append_array(std::vector<std::int32_t>& words, const std::vector<T>& items) {
  const std::size_t bytes = items.size() * sizeof(T);
  const std::size_t begin = words.size();
  words.resize(begin + (bytes + 3) / 4);
  if (bytes > 0) {
    std::memcpy(&words[begin], items.data(), bytes);
  }
}

// By the byte as a number without sign, as patchnas_table.
std::vector<std::int8_t> table_of(const LookupTables& tables, Arithmetic arithmetic) {
  const LookupTable& table =
      arithmetic == Arithmetic::kTfliteMicroSingleRounding ? tables.once : tables.twice;
  std::vector<std::int8_t> values(table.begin() + 128, table.end());
  values.insert(values.end(), table.begin(), table.begin() + 128);
  return values;
}

// PATCHNAS_ADD, …
std::int32_t operation_of(const Layer& layer, const QuantizedLayer& quantised) {
  switch (layer.kind) {
    case LayerKind::kAdd:
      return 0;
    case LayerKind::kSubtract:
      return quantised.constants_come_first ? 2 : 1;
    case LayerKind::kPrelu:
      return 4;
    case LayerKind::kMaximum:
      return 5;
    case LayerKind::kMinimum:
      return 6;
    case LayerKind::kSquaredDifference:
      return 7;
    default:
      return 3;
  }
}

bool has_rest(const Layer& layer) { return layer.input_count() == 2; }

std::vector<std::int32_t> copy_numbers(const KernelCase& c) {
  const StridedCopy& copy = c.layer.copy;
  std::vector<std::int32_t> numbers(copy.counts.begin(), copy.counts.end());
  numbers.insert(numbers.end(), copy.from_strides.begin(), copy.from_strides.end());
  numbers.insert(numbers.end(), copy.to_strides.begin(), copy.to_strides.end());
  const bool has_others = has_rest(c.layer) || fills(c.layer);
  numbers.insert(
      numbers.end(),
      {copy.from, copy.to, has_others ? static_cast<std::int32_t>(c.layer.output.elements()) : 0,
       c.quantised.fill, has_rest(c.layer) ? 1 : 0});
  return numbers;
}

std::vector<std::int32_t> resize_numbers(const KernelCase& c) {
  std::vector<std::int32_t> numbers{c.layer.output.height};
  const auto append = [&](const std::vector<ResizeSample>& samples) {
    for (const ResizeSample& s : samples) {
      numbers.insert(numbers.end(), {s.first, s.second, s.part});
    }
  };
  append(resize_samples(c.layer.resizing, c.input.height, c.layer.output.height));
  append(resize_samples(c.layer.resizing, c.input.width, c.layer.output.width));
  return numbers;
}

// What only this kernel is told.
std::vector<std::int32_t> numbers_of(const KernelCase& c) {
  const Layer& layer = c.layer;
  switch (c.call) {
    case KernelFunction::kConvolve:
    case KernelFunction::kPointwise:
      return {layer.channels.to};
    case KernelFunction::kConvolveGroups:
      return {layer.kernel.dilation_h, layer.kernel.dilation_w, layer.groups};
    case KernelFunction::kCombine:
      return {operation_of(layer, c.quantised), has_constant_operand(layer) ? 1 : 0};
    case KernelFunction::kResize:
      return resize_numbers(c);
    case KernelFunction::kCopyChannels:
      return {layer.channels.from, layer.channels.to, layer.channels.count, c.quantised.fill,
              has_rest(layer) ? 1 : 0};
    case KernelFunction::kCopy:
      return copy_numbers(c);
    case KernelFunction::kPad:
      return {c.quantised.fill};
    default:
      return {};
  }
}

// Weights, or what stands in their place.
std::vector<std::int8_t> bytes_of(const KernelCase& c, const KernelWeights& weights) {
  if (c.call == KernelFunction::kLookup) {
    return table_of(c.quantised.lookup, c.arithmetic);
  }
  return c.call == KernelFunction::kCombine ? c.quantised.constants : weights.weights;
}

std::vector<std::int32_t> scales_of(const KernelCase& c) {
  if (c.call == KernelFunction::kSoftmax) {
    const SoftmaxArithmetic& softmax = c.quantised.softmax;
    return {0,
            0,
            softmax.difference.multiplier,
            softmax.smallest_difference,
            softmax.difference.shift,
            0,
            0,
            0,
            0,
            0,
            0};
  }
  const AddArithmetic& add = c.quantised.add;
  const Requantisation& first =
      c.call == KernelFunction::kMean ? c.quantised.mean : c.quantised.add.inputs[0];
  return {c.in_quantisation.zero_point,
          c.second_quantisation.zero_point,
          first.multiplier,
          add.inputs[1].multiplier,
          first.shift,
          add.inputs[1].shift,
          c.out_quantisation.zero_point,
          add.output.multiplier,
          add.output.shift,
          c.quantised.clamp.min,
          c.quantised.clamp.max};
}

}  // namespace

std::vector<std::int8_t> KernelCase::expected() const {
  std::vector<std::int8_t> output(static_cast<std::size_t>(held.pixels() * layer.output.channels),
                                  kUntouched);
  const LayerContext context{.layer = layer,
                             .quantised = quantised,
                             .inputs = {in_quantisation, second_quantisation},
                             .output = out_quantisation,
                             .arithmetic = arithmetic};
  const TensorShape& second_shape =
      operator_facts(layer.kind).computes_by_element() ? input : layer.output;
  const InputWindow first{.bytes = values[0], .rect = read, .shape = input};
  const InputWindow second{.bytes = values[1], .rect = second_read, .shape = second_shape};
  run_layer(context, {first, second}, {.bytes = output, .rect = held, .shape = layer.output},
            computed);
  return output;
}

void KernelCase::append_to(std::vector<std::int32_t>& words) const {
  const auto append = [&](std::initializer_list<std::int32_t> more) {
    words.insert(words.end(), more);
  };
  const auto append_window = [&](const Rect& rect, int channels) {
    append({rect.rows.begin, rect.cols.begin, rect.cols.size(), channels});
  };
  const KernelWeights constants = kernel_weights(layer, quantised, in_quantisation.zero_point);
  const std::vector<std::int8_t> shifts(constants.shifts.begin(), constants.shifts.end());
  const std::vector<std::int8_t> bytes = bytes_of(*this, constants);
  const std::vector<std::int32_t> numbers = numbers_of(*this);
  const std::vector<std::int32_t> scales = scales_of(*this);
  const std::vector<std::int8_t> answer = expected();
  const Kernel& k = layer.kernel;
  append({static_cast<std::int32_t>(call)});
  append({k.height, k.width, k.stride_h, k.stride_w, k.pad_top, k.pad_left, input.height,
          input.width});
  append_window(read, input.channels);
  append_window(second_read, layer.output.channels);
  append_window(held, layer.output.channels);
  append({computed.rows.begin, computed.rows.end, computed.cols.begin, computed.cols.end});
  append({placement});
  words.insert(words.end(), scales.begin(), scales.end());
  append({static_cast<std::int32_t>(numbers.size())});
  words.insert(words.end(), numbers.begin(), numbers.end());
  append({static_cast<std::int32_t>(values[0].size()), static_cast<std::int32_t>(values[1].size()),
          static_cast<std::int32_t>(answer.size()), static_cast<std::int32_t>(bytes.size()),
          static_cast<std::int32_t>(constants.biases.size())});
  append_array(words, values[0]);
  append_array(words, values[1]);
  append_array(words, bytes);
  append_array(words, constants.biases);
  append_array(words, constants.multipliers);
  append_array(words, shifts);
  append_array(words, answer);
}

Interval widened(const Interval& interval, int extent, RandomStream& stream) {
  return stream.chance(0.5) ? interval
                            : Interval{interval.begin - between(stream, 0, interval.begin),
                                       interval.end + between(stream, 0, extent - interval.end)};
}

Interval random_part(int extent, RandomStream& stream) {
  if (stream.chance(0.4)) {
    return Interval{0, extent};
  }
  const int begin = between(stream, 0, extent - 1);
  return Interval{begin, stream.chance(0.5) ? between(stream, begin + 1, extent)
                                            : std::min(extent, begin + between(stream, 1, 4))};
}

}  // namespace patchnas::testing
