#include "runtime/move.h"
#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"
#else
#include "runtime/arithmetic.h"
#endif

enum {
  kParts = 1 << 10,
  kHalf = kParts * kParts / 2
}; /* of the way from one position to the next */

/* Four pixels of the input, and what share of each, in kParts * kParts, makes one of the output. */
typedef struct mixture {
  const int8_t* pixels[4];
  int32_t shares[4];
} mixture;

#if defined(PATCHNAS_MVE)
/* Four channels at a time. */
static void interpolate(const mixture* m, int32_t channels, int8_t* out) {
  for (int32_t c = 0; c < channels; c += 4) {
    const mve_pred16_t lanes = vctp32q((uint32_t)(channels - c));
    int32x4_t sums = vmulq_n_s32(vldrbq_z_s32(m->pixels[0] + c, lanes), m->shares[0]);
    sums = vmlaq_n_s32(sums, vldrbq_z_s32(m->pixels[1] + c, lanes), m->shares[1]);
    sums = vmlaq_n_s32(sums, vldrbq_z_s32(m->pixels[2] + c, lanes), m->shares[2]);
    sums = vmlaq_n_s32(sums, vldrbq_z_s32(m->pixels[3] + c, lanes), m->shares[3]);
#if !defined(PATCHNAS_SINGLE_ROUNDING)
    sums = vaddq_s32(sums, vshrq_n_s32(sums, 31)); /* ties away from zero */
#endif
    vstrbq_p_s32(out + c, vrshrq_n_s32(sums, 20), lanes);
  }
}
#else
static int8_t rounded(int32_t sum) {
#if !defined(PATCHNAS_SINGLE_ROUNDING)
  sum -= sum < 0; /* ties away from zero */
#endif
  return (int8_t)((sum + kHalf) >> 20);
}

static void interpolate(const mixture* m, int32_t channels, int8_t* out) {
  const int8_t *p0 = m->pixels[0], *p1 = m->pixels[1], *p2 = m->pixels[2], *p3 = m->pixels[3];
  const int32_t s0 = m->shares[0], s1 = m->shares[1], s2 = m->shares[2], s3 = m->shares[3];
  for (const int8_t* const end = out + channels; out < end;) {
    *out++ = rounded(*p0++ * s0 + *p1++ * s1 + *p2++ * s2 + *p3++ * s3);
  }
}
#endif

static int is_same(const patchnas_sample* a, const patchnas_sample* b) {
  return a->first == b->first && a->second == b->second && a->part == b->part;
}

/* One row from those above and below. */
static void resize_row(const patchnas_sample* cols, int32_t col, int32_t col_end,
                       const int8_t* above, const int8_t* below, int32_t row_part, int32_t channels,
                       int8_t* out) {
  int32_t alike = 0;
  for (; col < col_end; col += alike, out += alike * channels) {
    const patchnas_sample* const sample = &cols[col];
    const int32_t left = sample->first * channels;
    const int32_t right = sample->second * channels;
    alike = 1;
    if (row_part != 0 || sample->part != 0) {
      const int32_t upper = kParts - row_part;
      const int32_t of_left = kParts - sample->part;
      const mixture m = {
          {above + left, above + right, below + left, below + right},
          {upper * of_left, upper * sample->part, row_part * of_left, row_part * sample->part}};
      interpolate(&m, channels, out);
      continue;
    }
    while (col + alike < col_end && is_same(sample, &cols[col + alike])) {
      ++alike;
    }
    patchnas_move_pieces(out, channels, above + left, 0, channels, alike);
  }
}

/* Rows that come from the same ones of the input are equal. */
void patchnas_resize(const patchnas_resizing* resizing, const patchnas_window* input,
                     const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = output->channels;
  const int32_t run = (computed.col_end - computed.col_begin) * channels;
  for (int32_t y = computed.row_begin; y < computed.row_end; ++y) {
    const patchnas_sample* const row = &resizing->rows[y];
    int8_t* const out = patchnas_pixel(output, y, computed.col_begin);
    if (y > computed.row_begin && is_same(row, row - 1)) {
      patchnas_move(out, out - output->width * channels, run);
      continue;
    }
    resize_row(resizing->cols, computed.col_begin, computed.col_end,
               patchnas_pixel(input, row->first, 0), patchnas_pixel(input, row->second, 0),
               row->part, channels, out);
  }
}
