// The part of NAME.h that converts between int8 and the numbers of the network's user.

#include <string>

#include "arch/fixed_point.h"
#include "deploy/package/c_emitter.h"
#include "deploy/package/c_names.h"
#include "deploy/package/text_template.h"
#include "deploy/reference/end_numbers.h"

namespace patchnas {
namespace {

constexpr std::string_view kConversions =
    R"(/* The network that this was made from takes @in@ numbers and gives @out@ ones. The functions below
 * convert to the same int8, and back, as its operators do in TensorFlow Lite Micro. */

/* A real input: the nearest value, ties away from zero, or the end of int8 that it is beyond. */
static inline int8_t @name@_quantize(float real) {
  const float steps = real / @NAME@_INPUT_SCALE;
  if (!(steps > -512.0f)) {
    return -128;
  }
  if (steps >= 512.0f) {
    return 127;
  }
  int32_t value = (int32_t)steps;
  const float rest = steps - (float)value;
  value += (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0) + @NAME@_INPUT_ZERO_POINT;
  return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}

/* What an output value stands for. */
static inline float @name@_dequantize(int8_t value) {
  return @NAME@_OUTPUT_SCALE * (float)(value - @NAME@_OUTPUT_ZERO_POINT);
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
static inline int8_t @name@_from_uint8(uint8_t number) {
  const int32_t value = @rescaled@ + @NAME@_INPUT_ZERO_POINT;
  return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}
)";

constexpr std::string_view kToUint8 = R"(
/* An output value as the original gives it: real = @scale@ * (number - @zero_point@). */
static inline uint8_t @name@_to_uint8(int8_t value) {
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

}  // namespace

std::string emit_conversions(const CProgram& program) {
  const QuantizedNetwork& network = program.quantised;
  const TensorQuantisation input = network.input_quantisation();
  const TensorQuantisation output = network.output_quantisation();
  const NetworkEnd& in = network.input_end;
  const NetworkEnd& out = network.output_end;
  std::string text = fill(kConversions, {{"name", program.name},
                                         {"NAME", program.upper},
                                         {"in", std::string(to_string(in.numbers))},
                                         {"out", std::string(to_string(out.numbers))}});
  if (changes_scale(in, input) || changes_scale(out, output)) {
    text += fill(kRescale, {{"name", program.name}});
  }
  if (in.numbers == EndNumbers::kUint8) {
    const std::string zero_point = std::to_string(in.uint8.zero_point);
    text += fill(
        kFromUint8,
        {{"name", program.name},
         {"NAME", program.upper},
         {"scale", c_float(in.uint8.scale)},
         {"zero_point", zero_point},
         {"rescaled", rescaled(program, "number - " + zero_point, in.uint8.scale, input.scale)}});
  }
  if (out.numbers == EndNumbers::kUint8) {
    text += fill(kToUint8,
                 {{"name", program.name},
                  {"scale", c_float(out.uint8.scale)},
                  {"zero_point", std::to_string(out.uint8.zero_point)},
                  {"rescaled", rescaled(program, "value - " + program.upper + "_OUTPUT_ZERO_POINT",
                                        output.scale, out.uint8.scale)}});
  }
  return text;
}

}  // namespace patchnas
