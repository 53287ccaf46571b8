/* Four channels of a pixel at a time. */
#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"
#elif defined(PATCHNAS_DSP)
#include "runtime/dsp.h"
#else
#include "runtime/arithmetic.h"
#endif

#if defined(PATCHNAS_MVE) || defined(PATCHNAS_DSP)
/* What one output pixel reads: `corner` is where the first tap would be, inside the image or not.
 */
typedef struct pixel {
  patchnas_taps rows, cols;
  const int8_t* corner;
  int32_t row_pitch, channels, height, width;
} pixel;

static pixel pixel_of(const patchnas_kernel* k, const patchnas_window* input, int32_t row,
                      int32_t col) {
  const patchnas_taps rows = patchnas_row_taps(k, row);
  const patchnas_taps cols = patchnas_col_taps(k, col);
  const pixel p = {rows,
                   cols,
                   patchnas_pixel(input, rows.origin, cols.origin),
                   input->width * input->channels,
                   input->channels,
                   k->height,
                   k->width};
  return p;
}

static int is_clipped(const pixel* p) {
  return p->rows.begin > 0 || p->cols.begin > 0 || p->rows.end < p->height ||
         p->cols.end < p->width;
}

static int is_inside(const pixel* p, int32_t y, int32_t x) {
  return y >= p->rows.begin && y < p->rows.end && x >= p->cols.begin && x < p->cols.end;
}
#endif

#if defined(PATCHNAS_MVE)
/* The sums of the channels from `channel` on that the predicate names. */
static int32x4_t sums_of(const patchnas_weights* w, const pixel* p, int32_t channel,
                         mve_pred16_t lanes) {
  const int8_t* weight =
      w->weights + channel + (p->rows.begin * p->width + p->cols.begin) * p->channels;
  const int32_t inside = p->cols.end - p->cols.begin;
  const int8_t* row =
      p->corner + channel + p->rows.begin * p->row_pitch + p->cols.begin * p->channels;
  int32x4_t sums = vldrwq_z_s32(w->biases + channel, lanes);
  for (int32_t y = p->rows.begin; y < p->rows.end; ++y, row += p->row_pitch) {
    const int8_t* value = row;
    const int8_t* at = weight;
    for (int32_t x = inside; x > 0; --x, value += p->channels, at += p->channels) {
      sums = vaddq_s32(sums, vmulq_s32(vldrbq_z_s32(value, lanes), vldrbq_z_s32(at, lanes)));
    }
    weight += p->width * p->channels;
  }
  if (is_clipped(p)) {
    weight = w->weights + channel;
    for (int32_t y = 0; y < p->height; ++y) {
      for (int32_t x = 0; x < p->width; ++x, weight += p->channels) {
        if (!is_inside(p, y, x)) {
          sums = vmlaq_n_s32(sums, vldrbq_z_s32(weight, lanes), w->input_zero_point);
        }
      }
    }
  }
  return sums;
}

void patchnas_depthwise(const patchnas_kernel* kernel, const patchnas_weights* weights,
                        const patchnas_window* input, const patchnas_window* output,
                        patchnas_rect computed) {
  const int32_t channels = input->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const pixel p = pixel_of(kernel, input, row, col);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t c = 0; c < channels; c += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)(channels - c));
        const patchnas_mve_scale scale = {vldrwq_z_s32(weights->multipliers + c, lanes),
                                          vldrbq_z_s32(weights->shifts + c, lanes)};
        const int32x4_t sums = sums_of(weights, &p, c, lanes);
        vstrbq_p_s32(out + c, patchnas_mve_finish(weights, scale, sums), lanes);
      }
    }
  }
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, output, computed);
}

#else
static void portable(const patchnas_kernel* kernel, const patchnas_weights* weights,
                     const patchnas_window* input, const patchnas_window* output,
                     patchnas_rect computed) {
  const int32_t channels = input->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_taps cols = patchnas_col_taps(kernel, col);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t c = 0; c < channels; ++c) {
        uint32_t sum = (uint32_t)weights->biases[c];
        const int8_t* weight = weights->weights + c;
        for (int32_t y = 0; y < kernel->height; ++y) {
          for (int32_t x = 0; x < kernel->width; ++x, weight += channels) {
            const int inside = y >= rows.begin && y < rows.end && x >= cols.begin && x < cols.end;
            const int32_t value = inside
                                      ? patchnas_pixel(input, rows.origin + y, cols.origin + x)[c]
                                      : weights->input_zero_point;
            sum += patchnas_product(*weight, value);
          }
        }
        out[c] = patchnas_finish(weights, c, sum);
      }
    }
  }
}

#if defined(PATCHNAS_DSP)
typedef struct sums {
  int32_t s0, s1, s2, s3;
} sums;

/* Adds the products of four weights with four values, widened to pairs. */
PATCHNAS_ALWAYS_INLINE sums add_products(sums s, uint32_t weights, int16x2_t even, int16x2_t odd) {
  const int16x2_t even_weights = patchnas_even_bytes(weights);
  const int16x2_t odd_weights = patchnas_odd_bytes(weights);
  s.s0 = __smlabb(even_weights, even, s.s0);
  s.s2 = __smlatt(even_weights, even, s.s2);
  s.s1 = __smlabb(odd_weights, odd, s.s1);
  s.s3 = __smlatt(odd_weights, odd, s.s3);
  return s;
}

/* The sums of the four channels from `channel` on. */
static sums sums_of(const patchnas_weights* w, const pixel* p, int32_t channel) {
  const int32_t channels = p->channels;
  const int32_t inside = p->cols.end - p->cols.begin;
  const int8_t* weight =
      w->weights + channel + (p->rows.begin * p->width + p->cols.begin) * channels;
  const int8_t* row = p->corner + channel + p->rows.begin * p->row_pitch + p->cols.begin * channels;
  const int32_t* const biases = w->biases + channel;
  sums s = {biases[0], biases[1], biases[2], biases[3]};
  for (int32_t y = p->rows.begin; y < p->rows.end; ++y, row += p->row_pitch) {
    const int8_t* value = row;
    const int8_t* at = weight;
    for (int32_t x = inside; x > 0; --x, value += channels, at += channels) {
      const uint32_t values = patchnas_load_word(value);
      s = add_products(s, patchnas_load_word(at), patchnas_even_bytes(values),
                       patchnas_odd_bytes(values));
    }
    weight += p->width * channels;
  }
  if (is_clipped(p)) {
    const int16x2_t zero_points = (int16x2_t)((uint32_t)(uint16_t)w->input_zero_point * 0x10001u);
    weight = w->weights + channel;
    for (int32_t y = 0; y < p->height; ++y) {
      for (int32_t x = 0; x < p->width; ++x, weight += channels) {
        if (!is_inside(p, y, x)) {
          s = add_products(s, patchnas_load_word(weight), zero_points, zero_points);
        }
      }
    }
  }
  return s;
}

void patchnas_depthwise(const patchnas_kernel* kernel, const patchnas_weights* weights,
                        const patchnas_window* input, const patchnas_window* output,
                        patchnas_rect computed) {
  const int32_t channels = input->channels;
  if (channels < 4 || kernel->height * kernel->width > PATCHNAS_DSP_MOST_TERMS) {
    portable(kernel, weights, input, output, computed);
    return;
  }
  const int all_exact = patchnas_dsp_are_exact(weights, 0, channels);
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const pixel p = pixel_of(kernel, input, row, col);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t done = 0; done < channels; done += 4) {
        /* The last four overlap those before them. */
        const int32_t c = channels - done >= 4 ? done : channels - 4;
        const sums s = sums_of(weights, &p, c);
        if (!all_exact && !patchnas_dsp_are_exact(weights, c, c + 4)) {
          out[c] = patchnas_finish(weights, c, (uint32_t)s.s0);
          out[c + 1] = patchnas_finish(weights, c + 1, (uint32_t)s.s1);
          out[c + 2] = patchnas_finish(weights, c + 2, (uint32_t)s.s2);
          out[c + 3] = patchnas_finish(weights, c + 3, (uint32_t)s.s3);
          continue;
        }
        out[c] = patchnas_dsp_finish(patchnas_dsp_scale_of(weights, c), 2 * s.s0);
        out[c + 1] = patchnas_dsp_finish(patchnas_dsp_scale_of(weights, c + 1), 2 * s.s1);
        out[c + 2] = patchnas_dsp_finish(patchnas_dsp_scale_of(weights, c + 2), 2 * s.s2);
        out[c + 3] = patchnas_dsp_finish(patchnas_dsp_scale_of(weights, c + 3), 2 * s.s3);
      }
    }
  }
  patchnas_dsp_clamp(weights->clamp_min, weights->clamp_max, output, computed);
}
#else
void patchnas_depthwise(const patchnas_kernel* kernel, const patchnas_weights* weights,
                        const patchnas_window* input, const patchnas_window* output,
                        patchnas_rect computed) {
  portable(kernel, weights, input, output, computed);
}
#endif
#endif
