/* Requantisation as runtime/dsp.h does it, on an emulated processor, against the definition: every
 * shift to the right, accumulators around each tie between two outputs and at the ends of their
 * range, and random ones. */
#include "board.h"
#include "runtime/simd.h"

#if defined(PATCHNAS_DSP)
#include "runtime/dsp.h"

#if defined(PATCHNAS_SINGLE_ROUNDING)
/* To nearest, ties upwards. */
static int64_t defined_scaled(int64_t product, int32_t right) {
  return (product + ((int64_t)1 << (30 + right))) >> (31 + right);
}
#else
/* TensorFlow Lite Micro's reference kernels: both roundings to nearest, the first with ties
 * upwards, the second with ties away from zero. */
static int64_t defined_scaled(int64_t product, int32_t right) {
  const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
  const int64_t high = (product + nudge) / ((int64_t)1 << 31);
  const int64_t magnitude = ((high < 0 ? -high : high) + ((int64_t)1 << (right - 1))) >> right;
  return high < 0 ? -magnitude : magnitude;
}
#endif

static int32_t defined_output(int32_t accumulator, int32_t multiplier, int32_t right,
                              int32_t zero_point) {
  const int64_t output = defined_scaled((int64_t)accumulator * multiplier, right) + zero_point;
  return (int32_t)(output < -128 ? -128 : output > 127 ? 127 : output);
}

static uint32_t state = 1;

static uint32_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 17;
  return state ^= state << 5;
}

typedef struct tally {
  uint64_t checked, wrong;
} tally;

static void check(tally* t, int64_t accumulator, int32_t multiplier, int32_t right,
                  int32_t zero_point) {
  if (accumulator < INT32_MIN || accumulator > INT32_MAX) {
    return;
  }
  const int32_t acc = (int32_t)accumulator;
  const int32_t expected = defined_output(acc, multiplier, right, zero_point);
  const patchnas_dsp_scale scale = patchnas_dsp_make_scale(multiplier, -right, zero_point);
  if (acc > -(1 << 30) && acc < 1 << 30 && patchnas_dsp_can_scale(multiplier, -right)) {
    ++t->checked;
    t->wrong += patchnas_dsp_finish(scale, 2 * acc) != expected;
  }
  if (patchnas_dsp_can_scale_all(-right)) {
    ++t->checked;
    t->wrong += patchnas_dsp_finish_all(scale, acc) != expected;
  }
}

static void check_multiplier(tally* t, int32_t multiplier, int32_t right) {
  static const int64_t ends[] = {0,         1 << 29,       1 << 30,    (1 << 30) + 1, INT32_MAX,
                                 INT32_MIN, 1 - (1 << 30), -(1 << 30), -(1 << 29)};
  const int32_t zero_point = (int32_t)(next_random() % 256) - 128;
  for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; ++i) {
    for (int32_t offset = -2; offset <= 2; ++offset) {
      check(t, ends[i] + offset, multiplier, right, zero_point);
    }
  }
  for (int32_t output = -256; output <= 256; ++output) {
    const int64_t twice = 2 * output + 1; /* the tie, beyond int32 where it would overflow */
    if ((twice < 0 ? -twice : twice) >> (32 - right) != 0) {
      continue;
    }
    const int64_t tie = twice * ((int64_t)1 << (30 + right)) / multiplier;
    for (int32_t offset = -2; offset <= 2; ++offset) {
      check(t, tie + offset, multiplier, right, zero_point);
    }
  }
  for (int32_t i = 0; i < 200; ++i) {
    check(t, (int32_t)next_random() >> next_random() % 24, multiplier, right, zero_point);
  }
}

int main(int argc, char** argv) {
  (void)argc;
  (void)argv;
  tally t = {0, 0};
  for (int32_t right = 1; right <= 31; ++right) {
    check_multiplier(&t, 1 << 30, right);
    check_multiplier(&t, (1 << 30) + 1, right);
    check_multiplier(&t, INT32_MAX, right);
    for (int32_t i = 0; i < 12; ++i) {
      check_multiplier(&t, (int32_t)(next_random() >> 2 | 1u << 30), right);
    }
  }
  board_write_number(t.checked);
  board_write(" requantisations, ");
  board_write_number(t.wrong);
  board_write(" wrong\n");
  return t.wrong != 0 || t.checked == 0;
}
#else
int main(int argc, char** argv) {
  (void)argc;
  (void)argv;
  board_write("no DSP form\n");
  return 0;
}
#endif
