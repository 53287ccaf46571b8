/* The loops below need every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_taps.h"

/* The sums of a tap's weights. */
static int32x4_t sums_of_tap(const patchnas_mve_taps* taps, const patchnas_mve_rows* w,
                             int32_t distance) {
  const patchnas_mve_four sums = {patchnas_mve_sum_of_weights(0, w->r0 + distance, taps->terms),
                                  patchnas_mve_sum_of_weights(0, w->r1 + distance, taps->terms),
                                  patchnas_mve_sum_of_weights(0, w->r2 + distance, taps->terms),
                                  patchnas_mve_sum_of_weights(0, w->r3 + distance, taps->terms)};
  return patchnas_mve_four_lanes(sums);
}

/* The sums of the weights of the taps inside the image. */
static int32x4_t sums_inside(const patchnas_mve_taps* taps, const patchnas_mve_channels* c,
                             patchnas_taps rows, patchnas_taps cols) {
  const int are_kept = taps->rows * taps->cols <= PATCHNAS_MVE_MOST_TAP_SUMS;
  int32x4_t sums = vdupq_n_s32(0);
  for (int32_t y = rows.begin; y < rows.end; ++y) {
    for (int32_t x = cols.begin; x < cols.end; ++x) {
      const int32x4_t of_tap =
          are_kept ? vldrwq_s32(c->tap_sums[y * taps->cols + x])
                   : sums_of_tap(taps, &c->rows,
                                 y * taps->weights_row_pitch + x * taps->weights_col_pitch);
      sums = vaddq_s32(sums, of_tap);
    }
  }
  return sums;
}

void patchnas_mve_begin_channels(patchnas_mve_channels* channels, const patchnas_weights* weights,
                                 const patchnas_mve_taps* taps, int32_t channel,
                                 int32_t out_channels, patchnas_mve_biases biases) {
  channels->rows = patchnas_mve_four_rows(weights->weights + channel * taps->weights_pitch,
                                          taps->weights_pitch, out_channels - channel);
  channels->lanes = vctp32q((uint32_t)(out_channels - channel));
  channels->scale.multiplier = vldrwq_z_s32(weights->multipliers + channel, channels->lanes);
  channels->scale.shift = vldrbq_z_s32(weights->shifts + channel, channels->lanes);
  int32x4_t sums = vdupq_n_s32(0);
  for (int32_t y = 0; y < taps->rows; ++y) {
    for (int32_t x = 0; x < taps->cols; ++x) {
      const int32x4_t of_tap = sums_of_tap(
          taps, &channels->rows, y * taps->weights_row_pitch + x * taps->weights_col_pitch);
      sums = vaddq_s32(sums, of_tap);
      if (y * taps->cols + x < PATCHNAS_MVE_MOST_TAP_SUMS) {
        vstrwq_s32(channels->tap_sums[y * taps->cols + x], of_tap);
      }
    }
  }
  const int32x4_t given = vldrwq_z_s32(weights->biases + channel, channels->lanes);
  const int32x4_t zero_points = vmulq_n_s32(sums, weights->input_zero_point);
  channels->biases = biases == kPatchnasFolded ? vaddq_s32(given, zero_points) : given;
  channels->folded = vsubq_s32(channels->biases, zero_points);
}

void patchnas_mve_convolve_taps(const patchnas_weights* weights, const patchnas_mve_taps* taps,
                                const patchnas_mve_channels* channels, patchnas_taps rows,
                                patchnas_taps cols, const int8_t* values, int8_t* out) {
  const int32_t rounded = (taps->terms + 15) & ~15;
  const int32_t inside = cols.end - cols.begin;
  const patchnas_mve_window window = {taps->terms, taps->values_col_pitch - rounded,
                                      taps->weights_col_pitch - rounded, 0, inside};
  const int32_t skipped =
      rows.begin * taps->weights_row_pitch + cols.begin * taps->weights_col_pitch;
  patchnas_mve_rows w = {channels->rows.r0 + skipped, channels->rows.r1 + skipped,
                         channels->rows.r2 + skipped, channels->rows.r3 + skipped};
  int32x4_t sums = channels->folded;
  if (inside < taps->cols || rows.end - rows.begin < taps->rows) {
    sums = vsubq_s32(channels->biases, vmulq_n_s32(sums_inside(taps, channels, rows, cols),
                                                   weights->input_zero_point));
  }
  values += rows.begin * taps->values_row_pitch + cols.begin * taps->values_col_pitch;
  for (int32_t y = inside > 0 ? rows.end - rows.begin : 0; y > 0; --y) {
    sums = vaddq_s32(sums, patchnas_mve_four_lanes(patchnas_mve_multiply_four(
                               &w, values, &window, kPatchnasSeveralRuns)));
    values += taps->values_row_pitch;
    w.r0 += taps->weights_row_pitch;
    w.r1 += taps->weights_row_pitch;
    w.r2 += taps->weights_row_pitch;
    w.r3 += taps->weights_row_pitch;
  }
  vstrbq_p_s32(out, patchnas_mve_finish(weights, channels->scale, sums), channels->lanes);
}
#else
typedef int patchnas_mve_taps_is_empty; /* ISO C wants a declaration in every file */
#endif
