#include "runtime/simd.h"

#if defined(PATCHNAS_DSP)
#include "runtime/dsp.h"

int patchnas_dsp_are_exact(const patchnas_weights* weights, int32_t begin, int32_t end) {
  for (int32_t o = begin; o < end; ++o) {
    if (!patchnas_dsp_is_exact(weights, o)) {
      return 0;
    }
  }
  return 1;
}

void patchnas_dsp_clamp(int32_t low, int32_t high, const patchnas_window* output, int32_t channels,
                        patchnas_rect computed) {
  if (low <= INT8_MIN && high >= INT8_MAX) {
    return;
  }
  const uint32_t lows = patchnas_four_bytes(low);
  const uint32_t highs = patchnas_four_bytes(high);
  const int32_t cols = computed.col_end - computed.col_begin;
  const int32_t runs = channels == output->channels ? 1 : cols; /* in a row */
  const int32_t run = channels == output->channels ? cols * channels : channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    int8_t* first = patchnas_pixel(output, row, computed.col_begin);
    for (int32_t left = runs; left > 0; --left, first += output->channels) {
      int8_t* at = first;
      int8_t* const end = first + run;
      for (; end - at >= 4; at += 4) {
        ((patchnas_unaligned_word*)at)->value = patchnas_dsp_smaller_bytes(
            patchnas_dsp_larger_bytes(patchnas_load_word(at), lows), highs);
      }
      for (; at < end; ++at) {
        *at = patchnas_clamp(*at, low, high);
      }
    }
  }
}
#else
typedef int patchnas_dsp_is_empty; /* ISO C wants a declaration in every file */
#endif
