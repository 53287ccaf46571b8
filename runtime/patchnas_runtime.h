/* Front door of runtime/: the int8 kernels that run on the microcontroller. C99, no heap, no libc,
 * no global state, at most 1.25 KiB of stack. patchnas_NAME is in NAME.c, which includes only
 * headers of runtime/.
 *
 *   patchnas_window in = {arena + 0, 0, 0, 28, 16}, out = {arena + 12544, 0, 0, 28, 24};
 *   patchnas_rect all = {0, 28, 0, 28};
 *   patchnas_convolve(&kernel, &weights, &in, &out, all);
 *
 * Bit-exact with TensorFlow Lite Micro's reference kernels: rounding twice, or, compiled with
 * -DPATCHNAS_SINGLE_ROUNDING, once, as those built with TFLITE_SINGLE_ROUNDING. Tensors are NHWC. A
 * window is a buffer that holds a rectangle of a tensor; rectangles are in the coordinates of the
 * whole tensor, so that a patch and a whole layer are computed by the same call. Input and output
 * do not overlap unless a function says so. */
#ifndef PATCHNAS_RUNTIME_H
#define PATCHNAS_RUNTIME_H

#include <stdint.h>

#include "runtime/scratch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rows [row_begin, row_end), columns [col_begin, col_end). */
typedef struct patchnas_rect {
  int32_t row_begin, row_end, col_begin, col_end;
} patchnas_rect;

/* data[0] is the first channel of the pixel (row, col) of the whole tensor. */
typedef struct patchnas_window {
  int8_t* data;
  int32_t row, col;
  int32_t width; /* pixels in a row of the buffer */
  int32_t channels;
} patchnas_window;

/* A sliding window, and the extents of the whole input. Taps outside it read the zero point in
 * convolutions and are skipped in poolings. */
typedef struct patchnas_kernel {
  int32_t height, width, stride_h, stride_w, pad_top, pad_left;
  int32_t input_height, input_width;
} patchnas_kernel;

/* One multiplier and shift per output channel: accumulator * multiplier * 2^(shift - 31), where the
 * multiplier is 0 or in [2^30, 2^31) and the shift in [-31, 30]. The zero point of the input is
 * folded into the biases: biases[o] = bias[o] - input_zero_point * (sum of all weights of o),
 * modulo 2^32. Not so of a transposed convolution, of which each position reads other weights. */
typedef struct patchnas_weights {
  const int8_t* weights; /* [O, kh, kw, I], depthwise [1, kh, kw, C], fully connected [O, I] */
  const int32_t* biases;
  const int32_t* multipliers;
  const int8_t* shifts;
  int32_t input_zero_point, output_zero_point, clamp_min, clamp_max;
  int32_t outputs; /* O, which a window's pixels may have more of: see patchnas_convolve */
} patchnas_weights;

/* out = clamp(zero_point + scale(scale_a(a - zero_a) + scale_b(b - zero_b))), inputs shifted left
 * by 20. */
typedef struct patchnas_add_scales {
  int32_t zero_points[2], multipliers[2], shifts[2];
  int32_t output_zero_point, output_multiplier, output_shift, clamp_min, clamp_max;
} patchnas_add_scales;

/* out = clamp(output_zero_point + scale(sum of (in - input_zero_point))), as a weight's scale; the
 * number of values is part of the multiplier, which may be below 2^30. */
typedef struct patchnas_mean_scale {
  int32_t input_zero_point, multiplier, shift, output_zero_point;
} patchnas_mean_scale;

/* A sliding window whose taps lie `dilation` apart, over channels that fall into groups. */
typedef struct patchnas_groups {
  patchnas_kernel kernel;
  int32_t dilation_h, dilation_w, groups;
} patchnas_groups;

/* What two numbers become: a + b as patchnas_add has it, the same with a - b, or
 * clamp(zero_point + scale((a - zero_a) * (b - zero_b))), for which only the output's scale
 * counts. PRELU is that of an a below its zero point, others become clamp(zero_point +
 * scale_a(a - zero_a)). MAXIMUM and MINIMUM are of the bytes. SQUARED_DIFFERENCE squares what
 * SUBTRACT brings to the output's scale, inputs shifted left by 7. */
enum {
  PATCHNAS_ADD,
  PATCHNAS_SUBTRACT,
  PATCHNAS_SUBTRACT_FROM,
  PATCHNAS_MULTIPLY,
  PATCHNAS_PRELU,
  PATCHNAS_MAXIMUM,
  PATCHNAS_MINIMUM,
  PATCHNAS_SQUARED_DIFFERENCE
};
typedef struct patchnas_combination {
  int32_t operation;       /* SUBTRACT_FROM: b - a */
  const int8_t* constants; /* for b, one per channel; null where it is a tensor */
  patchnas_add_scales scales;
} patchnas_combination;

/* Of each int8 value what it becomes, by its byte as a number without sign. */
typedef struct patchnas_table {
  int8_t values[256];
} patchnas_table;

/* Of one row or column of the output: between which two of the input it lies, and how far from the
 * first, in 1024ths. */
typedef struct patchnas_sample {
  int16_t first, second, part;
} patchnas_sample;
typedef struct patchnas_resizing {
  const patchnas_sample* rows;
  const patchnas_sample* cols;
} patchnas_resizing;

/* output[to + i * to_strides] = input[from + i * from_strides] for all i below `counts`. The output
 * has `fill_bytes`, of which the others become `fill`; 0 where there are none. */
typedef struct patchnas_copy_shape {
  int32_t counts[3], from_strides[3], to_strides[3];
  int32_t from, to, fill_bytes, fill;
} patchnas_copy_shape;

/* Rows and columns of `fill` before an input of so many; below 0 as many of its own are left out.
 */
typedef struct patchnas_margins {
  int32_t top, left, input_height, input_width, fill;
} patchnas_margins;

/* Where pixels of the output's window have more channels than weights->outputs, only the first so
 * many of each are written: what several layers compute is then joined without being copied. The
 * same holds for patchnas_pointwise. */
void patchnas_convolve(const patchnas_kernel* kernel, const patchnas_weights* weights,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed);

/* The weights are [O, kh, kw, I / groups]. */
void patchnas_convolve_groups(const patchnas_groups* groups, const patchnas_weights* weights,
                              const patchnas_window* input, const patchnas_window* output,
                              patchnas_rect computed);

/* Every pixel of the input adds its products with all weights, [O, kh, kw, I], to
 * a window of the output: `kernel` is that of a convolution that would read the output. */
void patchnas_convolve_transposed(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_window* input, const patchnas_window* output,
                                  patchnas_rect computed);

/* A convolution of 1x1 pixels, stride 1, without padding. The output may lie over the input where,
 * of the computed pixels in the order of rows, the output of pixel i + PATCHNAS_POINTWISE_GROUP -
 * 1, or of the last one, ends no later than the input of pixel i begins, for every i: of whole
 * windows, patchnas_pointwise_distance_bytes in front. */
void patchnas_pointwise(const patchnas_weights* weights, const patchnas_window* input,
                        const patchnas_window* output, patchnas_rect computed);

/* The output lies anywhere apart from the input, or over it, whole pixels in front: output.data -
 * input.data is a multiple of the channels and at most 0, and a row of the output's buffer is no
 * longer than one of the input's. Rows of the input's buffer that are above the image are never
 * read. `scratch` has the bytes that patchnas_depthwise_scratch_bytes says for the computed
 * rectangle, and is apart from both. */
void patchnas_depthwise(const patchnas_kernel* kernel, const patchnas_weights* weights,
                        const patchnas_window* input, const patchnas_window* output,
                        patchnas_rect computed, int8_t* scratch);

/* The output may be the same window as either input. */
void patchnas_add(const patchnas_add_scales* scales, const patchnas_window* a,
                  const patchnas_window* b, const patchnas_window* output, patchnas_rect computed);

/* `b` is not read where there are constants. The output may be the same window as either input. */
void patchnas_combine(const patchnas_combination* combination, const patchnas_window* a,
                      const patchnas_window* b, const patchnas_window* output,
                      patchnas_rect computed);

/* The output may be the same window as the input. */
void patchnas_lookup(const patchnas_table* table, const patchnas_window* input,
                     const patchnas_window* output, patchnas_rect computed);

/* The nearest pixel, or between four: as TensorFlow Lite Micro's integer kernel interpolates. */
void patchnas_resize(const patchnas_resizing* resizing, const patchnas_window* input,
                     const patchnas_window* output, patchnas_rect computed);

/* Channels [from, from + count) of the input become [to, to + count) of the output; its others are
 * those of `rest`, which may be the same window as the output, or `fill` where that is null. */
void patchnas_copy_channels(int32_t from, int32_t to, int32_t count, int32_t fill,
                            const patchnas_window* input, const patchnas_window* rest,
                            const patchnas_window* output, patchnas_rect computed);

/* Of whole tensors. The elements that are not copied are those of `rest`, which may be the output,
 * or `fill` where that is null. The output may also be the input where every element stays. */
void patchnas_copy(const patchnas_copy_shape* shape, const int8_t* input, const int8_t* rest,
                   int8_t* output);

/* Each position becomes that of the input as far behind the margins; positions outside become their
 * fill. */
void patchnas_pad(const patchnas_margins* margins, const patchnas_window* input,
                  const patchnas_window* output, patchnas_rect computed);

void patchnas_average_pool(const patchnas_kernel* kernel, int32_t clamp_min, int32_t clamp_max,
                           const patchnas_window* input, const patchnas_window* output,
                           patchnas_rect computed);
void patchnas_max_pool(const patchnas_kernel* kernel, int32_t clamp_min, int32_t clamp_max,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed);

/* Over at most 2^23 values; what a pooling cannot do: another scale, another rounding. */
void patchnas_mean(const patchnas_kernel* kernel, const patchnas_mean_scale* scale,
                   const patchnas_window* input, const patchnas_window* output,
                   patchnas_rect computed);

/* Averages and means of a tensor that arrives in parts, whatever rectangles these are: the values
 * of each part's pixels are added to sums[channel], which begin at 0, and the sums of all `count`
 * pixels, at most 2^23, are finished as patchnas_average_pool and patchnas_mean do. */
void patchnas_sum_pixels(int32_t* sums, const patchnas_window* input, patchnas_rect rect);
void patchnas_average_of_sums(const int32_t* sums, int32_t count, int32_t clamp_min,
                              int32_t clamp_max, int8_t* output, int32_t channels);
void patchnas_mean_of_sums(const patchnas_mean_scale* scale, const int32_t* sums, int32_t count,
                           int8_t* output, int32_t channels);

void patchnas_fully_connected(const patchnas_weights* weights, const int8_t* input,
                              int32_t input_count, int8_t* output, int32_t output_count);

/* The same of a tensor of height x width pixels that arrives in parts, whatever rectangles these
 * are: the products of each part's values and their weights are added to sums[output], which begin
 * at 0, and finished. */
void patchnas_sum_products(const patchnas_weights* weights, int32_t height, int32_t width,
                           int32_t* sums, int32_t output_count, const patchnas_window* input,
                           patchnas_rect rect);
void patchnas_connected_of_sums(const patchnas_weights* weights, const int32_t* sums,
                                int8_t* output, int32_t output_count);

/* Softmax over the channels of `pixels` pixels that lie side by side; the output has scale 1/256
 * and zero point -128. Differences to a pixel's largest value are multiplied by
 * difference_multiplier * 2^(difference_shift - 31), difference_shift >= 0; those below
 * smallest_difference count as minus infinity. */
void patchnas_softmax(int32_t difference_multiplier, int32_t difference_shift,
                      int32_t smallest_difference, const int8_t* input, int8_t* output,
                      int32_t pixels, int32_t channels);

/* Moves bytes towards lower addresses, as rows that are kept in a window: to <= from, and the two
 * ranges may overlap; or to where they are apart. */
void patchnas_move(int8_t* to, const int8_t* from, int32_t bytes);

#ifdef __cplusplus
}
#endif
#endif
