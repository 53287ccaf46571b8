/* One channel at a time: the padded plane that the channel's windows touch is copied to the
 * scratch, then the channel's outputs are written. These lie apart from the input or over the same
 * channel of it, so that no other channel is overwritten. The DSP form copies only where outputs
 * would overwrite what is still to be read. */
#include "runtime/arithmetic.h"
#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_pixels.h"
#include "runtime/mve_plane.h"
#include "runtime/mve_strip.h"
#elif defined(PATCHNAS_DSP)
#include "runtime/dsp_pixels.h"
#include "runtime/dsp_rows.h"
#endif

typedef struct plane {
  int8_t* values;
  int32_t row, col; /* of values[0] in the whole input; may be negative */
  int32_t height, width;
} plane;

static plane plane_of(const patchnas_kernel* k, patchnas_rect computed, int8_t* scratch) {
  const plane p = {scratch, computed.row_begin * k->stride_h - k->pad_top,
                   computed.col_begin * k->stride_w - k->pad_left,
                   (computed.row_end - computed.row_begin - 1) * k->stride_h + k->height,
                   (computed.col_end - computed.col_begin - 1) * k->stride_w + k->width};
  return p;
}

static int8_t* fill(int8_t* to, int32_t count, int8_t value) {
  for (int32_t i = 0; i < count; ++i) {
    *to++ = value;
  }
  return to;
}

/* Fills everything outside the image, which no channel changes. */
static void fill_padding(const plane* p, patchnas_taps rows, patchnas_taps cols,
                         int8_t zero_point) {
  int8_t* to = fill(p->values, rows.begin * p->width, zero_point);
  for (int32_t y = rows.begin; y < rows.end; ++y) {
    to = fill(to, cols.begin, zero_point) + (cols.end - cols.begin);
    to = fill(to, p->width - cols.end, zero_point);
  }
  fill(to, (p->height - rows.end) * p->width, zero_point);
}

/* Copies one channel; `first` is its value in the plane's first pixel inside the image. */
static void copy_channel(const patchnas_window* input, const int8_t* first, const plane* p,
                         patchnas_taps rows, patchnas_taps cols) {
  const int32_t channels = input->channels;
  const int32_t inside = cols.end - cols.begin;
  int8_t* row = p->values + rows.begin * p->width + cols.begin;
  for (int32_t y = rows.begin; y < rows.end; ++y, row += p->width) {
    const int8_t* from = first;
    int8_t* to = row;
    int32_t left = inside;
    for (; left >= 4; left -= 4, from += 4 * channels, to += 4) {
      to[0] = from[0];
      to[1] = from[channels];
      to[2] = from[2 * channels];
      to[3] = from[3 * channels];
    }
    for (; left > 0; --left, from += channels) {
      *to++ = *from;
    }
    first += input->width * channels;
  }
}

static void convolve_plane(const patchnas_kernel* k, const patchnas_weights* w, int32_t channel,
                           const plane* p, const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = output->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const int8_t* corner = p->values + (row - computed.row_begin) * k->stride_h * p->width;
    int8_t* out = patchnas_pixel(output, row, computed.col_begin) + channel;
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const int8_t* weight = w->weights + channel;
      uint32_t sum = (uint32_t)w->biases[channel];
      for (int32_t y = 0; y < k->height; ++y) {
        for (int32_t x = 0; x < k->width; ++x, weight += channels) {
          sum += patchnas_product(*weight, corner[y * p->width + x]);
        }
      }
      *out = patchnas_finish(w, channel, sum);
      out += channels;
      corner += k->stride_w;
    }
  }
}

/* Whether a channel is computed elsewhere. */
typedef int is_done(const patchnas_weights* weights, int32_t channel);

/* Any kernel, padding included: all channels, or without those that are done. Not inlined, for the
 * sake of the stack of kernels that never come here. */
#if defined(__GNUC__)
__attribute__((noinline))
#endif
static void
convolve_channels(const patchnas_kernel* kernel, const patchnas_weights* weights,
                  const patchnas_window* input, const patchnas_window* output,
                  patchnas_rect computed, int8_t* scratch, is_done* done) {
  const plane p = plane_of(kernel, computed, scratch);
  const patchnas_taps rows = patchnas_taps_inside(p.row, p.height, kernel->input_height);
  const patchnas_taps cols = patchnas_taps_inside(p.col, p.width, kernel->input_width);
  const int8_t* const first = patchnas_pixel(input, p.row + rows.begin, p.col + cols.begin);
  fill_padding(&p, rows, cols, (int8_t)weights->input_zero_point);
  for (int32_t c = 0; c < output->channels; ++c) {
    if (done && done(weights, c)) {
      continue;
    }
    copy_channel(input, first + c, &p, rows, cols);
    convolve_plane(kernel, weights, c, &p, output, computed);
  }
}

#if defined(PATCHNAS_MVE)
/* Not inlined, for the sake of the stack, as above. */
static __attribute__((noinline)) patchnas_mve_plane padded_plane(const patchnas_kernel* kernel,
                                                                 const patchnas_window* input,
                                                                 const patchnas_window* output,
                                                                 patchnas_rect computed,
                                                                 int8_t* scratch) {
  const plane p = plane_of(kernel, computed, scratch);
  const patchnas_taps rows = patchnas_taps_inside(p.row, p.height, kernel->input_height);
  const patchnas_taps cols = patchnas_taps_inside(p.col, p.width, kernel->input_width);
  const patchnas_mve_plane mve = {
      .values = p.values,
      .height = p.height,
      .width = p.width,
      .inside_row = rows.begin,
      .inside_col = cols.begin,
      .inside_rows = rows.end - rows.begin,
      .inside_cols = cols.end - cols.begin,
      .in = patchnas_pixel(input, p.row + rows.begin, p.col + cols.begin),
      .in_row_pitch = input->width * input->channels,
      .out = patchnas_pixel(output, computed.row_begin, computed.col_begin),
      .out_row_pitch = output->width * output->channels,
      .out_rows = computed.row_end - computed.row_begin,
      .out_cols = computed.col_end - computed.col_begin,
      .channels = output->channels};
  return mve;
}

void patchnas_depthwise(const patchnas_kernel* kernel, const patchnas_weights* weights,
                        const patchnas_window* input, const patchnas_window* output,
                        patchnas_rect computed, int8_t* scratch) {
  const patchnas_mve_plane p = padded_plane(kernel, input, output, computed, scratch);
  if (patchnas_mve_convolves_pixels(kernel, &p)) {
    patchnas_mve_convolve_pixels(kernel, weights, &p);
  } else if (patchnas_mve_convolves_strips(kernel, &p)) {
    patchnas_mve_convolve_strips(weights, &p);
  } else if (patchnas_mve_convolves_rows(kernel, &p)) {
    patchnas_mve_convolve_rows(kernel, weights, &p);
  } else if (patchnas_mve_convolves_planes(kernel, &p)) {
    patchnas_mve_convolve_planes(kernel, weights, &p);
  } else {
    convolve_channels(kernel, weights, input, output, computed, scratch, 0);
    return;
  }
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, output, output->channels, computed);
}
#else
#if defined(PATCHNAS_DSP)
/* Not inlined, for the sake of the stack, as above. */
static __attribute__((noinline)) patchnas_dsp_plane padded_plane(const patchnas_kernel* kernel,
                                                                 const patchnas_window* input,
                                                                 const patchnas_window* output,
                                                                 patchnas_rect computed) {
  const plane p = plane_of(kernel, computed, 0);
  const patchnas_dsp_plane dsp = {patchnas_pixel(input, p.row, p.col),
                                  input->channels,
                                  input->width * input->channels,
                                  patchnas_taps_inside(p.row, p.height, kernel->input_height),
                                  patchnas_taps_inside(p.col, p.width, kernel->input_width),
                                  p.height,
                                  patchnas_pixel(output, computed.row_begin, computed.col_begin),
                                  output->channels,
                                  output->width * output->channels,
                                  computed.row_end - computed.row_begin,
                                  computed.col_end - computed.col_begin};
  return dsp;
}

/* Copies the planes of all channels one after the other to the same place. */
typedef enum copied_part { kPadding, kInside } copied_part;

static __attribute__((noinline)) void copy_part(const patchnas_kernel* kernel,
                                                const patchnas_window* input,
                                                patchnas_rect computed, int8_t* scratch,
                                                copied_part part, int32_t value) {
  const plane p = plane_of(kernel, computed, scratch);
  const patchnas_taps rows = patchnas_taps_inside(p.row, p.height, kernel->input_height);
  const patchnas_taps cols = patchnas_taps_inside(p.col, p.width, kernel->input_width);
  if (part == kPadding) { /* of this value */
    fill_padding(&p, rows, cols, (int8_t)value);
  } else { /* of this channel */
    copy_channel(input, patchnas_pixel(input, p.row + rows.begin, p.col + cols.begin) + value, &p,
                 rows, cols);
  }
}

/* Returns which channels it computes where it cannot scale all of them. */
static is_done* convolve(const patchnas_kernel* kernel, const patchnas_weights* weights,
                         const patchnas_window* input, const patchnas_window* output,
                         patchnas_rect computed, int8_t* scratch) {
  const int32_t channels = input->channels;
  patchnas_dsp_plane p = padded_plane(kernel, input, output, computed);
  const int is_apart = patchnas_dsp_is_apart(&p);
  int32_t skipped = 0;
  if (patchnas_dsp_convolves_rows(kernel, &p)) {
    skipped = patchnas_dsp_convolve_rows(kernel, weights, channels, &p);
    return skipped ? patchnas_dsp_rows_scale : 0;
  }
  if (is_apart && patchnas_dsp_convolves_pixels(kernel, channels, &p) &&
      patchnas_dsp_are_exact(weights, 0, channels)) {
    patchnas_dsp_convolve_pixels(kernel, weights, channels, &p);
    return 0;
  }
  if (is_apart || patchnas_dsp_writes_behind(kernel, &p)) {
    skipped = patchnas_dsp_convolve_planes(kernel, weights, channels, 0, channels, &p);
    return skipped ? patchnas_dsp_planes_scale : 0;
  }
  copy_part(kernel, input, computed, scratch, kPadding, weights->input_zero_point);
  p.values = scratch;
  p.pitch = 1;
  p.row_pitch = (p.out_cols - 1) * kernel->stride_w + kernel->width;
  p.rows = patchnas_taps_inside(0, p.height, p.height);
  p.cols = patchnas_taps_inside(0, p.row_pitch, p.row_pitch);
  for (int32_t c = 0; c < channels; ++c, ++p.out) {
    copy_part(kernel, input, computed, scratch, kInside, c);
    skipped += patchnas_dsp_convolve_planes(kernel, weights, channels, c, c + 1, &p);
  }
  return skipped ? patchnas_dsp_planes_scale : 0;
}
#endif

void patchnas_depthwise(const patchnas_kernel* kernel, const patchnas_weights* weights,
                        const patchnas_window* input, const patchnas_window* output,
                        patchnas_rect computed, int8_t* scratch) {
#if defined(PATCHNAS_DSP)
  if (patchnas_dsp_convolves_planes(kernel)) {
    is_done* const done = convolve(kernel, weights, input, output, computed, scratch);
    if (done) {
      convolve_channels(kernel, weights, input, output, computed, scratch, done);
    }
    patchnas_dsp_clamp(weights->clamp_min, weights->clamp_max, output, output->channels, computed);
    return;
  }
#endif
  convolve_channels(kernel, weights, input, output, computed, scratch, 0);
}
#endif
