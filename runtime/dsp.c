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

void patchnas_dsp_clamp(int32_t low, int32_t high, const patchnas_window* output,
                        patchnas_rect computed) {
  if (low <= INT8_MIN && high >= INT8_MAX) {
    return;
  }
  const int8x4_t lows = (int8x4_t)((uint32_t)(uint8_t)low * 0x01010101u);
  const int8x4_t highs = (int8x4_t)((uint32_t)(uint8_t)high * 0x01010101u);
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    int8_t* at = patchnas_pixel(output, row, computed.col_begin);
    int8_t* const end = at + (computed.col_end - computed.col_begin) * output->channels;
    for (; end - at >= 4; at += 4) {
      int8x4_t values = (int8x4_t)patchnas_load_word(at);
      __asm__(
          "ssub8 %1, %0, %2 \n\t"
          "sel %0, %0, %2 \n\t"
          "ssub8 %1, %3, %0 \n\t"
          "sel %0, %0, %3"
          : "+r"(values), "=&r"((int8x4_t){0})
          : "r"(lows), "r"(highs)
          : "cc");
      ((patchnas_unaligned_word*)at)->value = (uint32_t)values;
    }
    for (; at < end; ++at) {
      *at = patchnas_clamp(*at, low, high);
    }
  }
}
#else
typedef int patchnas_dsp_is_empty; /* ISO C wants a declaration in every file */
#endif
