// The part of NAME.h that converts between int8 and the numbers of the network's user.

#include <algorithm>
#include <string>
#include <vector>

#include "arch/fixed_point.h"
#include "deploy/package/c_emitter.h"
#include "deploy/package/c_names.h"
#include "deploy/package/text_template.h"
#include "deploy/reference/end_numbers.h"

namespace patchnas {
namespace {

constexpr std::string_view kNumbers =
    R"(/* The network that this was made from takes @in@ numbers and gives @out@ ones. The functions below
 * convert to the same int8, and back, as its operators do in TensorFlow Lite Micro. */
)";

constexpr std::string_view kQuantize = R"(
/* A real input: the nearest value, ties away from zero, or the end of int8 that it is beyond. */
static inline int8_t @name@_quantize@suffix@(float real) {
  const float steps = real / @PREFIX@_SCALE;
  if (!(steps > -512.0f)) {
    return -128;
  }
  if (steps >= 512.0f) {
    return 127;
  }
  int32_t value = (int32_t)steps;
  const float rest = steps - (float)value;
  value += (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0) + @PREFIX@_ZERO_POINT;
  return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}
)";

constexpr std::string_view kDequantize = R"(
/* What an output value stands for. */
static inline float @name@_dequantize@suffix@(int8_t value) {
  return @PREFIX@_SCALE * (float)(value - @PREFIX@_ZERO_POINT);
}
)";

constexpr std::string_view kRescale = R"(
/* x * multiplier * 2^(shift - 31). Rounds as the kernels do, if PATCHNAS_SINGLE_ROUNDING is defined
 * here where it is for them. */
static inline int32_t @name@_rescale(int32_t x, int32_t multiplier, int shift) {
#ifdef PATCHNAS_SINGLE_ROUNDING
  return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << (30 - shift))) >> (31 - shift));
#else
  const int right = shift > 0 ? 0 : -shift;
  const int32_t left = (int32_t)1 << (shift > 0 ? shift : 0);
  const int32_t high = (int32_t)(((int64_t)(x * left) * multiplier + ((int64_t)1 << 30)) >> 31);
  const int32_t mask = ((int32_t)1 << right) - 1;
  return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0 ? 1 : 0) ? 1 : 0);
#endif
}
)";

constexpr std::string_view kFromUint8 = R"(
/* An input number of the original: real = @scale@ * (number - @zero_point@). */
static inline int8_t @name@_from_uint8@suffix@(uint8_t number) {
  const int32_t value = @rescaled@ + @PREFIX@_ZERO_POINT;
  return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}
)";

constexpr std::string_view kToUint8 = R"(
/* An output value as the original gives it: real = @scale@ * (number - @zero_point@). */
static inline uint8_t @name@_to_uint8@suffix@(int8_t value) {
  const int32_t number = @rescaled@ + @zero_point@;
  return (uint8_t)(number < 0 ? 0 : number > 255 ? 255 : number);
}
)";

// The difference `difference` in steps of `from` as one in steps of `to`.
std::string rescaled(const CProgram& program, const std::string& difference, float from, float to) {
  if (from == to) {
    return "(" + difference + ")";
  }
  const Requantisation by = quantise_multiplier(double{from} / double{to});
  return program.name + "_rescale(" + difference + ", " + std::to_string(by.multiplier) + ", " +
         std::to_string(by.shift) + ")";
}

// Whether a conversion changes the scale, which takes a function of its own.
bool changes_scale(const NetworkEnd& end, const TensorQuantisation& tensor) {
  return end.numbers == EndNumbers::kUint8 && end.uint8.scale != tensor.scale;
}

// One input or output.
struct End {
  TensorId tensor = kImage;
  NetworkEnd end;
  TensorQuantisation int8;
};

std::string list_of_numbers(const std::vector<End>& ends) {
  std::string text;
  for (const End& end : ends) {
    text += (text.empty() ? "" : " and ") + std::string(to_string(end.end.numbers));
  }
  return text;
}

std::string conversions_of_input(const CProgram& program, const End& input) {
  const std::string suffix = program.suffix(input.tensor);
  const std::string prefix = macro_prefix(program, "INPUT", input.tensor);
  std::string text =
      fill(kQuantize, {{"name", program.name}, {"suffix", suffix}, {"PREFIX", prefix}});
  if (input.end.numbers == EndNumbers::kUint8) {
    const TensorQuantisation& uint8 = input.end.uint8;
    const std::string zero_point = std::to_string(uint8.zero_point);
    text += fill(
        kFromUint8,
        {{"name", program.name},
         {"suffix", suffix},
         {"PREFIX", prefix},
         {"scale", c_float(uint8.scale)},
         {"zero_point", zero_point},
         {"rescaled", rescaled(program, "number - " + zero_point, uint8.scale, input.int8.scale)}});
  }
  return text;
}

std::string conversions_of_output(const CProgram& program, const End& output) {
  const std::string suffix = program.suffix(output.tensor);
  const std::string prefix = macro_prefix(program, "OUTPUT", output.tensor);
  std::string text =
      fill(kDequantize, {{"name", program.name}, {"suffix", suffix}, {"PREFIX", prefix}});
  if (output.end.numbers == EndNumbers::kUint8) {
    const TensorQuantisation& uint8 = output.end.uint8;
    text += fill(kToUint8, {{"name", program.name},
                            {"suffix", suffix},
                            {"scale", c_float(uint8.scale)},
                            {"zero_point", std::to_string(uint8.zero_point)},
                            {"rescaled", rescaled(program, "value - " + prefix + "_ZERO_POINT",
                                                  output.int8.scale, uint8.scale)}});
  }
  return text;
}

}  // namespace

std::string emit_conversions(const CProgram& program) {
  const QuantizedNetwork& network = program.quantised;
  std::vector<End> inputs;
  std::vector<End> outputs;
  for (std::size_t i = 0; i < network.input_ends.size(); ++i) {
    inputs.push_back(
        {static_cast<TensorId>(i), network.input_ends[i], network.input_quantisation(i)});
  }
  for (const TensorId tensor : network.network.output_tensors()) {
    const std::size_t i = outputs.size();
    outputs.push_back({tensor, network.output_ends[i], network.output_quantisation(i)});
  }
  std::string text =
      fill(kNumbers, {{"in", list_of_numbers(inputs)}, {"out", list_of_numbers(outputs)}});
  const auto rescales = [](const End& end) { return changes_scale(end.end, end.int8); };
  if (std::any_of(inputs.begin(), inputs.end(), rescales) ||
      std::any_of(outputs.begin(), outputs.end(), rescales)) {
    text += fill(kRescale, {{"name", program.name}});
  }
  for (const End& input : inputs) {
    text += conversions_of_input(program, input);
  }
  for (const End& output : outputs) {
    text += conversions_of_output(program, output);
  }
  return text;
}

}  // namespace patchnas
