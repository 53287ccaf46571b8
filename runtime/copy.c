#include "runtime/move.h"

/* Values that do not lie side by side. */
static void copy_apart(int8_t* to, int32_t to_stride, const int8_t* from, int32_t from_stride,
                       int32_t count) {
  for (; count >= 4; count -= 4, from += 4 * from_stride, to += 4 * to_stride) {
    to[0] = from[0];
    to[to_stride] = from[from_stride];
    to[2 * to_stride] = from[2 * from_stride];
    to[3 * to_stride] = from[3 * from_stride];
  }
  for (; count > 0; --count, from += from_stride, to += to_stride) {
    *to = *from;
  }
}

/* Lines of values, in what order they are copied. */
typedef struct lines {
  int32_t count, length;
} lines;

/* Those that follow each other in both are one. */
static lines lines_of(const patchnas_copy_shape* s) {
  const lines given = {s->counts[1], s->counts[2]};
  const lines joined = {1, s->counts[1] * s->counts[2]};
  const int is_joined = s->from_strides[2] == 1 && s->to_strides[2] == 1 &&
                        s->from_strides[1] == given.length && s->to_strides[1] == given.length;
  return is_joined ? joined : given;
}

/* Whether each line is behind those before it, so that what is not copied lies between them. */
static int is_in_order(const patchnas_copy_shape* s, lines l) {
  return s->to_strides[2] == 1 && (l.count == 1 || s->to_strides[1] >= l.length) &&
         (s->counts[0] == 1 || s->to_strides[0] >= (l.count - 1) * s->to_strides[1] + l.length);
}

static void copy_lines(const patchnas_copy_shape* s, lines l, int8_t* to, const int8_t* from) {
  if (s->from_strides[2] == 1 && s->to_strides[2] == 1) {
    patchnas_move_pieces(to, s->to_strides[1], from, s->from_strides[1], l.length, l.count);
    return;
  }
  for (int32_t j = 0; j < l.count; ++j, from += s->from_strides[1], to += s->to_strides[1]) {
    copy_apart(to, s->to_strides[2], from, s->from_strides[2], l.length);
  }
}

/* The elements [begin, end), which are not copied; none where it ends before. */
static void leave(const patchnas_copy_shape* s, const int8_t* rest, int8_t* output, int32_t begin,
                  int32_t end) {
  if (rest == 0) {
    patchnas_fill(output + begin, end - begin, (int8_t)s->fill);
  } else {
    patchnas_move(output + begin, rest + begin, end - begin);
  }
}

void patchnas_copy(const patchnas_copy_shape* s, const int8_t* input, const int8_t* rest,
                   int8_t* output) {
  if (input + s->from == output + s->to) {
    return; /* every element stays */
  }
  const lines l = lines_of(s);
  int32_t done = s->fill_bytes; /* what is before it is as it should be, but for lines */
  if (done > 0 && is_in_order(s, l)) {
    done = 0;
  } else {
    leave(s, rest, output, 0, done);
  }
  const lines one = {1, l.length};
  const int is_run = s->from_strides[2] == 1;
  for (int32_t i = 0; i < s->counts[0]; ++i) {
    const int8_t* from = input + s->from + i * s->from_strides[0];
    int32_t to = s->to + i * s->to_strides[0];
    if (done >= s->fill_bytes) {
      copy_lines(s, l, output + to, from);
      continue;
    }
    for (int32_t j = 0; j < l.count; ++j, from += s->from_strides[1], to += s->to_strides[1]) {
      leave(s, rest, output, done, to);
      if (is_run) {
        patchnas_move(output + to, from, l.length);
      } else {
        copy_lines(s, one, output + to, from);
      }
      done = to + l.length;
    }
  }
  leave(s, rest, output, done, s->fill_bytes);
}
