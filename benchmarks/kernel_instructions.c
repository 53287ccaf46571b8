/* Runs kernels of typical shapes on an emulated processor and prints the instructions that each
 * executes per multiply-accumulate (additions and poolings: per value). Kernels do not branch on
 * values, so what the buffers hold does not matter. */
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

static void pool(const char* name, enum pooling pooling, int32_t extent, int32_t channels) {
  const patchnas_kernel kernel = {extent, extent, 1, 1, 0, 0, extent, extent};
  const patchnas_window in = {input_bytes, 0, 0, extent, channels};
  const patchnas_window out = {output_bytes, 0, 0, 1, channels};
  const patchnas_rect all = {0, 1, 0, 1};
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
  pool("average_pool_7x7x160", kAverage, 7, 160);
  pool("max_pool_7x7x160", kMax, 7, 160);
  mean("mean_7x7x160", 7, 160);
  sum("sum_pixels_7x7x160_by_1_row", 7, 160, 1);
  move("move_aligned", 2688, 1344);
  move("move_unaligned", 2688, 1345);
  fully_connected("fully_connected_160_to_10", 160, 10);
  return 0;
}
