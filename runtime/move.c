/* Loops that copy bytes are to stay loops: there may be no memmove. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"

/* Each vector is loaded before it is written, and nothing before it is loaded later. */
void patchnas_move(int8_t* to, const int8_t* from, int32_t bytes) {
  if (bytes <= 0 || to == from) {
    return;
  }
  __asm__ volatile(
      "dlstp.8 lr, %[bytes] \n"
      "1: \n\t"
      "vldrb.8 q0, [%[from]], #16 \n\t"
      "vstrb.8 q0, [%[to]], #16 \n\t"
      "letp lr, 1b"
      : [to] "+&r"(to), [from] "+&r"(from)
      : [bytes] "r"(bytes)
      : "q0", "lr", "cc", "memory");
}

#elif defined(PATCHNAS_DSP)
#include "runtime/dsp.h"

PATCHNAS_ALWAYS_INLINE void store_word(int8_t* to, uint32_t word) {
  ((patchnas_unaligned_word*)to)->value = word;
}

/* Whatever is loaded together is loaded before any of it is written, and nothing before it is
 * loaded later. */
void patchnas_move(int8_t* to, const int8_t* from, int32_t bytes) {
  if (to == from) {
    return;
  }
  for (; bytes > 0 && ((uintptr_t)to & 3) != 0; --bytes) {
    *to++ = *from++;
  }
  if (((uintptr_t)from & 3) == 0 && bytes >= 32) {
    int32_t left = bytes >> 5;
    bytes &= 31;
    __asm__ volatile(
        "1: \n\t"
        "ldmia %[from]!, {r4, r5, r6, r8} \n\t"
        "stmia %[to]!, {r4, r5, r6, r8} \n\t"
        "ldmia %[from]!, {r4, r5, r6, r8} \n\t"
        "subs %[left], %[left], #1 \n\t"
        "stmia %[to]!, {r4, r5, r6, r8} \n\t"
        "bne 1b"
        : [to] "+r"(to), [from] "+r"(from), [left] "+r"(left)
        :
        : "r4", "r5", "r6", "r8", "memory", "cc");
  }
  for (; bytes >= 16; bytes -= 16, to += 16, from += 16) {
    const uint32_t w0 = patchnas_load_word(from);
    const uint32_t w1 = patchnas_load_word(from + 4);
    const uint32_t w2 = patchnas_load_word(from + 8);
    const uint32_t w3 = patchnas_load_word(from + 12);
    store_word(to, w0);
    store_word(to + 4, w1);
    store_word(to + 8, w2);
    store_word(to + 12, w3);
  }
  for (; bytes >= 4; bytes -= 4, to += 4, from += 4) {
    store_word(to, patchnas_load_word(from));
  }
  for (; bytes > 0; --bytes) {
    *to++ = *from++;
  }
}

#else
#include "runtime/patchnas_runtime.h"

void patchnas_move(int8_t* to, const int8_t* from, int32_t bytes) {
  for (; bytes > 0; --bytes) {
    *to++ = *from++;
  }
}
#endif
