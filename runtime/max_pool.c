#include "runtime/pixels.h"

#if defined(PATCHNAS_MVE)
/* Sixteen channels at a time. */
static void largest(const patchnas_pixels* p, int32_t clamp_min, int32_t clamp_max, int8_t* out) {
  const int8x16_t low = vdupq_n_s8((int8_t)clamp_min);
  const int8x16_t high = vdupq_n_s8((int8_t)clamp_max);
  for (int32_t c = 0; c < p->channels; c += 16) {
    const mve_pred16_t lanes = vctp8q((uint32_t)(p->channels - c));
    const int8_t* row = p->first + c;
    int8x16_t values = low;
    for (int32_t y = p->rows; y > 0; --y, row += p->row_pitch) {
      const int8_t* at = row;
      for (int32_t x = p->cols; x > 0; --x, at += p->channels) {
        values = vmaxq_s8(values, vldrbq_z_s8(at, lanes));
      }
    }
    vstrbq_p_s8(out + c, vminq_s8(values, high), lanes);
  }
}
#elif defined(PATCHNAS_DSP)
/* Two bytes at any alignment. */
typedef struct __attribute__((packed, may_alias)) unaligned_half {
  uint16_t value;
} unaligned_half;

/* Fewer than four channels, and zeros behind them. */
PATCHNAS_ALWAYS_INLINE uint32_t load_few(const int8_t* from, int32_t channels) {
  if (channels == 1) {
    return (uint8_t)*from;
  }
  const uint32_t two = ((const unaligned_half*)from)->value;
  return channels == 2 ? two : two | (uint32_t)(uint8_t)from[2] << 16;
}

PATCHNAS_ALWAYS_INLINE void store_few(int8_t* to, int32_t channels, uint32_t values) {
  if (channels == 1) {
    *to = (int8_t)values;
    return;
  }
  ((unaligned_half*)to)->value = (uint16_t)values;
  if (channels == 3) {
    to[2] = (int8_t)(values >> 16);
  }
}

PATCHNAS_ALWAYS_INLINE void largest_few(const patchnas_pixels* p, int32_t channels, uint32_t lows,
                                        uint32_t highs, int8_t* out) {
  const int8_t* row = p->first;
  uint32_t values = lows;
  for (int32_t y = p->rows; y > 0; --y, row += p->row_pitch) {
    const int8_t* at = row;
    for (int32_t x = p->cols; x > 0; --x, at += channels) {
      values = patchnas_dsp_larger_bytes(values, load_few(at, channels));
    }
  }
  store_few(out, channels, patchnas_dsp_smaller_bytes(values, highs));
}

/* Four at a time; the last four overlap those before them. */
PATCHNAS_ALWAYS_INLINE void largest_words(const patchnas_pixels* p, uint32_t lows, uint32_t highs,
                                          int8_t* out) {
  for (int32_t done = 0; done < p->channels; done += 4) {
    const int32_t c = p->channels - done >= 4 ? done : p->channels - 4;
    const int8_t* row = p->first + c;
    uint32_t values = lows;
    for (int32_t y = 0; y < p->rows; ++y, row += p->row_pitch) {
      const int8_t* at = row;
      for (int32_t x = p->cols; x > 0; --x, at += p->channels) {
        values = patchnas_dsp_larger_bytes(values, patchnas_load_word(at));
      }
    }
    ((patchnas_unaligned_word*)(out + c))->value = patchnas_dsp_smaller_bytes(values, highs);
  }
}

static void largest(const patchnas_pixels* p, int32_t clamp_min, int32_t clamp_max, int8_t* out) {
  const uint32_t lows = patchnas_four_bytes(clamp_min);
  const uint32_t highs = patchnas_four_bytes(clamp_max);
  switch (p->channels) {
    case 1:
      largest_few(p, 1, lows, highs, out);
      break;
    case 2:
      largest_few(p, 2, lows, highs, out);
      break;
    case 3:
      largest_few(p, 3, lows, highs, out);
      break;
    default:
      largest_words(p, lows, highs, out);
  }
}
#else
static void largest(const patchnas_pixels* p, int32_t clamp_min, int32_t clamp_max, int8_t* out) {
  for (int32_t c = 0; c < p->channels; ++c) {
    const int8_t* row = p->first + c;
    const int32_t pitch = p->channels;
    int32_t value = clamp_min;
    for (int32_t y = p->rows; y > 0; --y, row += p->row_pitch) {
      const int8_t* at = row;
      for (int32_t x = p->cols; x > 0; --x, at += pitch) {
        value = *at > value ? *at : value;
      }
    }
    out[c] = patchnas_clamp(value, clamp_min, clamp_max);
  }
}
#endif

/* Pixels outside the image do not count. */
void patchnas_max_pool(const patchnas_kernel* kernel, int32_t clamp_min, int32_t clamp_max,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed) {
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_pixels p = patchnas_pixels_under(kernel, input, rows, col);
      largest(&p, clamp_min, clamp_max, patchnas_pixel(output, row, col));
    }
  }
}
