/* The loop below needs every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_dot.h"
#include "runtime/mve_rows.h"

/* Careful: fewer than four rows. */
typedef enum care_taken { kFast, kCareful } care_taken;

PATCHNAS_ALWAYS_INLINE void multiply(const patchnas_weights* w, care_taken care,
                                     const patchnas_mve_rows* rows, const int8_t* values,
                                     const patchnas_mve_window* window, int32_t channel,
                                     int32_t left, int8_t* out) {
  const int32x4_t products = patchnas_mve_four_lanes(
      patchnas_mve_multiply_four(rows, values, window, kPatchnasSeveralRuns));
  if (care == kFast) {
    const patchnas_mve_scale scale = {vldrwq_s32(w->multipliers + channel),
                                      vldrbq_s32(w->shifts + channel)};
    const int32x4_t sums = vaddq_s32(products, vldrwq_s32(w->biases + channel));
    vstrbq_s32(out + channel, patchnas_mve_finish(w, scale, sums));
  } else {
    const mve_pred16_t lanes = vctp32q((uint32_t)left);
    const patchnas_mve_scale scale = {vldrwq_z_s32(w->multipliers + channel, lanes),
                                      vldrbq_z_s32(w->shifts + channel, lanes)};
    const int32x4_t sums = vaddq_s32(products, vldrwq_z_s32(w->biases + channel, lanes));
    vstrbq_p_s32(out + channel, patchnas_mve_finish(w, scale, sums), lanes);
  }
}

void patchnas_mve_multiply_pixel(const patchnas_weights* weights, const int8_t* values,
                                 int32_t terms, int8_t* out, int32_t out_channels) {
  const patchnas_mve_window window = {terms, 0, 0, 0, 1};
  const int8_t* row = weights->weights;
  int32_t o = 0;
  for (; o + 4 <= out_channels; o += 4, row += 4 * terms) {
    const patchnas_mve_rows rows = {row, row + terms, row + 2 * terms, row + 3 * terms};
    multiply(weights, kFast, &rows, values, &window, o, 4, out);
  }
  if (o < out_channels) {
    const patchnas_mve_rows rows = patchnas_mve_four_rows(row, terms, out_channels - o);
    multiply(weights, kCareful, &rows, values, &window, o, out_channels - o, out);
  }
}
#else
typedef int patchnas_mve_dot_is_empty; /* ISO C wants a declaration in every file */
#endif
