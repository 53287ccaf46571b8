/* Loops that copy bytes are to stay loops: there may be no memcpy. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#include "runtime/patchnas_runtime.h"

void patchnas_copy(const patchnas_copy_shape* s, const int8_t* input, const int8_t* rest,
                   int8_t* output) {
  if (rest == 0) {
    for (int32_t i = 0; i < s->fill_bytes; ++i) {
      output[i] = (int8_t)s->fill;
    }
  } else if (rest != output) {
    for (int32_t i = 0; i < s->fill_bytes; ++i) {
      output[i] = rest[i];
    }
  }
  const int8_t* from = input + s->from;
  int8_t* to = output + s->to;
  if (from == to) {
    return; /* every element stays */
  }
  for (int32_t i = 0; i < s->counts[0]; ++i, from += s->from_strides[0], to += s->to_strides[0]) {
    const int8_t* line_from = from;
    int8_t* line_to = to;
    for (int32_t j = 0; j < s->counts[1]; ++j) {
      for (int32_t k = 0; k < s->counts[2]; ++k) {
        line_to[k * s->to_strides[2]] = line_from[k * s->from_strides[2]];
      }
      line_from += s->from_strides[1];
      line_to += s->to_strides[1];
    }
  }
}
