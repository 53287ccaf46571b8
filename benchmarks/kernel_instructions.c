/* Runs kernels of typical shapes on an emulated processor and prints the instructions that each
 * executes per multiply-accumulate (additions and the like: per value of the output, poolings: of
 * the input). Only softmax branches on values; of others it does not matter what the buffers hold.
 */
#include "board.h"
#include "runtime/patchnas_runtime.h"

static int8_t input_bytes[64 * 1024], output_bytes[64 * 1024], scratch[4096],
    weight_bytes[32 * 1024];
static int32_t biases[256], multipliers[256];
static int8_t shifts[256];
static const patchnas_weights weights = {weight_bytes, biases, multipliers, shifts,
                                         -3,           -128,   -128,        127};

static void report(const char* name, int32_t units, uint64_t instructions) {
  const uint64_t hundredths = (instructions * 100 + (uint64_t)units / 2) / (uint64_t)units;
  board_write(name);
  board_write(" ");
  board_write_number(hundredths / 100);
  board_write(hundredths % 100 < 10 ? ".0" : ".");
  board_write_number(hundredths % 100);
  board_write("\n");
}

static void pointwise(const char* name, int32_t extent, int32_t from, int32_t to) {
  const patchnas_window in = {input_bytes, 0, 0, extent, from};
  const patchnas_window out = {output_bytes, 0, 0, extent, to};
  const patchnas_rect all = {0, extent, 0, extent};
  const uint64_t begin = board_instructions();
  patchnas_pointwise(&weights, &in, &out, all);
  report(name, extent * extent * from * to, board_instructions() - begin);
}

enum form { kApart, kInPlace };

static void depthwise(const char* name, enum form form, int32_t size, int32_t stride,
                      int32_t extent, int32_t channels) {
  const int32_t outputs = (extent + stride - 1) / stride;
  const patchnas_kernel kernel = {size, size, stride, stride, size / 2, size / 2, extent, extent};
  const patchnas_window in = {input_bytes, 0, 0, extent, channels};
  const patchnas_window out = {form == kInPlace ? input_bytes : output_bytes, 0, 0, outputs,
                               channels};
  const patchnas_rect all = {0, outputs, 0, outputs};
  const uint64_t begin = board_instructions();
  patchnas_depthwise(&kernel, &weights, &in, &out, all, scratch);
  report(name, outputs * outputs * channels * size * size, board_instructions() - begin);
}

/* A map computed `rows` rows at a time, as schedules with cached rows do, in strips of `cols`
 * columns. */
static void depthwise_in_parts(const char* name, int32_t size, int32_t stride, int32_t extent,
                               int32_t channels, int32_t rows, int32_t cols) {
  const int32_t outputs = (extent + stride - 1) / stride;
  const patchnas_kernel kernel = {size, size, stride, stride, size / 2, size / 2, extent, extent};
  const patchnas_window in = {input_bytes, 0, 0, extent, channels};
  const patchnas_window out = {output_bytes, 0, 0, outputs, channels};
  const uint64_t begin = board_instructions();
  for (int32_t row = 0; row < outputs; row += rows) {
    for (int32_t col = 0; col < outputs; col += cols) {
      const patchnas_rect part = {row, row + rows < outputs ? row + rows : outputs, col,
                                  col + cols < outputs ? col + cols : outputs};
      patchnas_depthwise(&kernel, &weights, &in, &out, part, scratch);
    }
  }
  report(name, outputs * outputs * channels * size * size, board_instructions() - begin);
}

static void convolve(const char* name, int32_t size, int32_t stride, int32_t extent, int32_t from,
                     int32_t to) {
  const int32_t outputs = (extent + stride - 1) / stride;
  const patchnas_kernel kernel = {size, size, stride, stride, size / 2, size / 2, extent, extent};
  const patchnas_window in = {input_bytes, 0, 0, extent, from};
  const patchnas_window out = {output_bytes, 0, 0, outputs, to};
  const patchnas_rect all = {0, outputs, 0, outputs};
  const uint64_t begin = board_instructions();
  patchnas_convolve(&kernel, &weights, &in, &out, all);
  report(name, outputs * outputs * size * size * from * to, board_instructions() - begin);
}

static void add(const char* name, int32_t extent, int32_t channels) {
  const patchnas_add_scales scales = {
      {3, -5}, {1 << 30, 1500000000}, {0, -1}, -10, 1300000000, -18, -128, 127};
  const patchnas_window a = {input_bytes, 0, 0, extent, channels};
  const patchnas_window b = {output_bytes, 0, 0, extent, channels};
  const patchnas_rect all = {0, extent, 0, extent};
  const uint64_t begin = board_instructions();
  patchnas_add(&scales, &a, &b, &a, all);
  report(name, extent * extent * channels, board_instructions() - begin);
}

enum pooling { kAverage, kMax };

static void pool(const char* name, enum pooling pooling, int32_t size, int32_t extent,
                 int32_t channels) {
  const int32_t outputs = extent / size;
  const patchnas_kernel kernel = {size, size, size, size, 0, 0, extent, extent};
  const patchnas_window in = {input_bytes, 0, 0, extent, channels};
  const patchnas_window out = {output_bytes, 0, 0, outputs, channels};
  const patchnas_rect all = {0, outputs, 0, outputs};
  const uint64_t begin = board_instructions();
  (pooling == kAverage ? patchnas_average_pool : patchnas_max_pool)(&kernel, -128, 127, &in, &out,
                                                                    all);
  report(name, extent * extent * channels, board_instructions() - begin);
}

static void mean(const char* name, int32_t extent, int32_t channels) {
  static const patchnas_mean_scale scale = {-3, 1200000000, -4, 5};
  const patchnas_kernel kernel = {extent, extent, extent, extent, 0, 0, extent, extent};
  const patchnas_window in = {input_bytes, 0, 0, extent, channels};
  const patchnas_window out = {output_bytes, 0, 0, 1, channels};
  const patchnas_rect all = {0, 1, 0, 1};
  const uint64_t begin = board_instructions();
  patchnas_mean(&kernel, &scale, &in, &out, all);
  report(name, extent * extent * channels, board_instructions() - begin);
}

static void sum(const char* name, int32_t extent, int32_t channels, int32_t rows) {
  static int32_t sums[256];
  const patchnas_window in = {input_bytes, 0, 0, extent, channels};
  const uint64_t begin = board_instructions();
  for (int32_t row = 0; row < extent; row += rows) {
    const patchnas_rect part = {row, row + rows < extent ? row + rows : extent, 0, extent};
    patchnas_sum_pixels(sums, &in, part);
  }
  report(name, extent * extent * channels, board_instructions() - begin);
}

/* A convolution in groups, or with dilation. */
static void convolve_groups(const char* name, int32_t size, int32_t dilation, int32_t extent,
                            int32_t from, int32_t to, int32_t groups) {
  const int32_t pad = size / 2 * dilation;
  const patchnas_groups shape = {
      {size, size, 1, 1, pad, pad, extent, extent}, dilation, dilation, groups};
  const patchnas_window in = {input_bytes, 0, 0, extent, from};
  const patchnas_window out = {output_bytes, 0, 0, extent, to};
  const patchnas_rect all = {0, extent, 0, extent};
  const uint64_t begin = board_instructions();
  patchnas_convolve_groups(&shape, &weights, &in, &out, all);
  report(name, extent * extent * size * size * from / groups * to, board_instructions() - begin);
}

static void convolve_transposed(const char* name, int32_t size, int32_t stride, int32_t extent,
                                int32_t from, int32_t to) {
  const int32_t outputs = extent * stride;
  const int32_t pad = (size - stride) / 2;
  const patchnas_kernel kernel = {size, size, stride, stride, pad, pad, extent, extent};
  const patchnas_window in = {input_bytes, 0, 0, extent, from};
  const patchnas_window out = {output_bytes, 0, 0, outputs, to};
  const patchnas_rect all = {0, outputs, 0, outputs};
  const uint64_t begin = board_instructions();
  patchnas_convolve_transposed(&kernel, &weights, &in, &out, all);
  report(name, extent * extent * size * size * from * to, board_instructions() - begin);
}

enum operand { kTensor, kConstants };

static void combine(const char* name, int32_t operation, enum operand operand, int32_t extent,
                    int32_t channels) {
  const patchnas_combination combination = {operation,
                                            operand == kConstants ? weight_bytes : 0,
                                            {{3, -5},
                                             {1 << 30, 1500000000},
                                             {0, -1},
                                             -10,
                                             1300000000,
                                             operation < 3 ? -18 : -7,
                                             -128,
                                             127}};
  const patchnas_window a = {input_bytes, 0, 0, extent, channels};
  const patchnas_window b = {output_bytes, 0, 0, extent, channels};
  const patchnas_rect all = {0, extent, 0, extent};
  const uint64_t begin = board_instructions();
  patchnas_combine(&combination, &a, operand == kConstants ? 0 : &b, &a, all);
  report(name, extent * extent * channels, board_instructions() - begin);
}

static void lookup(const char* name, int32_t extent, int32_t channels) {
  static patchnas_table table;
  const patchnas_window in = {input_bytes, 0, 0, extent, channels};
  const patchnas_rect all = {0, extent, 0, extent};
  const uint64_t begin = board_instructions();
  patchnas_lookup(&table, &in, &in, all);
  report(name, extent * extent * channels, board_instructions() - begin);
}

/* To twice as many rows and columns. */
static void resize(const char* name, int32_t between, int32_t extent, int32_t channels) {
  static patchnas_sample samples[64];
  for (int32_t i = 0; i < 2 * extent; ++i) {
    const int32_t half = between && i % 2 != 0 && i < 2 * extent - 1;
    samples[i].first = (int16_t)(i / 2);
    samples[i].second = (int16_t)(i / 2 + half);
    samples[i].part = (int16_t)(half * 512);
  }
  const patchnas_resizing resizing = {samples, samples};
  const patchnas_window in = {input_bytes, 0, 0, extent, channels};
  const patchnas_window out = {output_bytes, 0, 0, 2 * extent, channels};
  const patchnas_rect all = {0, 2 * extent, 0, 2 * extent};
  const uint64_t begin = board_instructions();
  patchnas_resize(&resizing, &in, &out, all);
  report(name, 4 * extent * extent * channels, board_instructions() - begin);
}

/* All channels of the input to the first of twice as many, of which the others stay. */
static void copy_channels(const char* name, int32_t extent, int32_t channels) {
  const patchnas_window in = {input_bytes, 0, 0, extent, channels};
  const patchnas_window out = {output_bytes, 0, 0, extent, 2 * channels};
  const patchnas_rect all = {0, extent, 0, extent};
  const uint64_t begin = board_instructions();
  patchnas_copy_channels(0, 0, channels, 0, &in, &out, &out, all);
  report(name, extent * extent * channels, board_instructions() - begin);
}

static void copy(const char* name, const patchnas_copy_shape* shape) {
  const int32_t bytes = shape->counts[0] * shape->counts[1] * shape->counts[2];
  const uint64_t begin = board_instructions();
  patchnas_copy(shape, input_bytes, 0, output_bytes);
  report(name, shape->fill_bytes > bytes ? shape->fill_bytes : bytes, board_instructions() - begin);
}

/* By one position on each side. */
static void pad(const char* name, int32_t extent, int32_t channels) {
  const patchnas_margins margins = {1, 1, extent - 2, extent - 2, -3};
  const patchnas_window in = {input_bytes, 0, 0, extent - 2, channels};
  const patchnas_window out = {output_bytes, 0, 0, extent, channels};
  const patchnas_rect all = {0, extent, 0, extent};
  const uint64_t begin = board_instructions();
  patchnas_pad(&margins, &in, &out, all);
  report(name, extent * extent * channels, board_instructions() - begin);
}

static void softmax(const char* name, int32_t channels) {
  for (int32_t i = 0; i < channels; ++i) {
    input_bytes[i] = (int8_t)(i * 37);
  }
  const uint64_t begin = board_instructions();
  patchnas_softmax(1200000000, 23, -124, input_bytes, output_bytes, 1, channels);
  report(name, channels, board_instructions() - begin);
}

static void move(const char* name, int32_t bytes, int32_t distance) {
  const uint64_t begin = board_instructions();
  patchnas_move(input_bytes, input_bytes + distance, bytes);
  report(name, bytes, board_instructions() - begin);
}

static void fully_connected(const char* name, int32_t from, int32_t to) {
  const uint64_t begin = board_instructions();
  patchnas_fully_connected(&weights, input_bytes, from, output_bytes, to);
  report(name, from * to, board_instructions() - begin);
}

int main(int argc, char** argv) {
  (void)argc;
  (void)argv;
  for (int i = 0; i < 256; ++i) {
    multipliers[i] = 1500000000;
    shifts[i] = -8;
  }
  pointwise("pointwise_16_to_96_at_14x14", 14, 16, 96);
  pointwise("pointwise_96_to_16_at_14x14", 14, 96, 16);
  pointwise("pointwise_48_to_160_at_5x5", 5, 48, 160);
  pointwise("pointwise_240_to_40_at_5x5", 5, 240, 40);
  depthwise("depthwise_3x3_stride_1_in_place", kInPlace, 3, 1, 28, 48);
  depthwise("depthwise_5x5_stride_1_in_place", kInPlace, 5, 1, 28, 48);
  depthwise("depthwise_7x7_stride_1_in_place", kInPlace, 7, 1, 28, 48);
  depthwise("depthwise_3x3_stride_2_in_place", kInPlace, 3, 2, 28, 48);
  depthwise("depthwise_5x5_stride_2_in_place", kInPlace, 5, 2, 28, 48);
  depthwise("depthwise_7x7_stride_2_in_place", kInPlace, 7, 2, 28, 48);
  depthwise("depthwise_7x7_stride_1_at_5x5_in_place", kInPlace, 7, 1, 5, 144);
  depthwise_in_parts("depthwise_3x3_stride_1_by_1_row", 3, 1, 28, 48, 1, 28);
  depthwise_in_parts("depthwise_3x3_stride_1_by_2_rows", 3, 1, 28, 48, 2, 28);
  depthwise_in_parts("depthwise_3x3_stride_1_by_4_rows", 3, 1, 28, 48, 4, 28);
  depthwise_in_parts("depthwise_3x3_stride_1_by_1x4", 3, 1, 28, 48, 1, 4);
  depthwise_in_parts("depthwise_3x3_stride_2_by_1_row", 3, 2, 28, 48, 1, 28);
  depthwise_in_parts("depthwise_5x5_stride_1_by_1_row", 5, 1, 28, 48, 1, 28);
  depthwise_in_parts("depthwise_7x7_stride_1_by_1_row", 7, 1, 28, 48, 1, 28);
  depthwise_in_parts("depthwise_7x7_stride_2_by_1_row", 7, 2, 28, 48, 1, 28);
  depthwise("depthwise_3x3_stride_1", kApart, 3, 1, 28, 48);
  depthwise("depthwise_5x5_stride_2", kApart, 5, 2, 28, 48);
  convolve("convolution_3x3_3_to_16_stride_2", 3, 2, 64, 3, 16);
  convolve("convolution_3x3_16_to_16", 3, 1, 32, 16, 16);
  convolve("convolution_1x1_16_to_32_stride_2", 1, 2, 32, 16, 32);
  add("addition_28x28x24", 28, 24);
  pool("average_pool_7x7x160", kAverage, 7, 7, 160);
  pool("max_pool_7x7x160", kMax, 7, 7, 160);
  pool("average_pool_2x2_28x28x24", kAverage, 2, 28, 24);
  pool("max_pool_2x2_28x28x24", kMax, 2, 28, 24);
  pool("max_pool_2x2_28x28x3", kMax, 2, 28, 3);
  mean("mean_7x7x160", 7, 160);
  sum("sum_pixels_7x7x160_by_1_row", 7, 160, 1);
  move("move_aligned", 2688, 1344);
  move("move_unaligned", 2688, 1345);
  fully_connected("fully_connected_160_to_10", 160, 10);
  fully_connected("fully_connected_256_to_64", 256, 64);
  softmax("softmax_10", 10);
  softmax("softmax_1000", 1000);
  convolve_groups("dilated_3x3_16_to_16_at_16x16", 3, 2, 16, 16, 16, 1);
  convolve_groups("dilated_3x3_56_to_56_at_8x8", 3, 2, 8, 56, 56, 1);
  convolve_groups("groups_3x3_32_to_32_by_4_at_14x14", 3, 1, 14, 32, 32, 4);
  convolve_groups("groups_1x1_48_to_48_by_3_at_14x14", 1, 1, 14, 48, 48, 3);
  convolve_groups("multiplier_3x3_1_to_8_at_32x32", 3, 1, 32, 1, 8, 1);
  convolve_groups("multiplier_3x3_8_to_16_at_16x16", 3, 1, 16, 8, 16, 8);
  convolve_groups("multiplier_3x3_8_to_32_at_16x16", 3, 1, 16, 8, 32, 8);
  convolve_groups("depthwise_dilated_3x3_48_at_14x14", 3, 2, 14, 48, 48, 48);
  convolve_transposed("transposed_2x2_stride_2_32_to_16_at_8x8", 2, 2, 8, 32, 16);
  convolve_transposed("transposed_3x3_stride_2_16_to_16_at_8x8", 3, 2, 8, 16, 16);
  convolve_transposed("transposed_3x3_stride_2_32_to_64_at_4x4", 3, 2, 4, 32, 64);
  convolve_transposed("transposed_4x4_stride_2_8_to_3_at_16x16", 4, 2, 16, 8, 3);
  combine("product_28x28x24", PATCHNAS_MULTIPLY, kTensor, 28, 24);
  combine("product_of_channels_28x28x24", PATCHNAS_MULTIPLY, kConstants, 28, 24);
  combine("sum_of_channels_28x28x24", PATCHNAS_ADD, kConstants, 28, 24);
  combine("difference_28x28x24", PATCHNAS_SUBTRACT, kTensor, 28, 24);
  combine("prelu_28x28x24", PATCHNAS_PRELU, kConstants, 28, 24);
  combine("maximum_28x28x24", PATCHNAS_MAXIMUM, kTensor, 28, 24);
  combine("maximum_of_channels_28x28x24", PATCHNAS_MAXIMUM, kConstants, 28, 24);
  combine("squared_difference_28x28x24", PATCHNAS_SQUARED_DIFFERENCE, kTensor, 28, 24);
  lookup("lookup_28x28x24", 28, 24);
  resize("resize_nearest_28x28x24", 0, 14, 24);
  resize("resize_bilinear_28x28x24", 1, 14, 24);
  copy_channels("copy_channels_28x28_12_to_24", 28, 12);
  const patchnas_copy_shape transposed = {
      {28, 28, 24}, {24, 28 * 24, 1}, {28 * 24, 24, 1}, 0, 0, 0, 0};
  copy("copy_transposed_28x28x24", &transposed);
  pad("pad_28x28x24", 28, 24);
  const patchnas_copy_shape reversed = {{1, 28 * 28, 24}, {0, 24, -1}, {0, 24, 1}, 23, 0, 0, 0};
  copy("copy_reversed_28x28x24", &reversed);
  return 0;
}
