/* The loop over channels below is fast like this, whatever the rest of a program is compiled with.
 */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_DSP) && !defined(PATCHNAS_MVE)
#include "runtime/dsp_rows.h"

/* A row of one channel's outputs is computed from left to right, with nothing stored between: a
 * column's three values are read once and multiplied into the sums of the outputs that it belongs
 * to, two values, one below the other, at a time. At the image's upper and lower border a column
 * has two values: what lies outside is in the bias. */

/* What the assembly loads, in this order. Everything is doubled that sums are made of. */
typedef struct row_job {
  int32_t multiplier, half, right, bias; /* half and right as finished below */
  uint32_t zero_points;                  /* two, one above the other */
  int32_t last_is_outside;               /* whether the image ends before the last column */
  const int8_t* values;                  /* of the first column inside the image */
  int32_t row_pitch, pitch;
  uint32_t out;      /* with stride 1 less the address of the value that completes it */
  uint32_t pairs[3]; /* weights of the first two rows, by columns */
  uint32_t third_01; /* of the third row's first two columns */
  uint32_t third_2;  /* of its last one, below the number of outputs inside the image less 1 */
  int32_t first_is_outside;
} row_job;

/* r0 values, r1 and r2 pitches, r3 where outputs go, r4-r8 weights, r9-r11 sums, r12 and lr values
 * of a column or temporary. On the stack the first six members. */
#define ENTER              \
  "push {r4-r11, lr} \n\t" \
  "sub sp, sp, #24 \n\t"   \
  "ldm r0!, {r4-r9} \n\t"  \
  "stm sp, {r4-r9} \n\t"   \
  "ldm r0, {r0-r8, r10} \n\t"
#define LEAVE            \
  "add sp, sp, #24 \n\t" \
  "pop {r4-r11, pc} \n\t"
#define READ_2              \
  "ldrsb r12, [r0] \n\t"    \
  "ldrsb lr, [r0, r1] \n\t" \
  "pkhbt r12, r12, lr, lsl #16 \n\t"
#define READ_3 READ_2 "ldrsb lr, [r0, r1, lsl #1] \n\t"
#define READ_OUTSIDE        \
  "ldr r12, [sp, #16] \n\t" \
  "mov lr, r12 \n\t"
#define ON "add r0, r0, r2 \n\t"
/* A column's products, by its place in the window. */
#define LEFT_2(sum) "smlad " sum ", r12, r4, " sum " \n\t"
#define MIDDLE_2(sum) "smlad " sum ", r12, r5, " sum " \n\t"
#define RIGHT_2(sum) "smlad " sum ", r12, r6, " sum " \n\t"
#define LEFT_3(sum) LEFT_2(sum) "smlabb " sum ", lr, r7, " sum " \n\t"
#define MIDDLE_3(sum) MIDDLE_2(sum) "smlabt " sum ", lr, r7, " sum " \n\t"
#define RIGHT_3(sum) RIGHT_2(sum) "smlabb " sum ", lr, r8, " sum " \n\t"
#define BIAS(sum) "ldr " sum ", [sp, #12] \n\t"
#if defined(PATCHNAS_SINGLE_ROUNDING)
#define SCALE(sum) "smmla lr, " sum ", r12, lr \n\t"
#define SIGN(sum)
#else
#define SCALE(sum) "smmlar lr, " sum ", r12, lr \n\t"
#define SIGN(sum) "add lr, lr, " sum ", asr #31 \n\t"
#endif
/* patchnas_dsp_finish, with the zero point in `half`. */
#define FINISH(sum, to) \
  "ldrd r12, lr, [sp] \n\t" \
  SCALE(sum)                \
  "ldr r12, [sp, #8] \n\t"  \
  SIGN(sum)                 \
  "asr lr, lr, r12 \n\t"    \
  "ssat lr, #8, lr \n\t"    \
  "strb lr, " to " \n\t"
/* One output fewer is left: the last one goes on at `exit`. */
#define COUNT(exit)            \
  "subs r8, r8, #0x10000 \n\t" \
  "bmi " exit " \n\t"
/* clang-format off */
#define FIRST_COLUMN(rows) \
  ENTER                    \
  READ_OUTSIDE             \
  "cmp r10, #0 \n\t"       \
  "bne 1f \n\t"            \
  READ_##rows              \
  ON                       \
  "1: \n\t"                \
  BIAS("r9")               \
  LEFT_##rows("r9")
#define UNLESS_LAST_IS_OUTSIDE(to) \
  "ldr r10, [sp, #20] \n\t"        \
  "cmp r10, #0 \n\t"               \
  "beq " to " \n\t"

/* An output of stride 1, which the column completes that is read; the sums change their roles. */
#define OUTPUT(rows, sum, next, next_but_one, exit) \
  READ_##rows                                       \
  RIGHT_##rows(sum)                                 \
  MIDDLE_##rows(next)                               \
  BIAS(next_but_one)                                \
  LEFT_##rows(next_but_one)                         \
  FINISH(sum, "[r0, r3]")                           \
  ON                                                \
  COUNT(exit)

typedef void convolve_row(const row_job* job);

#define FUNCTION(name, body)                                             \
  static __attribute__((naked, noinline)) void name(                     \
      __attribute__((unused)) const row_job* job) {                      \
    __asm__ volatile(body);                                              \
  }

#define ROW_STRIDE_1(rows)                   \
  FIRST_COLUMN(rows)                         \
  READ_##rows                                \
  MIDDLE_##rows("r9")                        \
  BIAS("r10")                                \
  LEFT_##rows("r10")                         \
  ON                                         \
  "2: \n\t"                                  \
  OUTPUT(rows, "r9", "r10", "r11", "3f")     \
  OUTPUT(rows, "r10", "r11", "r9", "4f")     \
  OUTPUT(rows, "r11", "r9", "r10", "5f")     \
  "b 2b \n\t"                                \
  "3: \n\t"                                  \
  "mov r9, r10 \n\t"                         \
  "b 5f \n\t"                                \
  "4: \n\t"                                  \
  "mov r9, r11 \n\t"                         \
  "5: \n\t"                                  \
  UNLESS_LAST_IS_OUTSIDE("6f")               \
  READ_OUTSIDE                               \
  RIGHT_##rows("r9")                         \
  FINISH("r9", "[r0, r3]")                   \
  "6: \n\t"                                  \
  LEAVE

#define ROW_STRIDE_2(rows)       \
  FIRST_COLUMN(rows)             \
  "2: \n\t"                      \
  READ_##rows                    \
  MIDDLE_##rows("r9")            \
  ON                             \
  READ_##rows                    \
  RIGHT_##rows("r9")             \
  BIAS("r10")                    \
  LEFT_##rows("r10")             \
  ON                             \
  FINISH("r9", "[r3]")           \
  "mov r9, r10 \n\t"             \
  "add r3, r3, r2 \n\t"          \
  COUNT("3f")                    \
  "b 2b \n\t"                    \
  "3: \n\t"                      \
  UNLESS_LAST_IS_OUTSIDE("4f")   \
  READ_##rows                    \
  MIDDLE_##rows("r9")            \
  READ_OUTSIDE                   \
  RIGHT_##rows("r9")             \
  FINISH("r9", "[r3]")           \
  "4: \n\t"                      \
  LEAVE
/* clang-format on */

FUNCTION(two_rows_stride_1, ROW_STRIDE_1(2))
FUNCTION(three_rows_stride_1, ROW_STRIDE_1(3))
FUNCTION(two_rows_stride_2, ROW_STRIDE_2(2))
FUNCTION(three_rows_stride_2, ROW_STRIDE_2(3))

/* So that the zero point can be added to half of what is shifted away. */
enum { kMostRight = 22 };

PATCHNAS_ALWAYS_INLINE void set_scale(row_job* job, patchnas_dsp_scale scale) {
#if defined(PATCHNAS_SINGLE_ROUNDING)
  job->right = scale.right;
#else
  job->right = scale.right_less_1 + 1;
#endif
  job->multiplier = scale.multiplier;
  job->half = scale.half + scale.zero_point * (1 << job->right);
}

/* All channels of one row of outputs, whose windows begin in the row `top` of the plane. */
static int32_t convolve_channels(row_job job, const patchnas_weights* w, int32_t channels,
                                 const patchnas_dsp_plane* p, int32_t top, int32_t stride,
                                 const int8_t* out) {
  const int first_is_inside = top >= p->rows.begin;
  const int last_is_inside = top + 3 <= p->rows.end;
  convolve_row* const convolve = first_is_inside && last_is_inside
                                     ? (stride == 1 ? three_rows_stride_1 : three_rows_stride_2)
                                     : (stride == 1 ? two_rows_stride_1 : two_rows_stride_2);
  const uint32_t inside = (uint32_t)(p->out_cols - 1 - job.last_is_outside) << 16;
  const int32_t row = 3 * channels;
  /* Of the two rows that are inside, and of the third. */
  const int8_t* two = first_is_inside ? w->weights : w->weights + row;
  const int8_t* third = first_is_inside ? w->weights + 2 * row : w->weights;
  const int8_t* values =
      p->values + (first_is_inside ? top : top + 1) * p->row_pitch + p->cols.begin * p->pitch;
  /* Where the first output's last column is. */
  const uint32_t completing =
      stride == 1 ? (uint32_t)(uintptr_t)(values + (2 - p->cols.begin) * p->pitch) : 0;
  job.out = (uint32_t)(uintptr_t)out - completing;
  int32_t skipped = 0;
  for (int32_t c = 0; c < channels; ++c, ++two, ++third, ++values) {
    if (!patchnas_dsp_rows_scale(w, c)) {
      ++skipped;
    } else {
      const int32_t third_0 = third[0], third_1 = third[channels], third_2 = third[2 * channels];
      set_scale(&job, patchnas_dsp_scale_of(w, c));
      job.bias = 2 * w->biases[c];
      if (!(first_is_inside && last_is_inside)) {
        job.bias += 2 * w->input_zero_point * (third_0 + third_1 + third_2);
      }
      job.values = values;
      job.pairs[0] = patchnas_dsp_doubled_pair(two[0], two[row]);
      job.pairs[1] = patchnas_dsp_doubled_pair(two[channels], two[row + channels]);
      job.pairs[2] = patchnas_dsp_doubled_pair(two[2 * channels], two[row + 2 * channels]);
      job.third_01 = patchnas_dsp_doubled_pair(third_0, third_1);
      job.third_2 = inside | (uint16_t)(2 * third_2);
      convolve(&job);
    }
    job.out += stride == 1 ? 0 : 1; /* the completing value moves on as the output does */
  }
  return skipped;
}

int patchnas_dsp_convolves_rows(const patchnas_kernel* k, const patchnas_dsp_plane* p) {
  const int32_t width = (p->out_cols - 1) * k->stride_w + 3;
  return k->width == 3 && p->out_pitch == p->pitch && p->rows.begin <= 1 &&
         p->rows.end >= p->height - 1 && p->rows.end - p->rows.begin >= 2 && p->cols.begin <= 1 &&
         p->cols.end >= width - 1 && p->cols.end >= 3 &&
         (patchnas_dsp_is_apart(p) || patchnas_dsp_writes_rows_behind(k, p));
}

int patchnas_dsp_rows_scale(const patchnas_weights* w, int32_t channel) {
  return patchnas_dsp_is_exact(w, channel) && w->shifts[channel] >= -kMostRight;
}

int32_t patchnas_dsp_convolve_rows(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                   int32_t channels, const patchnas_dsp_plane* p) {
  const int32_t stride = kernel->stride_w;
  row_job job;
  job.zero_points = (uint32_t)weights->input_zero_point << 16 | (uint16_t)weights->input_zero_point;
  job.row_pitch = p->row_pitch;
  job.pitch = p->pitch;
  job.first_is_outside = p->cols.begin;
  job.last_is_outside = (p->out_cols - 1) * stride + 3 - p->cols.end;
  const int8_t* out = p->out;
  int32_t skipped = 0;
  for (int32_t row = 0; row < p->out_rows; ++row, out += p->out_row_pitch) {
    skipped = convolve_channels(job, weights, channels, p, row * stride, stride, out);
  }
  return skipped;
}
#else
typedef int patchnas_dsp_rows_is_empty; /* ISO C wants a declaration in every file */
#endif
