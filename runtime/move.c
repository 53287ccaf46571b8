/* Loops that copy or fill bytes are to stay loops: there may be no memmove or memset. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#include "runtime/move.h"

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"

/* Whatever is loaded together is loaded before any of it is written, and nothing before it is
 * loaded later. */
void patchnas_move(int8_t* to, const int8_t* from, int32_t bytes) {
  if (bytes <= 0 || to == from) {
    return;
  }
  if (bytes >= 64) {
    __asm__ volatile(
        "dls lr, %[pairs] \n"
        "1: \n\t"
        "vldrb.8 q0, [%[from]], #16 \n\t"
        "vldrb.8 q1, [%[from]], #16 \n\t"
        "vstrb.8 q0, [%[to]], #16 \n\t"
        "vstrb.8 q1, [%[to]], #16 \n\t"
        "le lr, 1b"
        : [to] "+&r"(to), [from] "+&r"(from)
        : [pairs] "r"(bytes >> 5)
        : "q0", "q1", "lr", "cc", "memory");
    bytes &= 31;
  }
  if (bytes > 0) {
    patchnas_mve_copy(to, from, bytes);
  }
}

void patchnas_fill(int8_t* to, int32_t bytes, int8_t value) {
  if (bytes > 0) {
    patchnas_mve_fill(to, bytes, value);
  }
}

/* Short ones in columns of 16 bytes. */
void patchnas_move_pieces(int8_t* to, int32_t to_pitch, const int8_t* from, int32_t from_pitch,
                          int32_t bytes, int32_t count) {
  enum { kShort = 64 };
  if (bytes <= kShort && count > 0) {
    for (; bytes > 0; bytes -= 16, to += 16, from += 16) {
      patchnas_mve_copy_pieces(to, to_pitch, from, from_pitch, bytes < 16 ? bytes : 16, count);
    }
    return;
  }
  for (; count > 0; --count, to += to_pitch, from += from_pitch) {
    patchnas_mve_copy(to, from, bytes);
  }
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
  for (; bytes >= 32 && ((uintptr_t)to & 3) != 0; --bytes) {
    *to++ = *from++;
  }
  if ((((uintptr_t)to | (uintptr_t)from) & 3) == 0 && bytes >= 16) {
    int32_t left = bytes >> 4;
    bytes &= 15;
    __asm__ volatile(
        "lsrs %[left], %[left], #1 \n\t"
        "bcc 1f \n\t"
        "ldmia %[from]!, {r4, r5, r6, r8} \n\t"
        "stmia %[to]!, {r4, r5, r6, r8} \n"
        "1: \n\t"
        "cbz %[left], 3f \n"
        "2: \n\t"
        "ldmia %[from]!, {r4, r5, r6, r8} \n\t"
        "stmia %[to]!, {r4, r5, r6, r8} \n\t"
        "ldmia %[from]!, {r4, r5, r6, r8} \n\t"
        "subs %[left], %[left], #1 \n\t"
        "stmia %[to]!, {r4, r5, r6, r8} \n\t"
        "bne 2b \n"
        "3:"
        : [to] "+r"(to), [from] "+r"(from), [left] "+l"(left)
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

void patchnas_fill(int8_t* to, int32_t bytes, int8_t value) {
  const uint32_t four = patchnas_four_bytes(value);
  for (; bytes >= 16; bytes -= 16, to += 16) {
    store_word(to, four);
    store_word(to + 4, four);
    store_word(to + 8, four);
    store_word(to + 12, four);
  }
  for (; bytes > 0; --bytes) {
    *to++ = value;
  }
}

/* Short ones word by word, without looking for a better way. */
void patchnas_move_pieces(int8_t* to, int32_t to_pitch, const int8_t* from, int32_t from_pitch,
                          int32_t bytes, int32_t count) {
  enum { kShort = 32 };
  const int32_t eights = bytes & ~7;
  for (; count > 0; --count, to += to_pitch, from += from_pitch) {
    if (bytes > kShort) {
      patchnas_move(to, from, bytes);
      continue;
    }
    int32_t i = 0;
    for (; i < eights; i += 8) {
      const uint32_t w0 = patchnas_load_word(from + i);
      const uint32_t w1 = patchnas_load_word(from + i + 4);
      store_word(to + i, w0);
      store_word(to + i + 4, w1);
    }
    if (i == bytes) {
      continue;
    }
    if (i + 4 <= bytes) {
      store_word(to + i, patchnas_load_word(from + i));
      i += 4;
    }
    for (; i < bytes; ++i) {
      to[i] = from[i];
    }
  }
}

#else
void patchnas_move(int8_t* to, const int8_t* from, int32_t bytes) {
  for (; bytes > 0; --bytes) {
    *to++ = *from++;
  }
}

void patchnas_fill(int8_t* to, int32_t bytes, int8_t value) {
  for (; bytes > 0; --bytes) {
    *to++ = value;
  }
}

void patchnas_move_pieces(int8_t* to, int32_t to_pitch, const int8_t* from, int32_t from_pitch,
                          int32_t bytes, int32_t count) {
  for (; count > 0; --count, to += to_pitch, from += from_pitch) {
    patchnas_move(to, from, bytes);
  }
}
#endif
