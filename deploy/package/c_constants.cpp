// NAME_weights.c and its header: what stays in flash and is not code.

#include <charconv>
#include <limits>

#include "arch/operator_table.h"
#include "arch/resize_samples.h"
#include "deploy/package/c_emitter.h"
#include "deploy/package/c_names.h"
#include "deploy/package/kernel_weights.h"
#include "deploy/package/text_template.h"

namespace patchnas {
namespace {

constexpr std::size_t kLineLength = 100;

// In lines; the last one ends with a comma.
template <typename T>
std::string comma_separated(const std::vector<T>& values) {
  std::string text;
  std::size_t column = kLineLength;
  for (const T value : values) {
    // -2147483648 is no constant in C: it is the negation of one that does not fit.
    char digits[16] = "INT32_MIN";
    char* end = digits + 9;
    if (std::int64_t{value} != std::numeric_limits<std::int32_t>::min()) {
      end = std::to_chars(digits, digits + sizeof digits, static_cast<int>(value)).ptr;
    }
    const auto length = static_cast<std::size_t>(end - digits) + 1;
    if (column + length > kLineLength) {
      text += "\n  ";
      column = 2;
    }
    text.append(digits, end).append(",");
    column += length;
  }
  return text;
}

// static const TYPE NAME[COUNT] = {...}; or with another linkage
template <typename T>
void append_array(std::string& text, std::string_view type, const std::string& name,
                  const std::vector<T>& values, std::string_view linkage = "static ") {
  text +=
      fill("@linkage@const @type@ @name@[@count@] = {", {{"linkage", std::string(linkage)},
                                                         {"type", std::string(type)},
                                                         {"name", name},
                                                         {"count", std::to_string(values.size())}});
  text += comma_separated(values) + "\n};\n";
}

// The fields of a patchnas_kernel.
std::string kernel_fields(const CProgram& program, int layer) {
  const Layer& l = program.layer(layer);
  const TensorShape& input = program.network.shape(l.inputs[0]);
  return fill(R"(
    .height = @height@, .width = @width@, .stride_h = @stride_h@, .stride_w = @stride_w@,
    .pad_top = @pad_top@, .pad_left = @pad_left@,
    .input_height = @input_height@, .input_width = @input_width@)",
              {{"height", std::to_string(l.kernel.height)},
               {"width", std::to_string(l.kernel.width)},
               {"stride_h", std::to_string(l.kernel.stride_h)},
               {"stride_w", std::to_string(l.kernel.stride_w)},
               {"pad_top", std::to_string(l.kernel.pad_top)},
               {"pad_left", std::to_string(l.kernel.pad_left)},
               {"input_height", std::to_string(input.height)},
               {"input_width", std::to_string(input.width)}});
}

std::string kernel_constant(const CProgram& program, int layer) {
  return fill(R"(
const patchnas_kernel @name@ = {@fields@};
)",
              {{"name", program.constant(layer, KernelConstant::kKernel)},
               {"fields", kernel_fields(program, layer)}});
}

std::string groups_constant(const CProgram& program, int layer) {
  const Layer& l = program.layer(layer);
  return fill(R"(
const patchnas_groups @name@ = {
    .kernel = {@kernel@},
    .dilation_h = @dilation_h@, .dilation_w = @dilation_w@, .groups = @groups@};
)",
              {{"name", program.constant(layer, KernelConstant::kGroups)},
               {"kernel", kernel_fields(program, layer)},
               {"dilation_h", std::to_string(l.kernel.dilation_h)},
               {"dilation_w", std::to_string(l.kernel.dilation_w)},
               {"groups", std::to_string(l.groups)}});
}

struct ZeroPointsAndClamp {
  std::string input, output, min, max;
};

ZeroPointsAndClamp zero_points_and_clamp(const CProgram& program, int layer) {
  const auto index = static_cast<std::size_t>(layer);
  const auto zero_point = [&](TensorId tensor) {
    return std::to_string(program.quantised.tensors[static_cast<std::size_t>(tensor)].zero_point);
  };
  const ActivationClamp& clamp = program.quantised.layers[index].clamp;
  return {zero_point(program.layer(layer).inputs[0]), zero_point(layer + 1),
          std::to_string(clamp.min), std::to_string(clamp.max)};
}

std::string weights_constant(const CProgram& program, int layer) {
  const Layer& l = program.layer(layer);
  const KernelWeights weights =
      kernel_weights(l, program.quantised.layers[static_cast<std::size_t>(layer)],
                     program.quantised.tensors[static_cast<std::size_t>(l.inputs[0])].zero_point);
  const std::string prefix = program.layers[static_cast<std::size_t>(layer)];
  std::string text = "\n";
  append_array(text, "int8_t", prefix + "_values", weights.weights);
  append_array(text, "int32_t", prefix + "_biases", weights.biases);
  append_array(text, "int32_t", prefix + "_multipliers", weights.multipliers);
  append_array(text, "int8_t", prefix + "_shifts", weights.shifts);
  const ZeroPointsAndClamp numbers = zero_points_and_clamp(program, layer);
  return text + fill(R"(const patchnas_weights @name@ = {
    .weights = @prefix@_values, .biases = @prefix@_biases,
    .multipliers = @prefix@_multipliers, .shifts = @prefix@_shifts,
    .input_zero_point = @input@, .output_zero_point = @output@, .clamp_min = @min@, .clamp_max = @max@,
    .outputs = @outputs@};
)",
                     {{"name", program.constant(layer, KernelConstant::kWeights)},
                      {"prefix", prefix},
                      {"input", numbers.input},
                      {"output", numbers.output},
                      {"min", numbers.min},
                      {"max", numbers.max},
                      {"outputs", std::to_string(l.computed_channels())}});
}

// The fields of a patchnas_add_scales.
std::string add_fields(const CProgram& program, int layer) {
  const QuantizedLayer& quantised = program.quantised.layers[static_cast<std::size_t>(layer)];
  const AddArithmetic& add = quantised.add;
  const ZeroPointsAndClamp numbers = zero_points_and_clamp(program, layer);
  const TensorId second = program.layer(layer).inputs[1];
  const TensorQuantisation& of_second =
      second == kNoTensor ? quantised.constants_quantisation
                          : program.quantised.tensors[static_cast<std::size_t>(second)];
  return fill(
      R"(
    .zero_points = {@input@, @second@},
    .multipliers = {@multiplier0@, @multiplier1@}, .shifts = {@shift0@, @shift1@},
    .output_zero_point = @output@, .output_multiplier = @multiplier@, .output_shift = @shift@,
    .clamp_min = @min@, .clamp_max = @max@)",
      {{"input", numbers.input},
       {"second", std::to_string(of_second.zero_point)},
       {"multiplier0", std::to_string(add.inputs[0].multiplier)},
       {"multiplier1", std::to_string(add.inputs[1].multiplier)},
       {"shift0", std::to_string(add.inputs[0].shift)},
       {"shift1", std::to_string(add.inputs[1].shift)},
       {"output", numbers.output},
       {"multiplier", std::to_string(add.output.multiplier)},
       {"shift", std::to_string(add.output.shift)},
       {"min", numbers.min},
       {"max", numbers.max}});
}

std::string add_constant(const CProgram& program, int layer) {
  return fill(R"(
const patchnas_add_scales @name@ = {@fields@};
)",
              {{"name", program.constant(layer, KernelConstant::kAddScales)},
               {"fields", add_fields(program, layer)}});
}

std::string operation_of(LayerKind kind, bool is_reversed) {
  switch (kind) {
    case LayerKind::kAdd:
      return "PATCHNAS_ADD";
    case LayerKind::kSubtract:
      return is_reversed ? "PATCHNAS_SUBTRACT_FROM" : "PATCHNAS_SUBTRACT";
    case LayerKind::kPrelu:
      return "PATCHNAS_PRELU";
    case LayerKind::kMaximum:
      return "PATCHNAS_MAXIMUM";
    case LayerKind::kMinimum:
      return "PATCHNAS_MINIMUM";
    case LayerKind::kSquaredDifference:
      return "PATCHNAS_SQUARED_DIFFERENCE";
    default:
      return "PATCHNAS_MULTIPLY";
  }
}

std::string combination_constant(const CProgram& program, int layer) {
  const QuantizedLayer& quantised = program.quantised.layers[static_cast<std::size_t>(layer)];
  const Layer& l = program.layer(layer);
  const std::string prefix = program.layers[static_cast<std::size_t>(layer)];
  const bool has_constants = has_constant_operand(l) && !l.has_constant_map;
  std::string text = "\n";
  if (has_constants) {
    append_array(text, "int8_t", prefix + "_constants", quantised.constants);
  }
  return text + fill(R"(const patchnas_combination @name@ = {
    .operation = @operation@,
    .constants = @constants@,
    .scales = {@scales@}};
)",
                     {{"name", program.constant(layer, KernelConstant::kCombination)},
                      {"operation", operation_of(l.kind, quantised.constants_come_first)},
                      {"constants", has_constants ? prefix + "_constants" : "0"},
                      {"scales", add_fields(program, layer)}});
}

// By the byte as a number without sign: first the values from 0 on, then the negative ones.
std::vector<std::int8_t> by_byte(const LookupTable& table) {
  std::vector<std::int8_t> values(table.begin() + 128, table.end());
  values.insert(values.end(), table.begin(), table.begin() + 128);
  return values;
}

std::string table_constant(const CProgram& program, int layer) {
  const LookupTables& tables = program.quantised.layers[static_cast<std::size_t>(layer)].lookup;
  const auto definition = [&](const LookupTable& table) {
    return fill(R"(const patchnas_table @name@ = {{@values@
}};
)",
                {{"name", program.constant(layer, KernelConstant::kTable)},
                 {"values", comma_separated(by_byte(table))}});
  };
  if (tables.once == tables.twice) {
    return fill("\n@twice@", {{"twice", definition(tables.twice)}});
  }
  return fill(R"(
#if defined(PATCHNAS_SINGLE_ROUNDING)
@once@#else
@twice@#endif
)",
              {{"once", definition(tables.once)}, {"twice", definition(tables.twice)}});
}

std::string resizing_constant(const CProgram& program, int layer) {
  const Layer& l = program.layer(layer);
  const TensorShape& input = program.network.shape(l.inputs[0]);
  const std::string prefix = program.layers[static_cast<std::size_t>(layer)];
  const auto samples = [&](const char* axis, int from, int to) {
    std::string numbers;
    for (const ResizeSample& sample : resize_samples(l.resizing, from, to)) {
      numbers +=
          fill("\n  {@first@, @second@, @part@},", {{"first", std::to_string(sample.first)},
                                                    {"second", std::to_string(sample.second)},
                                                    {"part", std::to_string(sample.part)}});
    }
    return fill(
        R"(static const patchnas_sample @prefix@_@axis@[@count@] = {@numbers@
};
)",
        {{"prefix", prefix}, {"axis", axis}, {"count", std::to_string(to)}, {"numbers", numbers}});
  };
  return fill(R"(
@rows@@cols@const patchnas_resizing @name@ = {.rows = @prefix@_rows, .cols = @prefix@_cols};
)",
              {{"rows", samples("rows", input.height, l.output.height)},
               {"cols", samples("cols", input.width, l.output.width)},
               {"name", program.constant(layer, KernelConstant::kResizing)},
               {"prefix", prefix}});
}

std::string copy_constant(const CProgram& program, int layer) {
  const Layer& l = program.layer(layer);
  const StridedCopy& copy = l.copy;
  const auto three = [](const std::array<int, 3>& numbers) {
    return fill("{@a@, @b@, @c@}", {{"a", std::to_string(numbers[0])},
                                    {"b", std::to_string(numbers[1])},
                                    {"c", std::to_string(numbers[2])}});
  };
  const bool has_others = l.input_count() == 2 || fills(l);
  return fill(
      R"(
const patchnas_copy_shape @name@ = {
    .counts = @counts@, .from_strides = @from_strides@, .to_strides = @to_strides@,
    .from = @from@, .to = @to@, .fill_bytes = @bytes@, .fill = @fill@};
)",
      {{"name", program.constant(layer, KernelConstant::kCopyShape)},
       {"counts", three(copy.counts)},
       {"from_strides", three(copy.from_strides)},
       {"to_strides", three(copy.to_strides)},
       {"from", std::to_string(copy.from)},
       {"to", std::to_string(copy.to)},
       {"bytes", std::to_string(has_others ? l.output.elements() : 0)},
       {"fill", std::to_string(program.quantised.layers[static_cast<std::size_t>(layer)].fill)}});
}

std::string margins_constant(const CProgram& program, int layer) {
  const Layer& l = program.layer(layer);
  const TensorShape& input = program.network.shape(l.inputs[0]);
  return fill(
      R"(
const patchnas_margins @name@ = {
    .top = @top@, .left = @left@, .input_height = @height@, .input_width = @width@,
    .fill = @fill@};
)",
      {{"name", program.constant(layer, KernelConstant::kMargins)},
       {"top", std::to_string(l.kernel.pad_top)},
       {"left", std::to_string(l.kernel.pad_left)},
       {"height", std::to_string(input.height)},
       {"width", std::to_string(input.width)},
       {"fill", std::to_string(program.quantised.layers[static_cast<std::size_t>(layer)].fill)}});
}

std::string mean_constant(const CProgram& program, int layer) {
  const Requantisation& mean = program.quantised.layers[static_cast<std::size_t>(layer)].mean;
  const ZeroPointsAndClamp numbers = zero_points_and_clamp(program, layer);
  return fill(
      R"(
const patchnas_mean_scale @name@ = {
    .input_zero_point = @input@, .multiplier = @multiplier@, .shift = @shift@,
    .output_zero_point = @output@};
)",
      {{"name", program.constant(layer, KernelConstant::kMeanScale)},
       {"input", numbers.input},
       {"multiplier", std::to_string(mean.multiplier)},
       {"shift", std::to_string(mean.shift)},
       {"output", numbers.output}});
}

std::string constant_of(const CProgram& program, int layer, KernelConstant constant) {
  switch (constant) {
    case KernelConstant::kKernel:
      return kernel_constant(program, layer);
    case KernelConstant::kWeights:
      return weights_constant(program, layer);
    case KernelConstant::kAddScales:
      return add_constant(program, layer);
    case KernelConstant::kMeanScale:
      return mean_constant(program, layer);
    case KernelConstant::kGroups:
      return groups_constant(program, layer);
    case KernelConstant::kCombination:
      return combination_constant(program, layer);
    case KernelConstant::kTable:
      return table_constant(program, layer);
    case KernelConstant::kResizing:
      return resizing_constant(program, layer);
    case KernelConstant::kCopyShape:
      return copy_constant(program, layer);
    case KernelConstant::kMargins:
      return margins_constant(program, layer);
    case KernelConstant::kNone:
      break;
  }
  return "";
}

}  // namespace

std::string emit_constants(const CProgram& program) {
  std::string text =
      fill(R"(/* Weights and other constants of @name@, for flash. Generated by PatchNAS. */
#include "@name@_weights.h"
)",
           {{"name", program.name}});
  for (int layer = 0; layer < program.network.layer_count(); ++layer) {
    const std::span<const KernelConstant> constants = program.constants_of(layer);
    const bool has_map = program.layer(layer).has_constant_map;
    if (constants.empty() && !has_map) {
      continue;
    }
    text += "\n/* " + std::to_string(layer) + " " +
            comment_text(program.network.layer_name(layer)) + " */";
    if (has_map) {
      text += "\n";
      append_array(text, "int8_t", program.constant_map(layer),
                   program.quantised.layers[static_cast<std::size_t>(layer)].constants, "");
    }
    for (const KernelConstant constant : constants) {
      text += constant_of(program, layer, constant);
    }
  }
  return text;
}

std::string emit_declarations(const CProgram& program) {
  std::string declarations;
  for (int layer = 0; layer < program.network.layer_count(); ++layer) {
    for (const KernelConstant constant : program.constants_of(layer)) {
      declarations.append("extern const ")
          .append(constant_facts(constant).type)
          .append(" ")
          .append(program.constant(layer, constant))
          .append(";\n");
    }
    if (program.layer(layer).has_constant_map) {
      declarations.append("extern const int8_t ")
          .append(program.constant_map(layer))
          .append("[")
          .append(std::to_string(program.layer(layer).output.elements()))
          .append("];\n");
    }
  }
  return fill(R"(/* Constants of @name@'s layers; for @name@.c alone. Generated by PatchNAS. */
#ifndef @NAME@_WEIGHTS_H
#define @NAME@_WEIGHTS_H

#include @runtime@

@declarations@
#endif
)",
              {{"name", program.name},
               {"NAME", program.upper},
               {"declarations", declarations},
               {"runtime", "\"runtime/patchnas_runtime.h\""}});
}

}  // namespace patchnas
