#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"

/* `count` > 0 values, sixteen at a time. */
static void look_up(const int8_t* values, const int8_t* in, int8_t* out, int32_t count) {
  __asm__ volatile(
      "dlstp.8 lr, %[count] \n"
      "1: \n\t"
      "vldrb.8 q0, [%[in]], #16 \n\t"
      "vldrb.u8 q1, [%[values], q0] \n\t"
      "vstrb.8 q1, [%[out]], #16 \n\t"
      "letp lr, 1b"
      : [in] "+&r"(in), [out] "+&r"(out)
      : [values] "r"(values), [count] "r"(count)
      : "q0", "q1", "lr", "cc", "memory");
}

#else
#include "runtime/arithmetic.h"

static void look_up(const int8_t* values, const int8_t* in, int8_t* out, int32_t count) {
  for (; count >= 8; count -= 8, in += 8, out += 8) {
    out[0] = values[(uint8_t)in[0]];
    out[1] = values[(uint8_t)in[1]];
    out[2] = values[(uint8_t)in[2]];
    out[3] = values[(uint8_t)in[3]];
    out[4] = values[(uint8_t)in[4]];
    out[5] = values[(uint8_t)in[5]];
    out[6] = values[(uint8_t)in[6]];
    out[7] = values[(uint8_t)in[7]];
  }
  for (; count > 0; --count) {
    *out++ = values[(uint8_t)*in++];
  }
}
#endif

void patchnas_lookup(const patchnas_table* table, const patchnas_window* input,
                     const patchnas_window* output, patchnas_rect computed) {
  const int32_t run = (computed.col_end - computed.col_begin) * output->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    look_up(table->values, patchnas_pixel(input, row, computed.col_begin),
            patchnas_pixel(output, row, computed.col_begin), run);
  }
}
