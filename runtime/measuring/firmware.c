/* Measures operators on the machine that it runs on, asked over a serial line.
 *
 * A line is "TEXT*CCCC\n", with the CRC-16/CCITT of TEXT in four hexadecimal digits. The text of a
 * request is a number and a command, that of its answer the same number and "ok" or "error":
 *
 *   1 hello                                  1 ok 1 TARGET UNIT KERNELS
 *   2 run KERNEL KH KW SH SW PT PL IH IW IC OH OW OC REPEATS
 *                                            2 ok COST...     one a repeat
 *   3 package INDEX REPEATS                  3 ok COST...     a whole program (calibration.h)
 *                                            3 error TEXT
 *
 * After a reset comes "0 ready". Requests may be repeated: they leave nothing behind. */
#include "firmware.h"

#include "calibration.h"
#include "port.h"
#include "runtime/patchnas_runtime.h"

#ifndef FIRMWARE_MEMORY_BYTES
#define FIRMWARE_MEMORY_BYTES (3 << 20)
#endif
#ifndef FIRMWARE_KERNELS
#define FIRMWARE_KERNELS "unknown"
#endif

enum { kProtocol = 1, kLineBytes = 160, kMostRepeats = 8, kMostWords = 18, kMostSamples = 256 };

static int8_t memory[FIRMWARE_MEMORY_BYTES] __attribute__((aligned(16)));

/* ----- text ----------------------------------------------------------------------------------- */

static int is_equal(const char* a, const char* b) {
  while (*a != 0 && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

static uint32_t checksum(const char* text, int32_t bytes) {
  uint32_t crc = 0xffff;
  for (int32_t i = 0; i < bytes; ++i) {
    crc ^= (uint32_t)(uint8_t)text[i] << 8;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 0x8000u) != 0 ? crc << 1 ^ 0x1021u : crc << 1;
    }
  }
  return crc & 0xffff;
}

typedef struct line {
  char text[kLineBytes + 8];
  int32_t bytes;
} line;

static void append(line* to, const char* text) {
  for (; *text != 0 && to->bytes < kLineBytes; ++text) {
    to->text[to->bytes++] = *text;
  }
}

static void append_number(line* to, uint64_t number) {
  char digits[21];
  char* first = digits + sizeof digits - 1;
  *first = 0;
  do {
    *--first = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  append(to, first);
}

static void send(line* answer) {
  uint32_t crc = checksum(answer->text, answer->bytes);
  answer->text[answer->bytes++] = '*';
  for (int digit = 0; digit < 4; ++digit, crc <<= 4) {
    answer->text[answer->bytes++] = "0123456789abcdef"[crc >> 12 & 15];
  }
  answer->text[answer->bytes++] = '\n';
  port_write(answer->text, answer->bytes);
}

/* The text of the next good line, ended by a 0; others are passed over. 0 at the end of all. */
static int receive(line* request) {
  for (;;) {
    int c = port_read();
    request->bytes = 0;
    while (c >= 0 && c != '\n') {
      if (request->bytes < kLineBytes) {
        request->text[request->bytes++] = (char)c;
      }
      c = port_read();
    }
    if (c < 0) {
      return 0;
    }
    const int32_t text = request->bytes - 5;
    if (text < 1 || request->text[text] != '*') {
      continue;
    }
    uint32_t crc = 0;
    for (int32_t i = text + 1; i < request->bytes; ++i) {
      const char digit = request->text[i];
      crc = crc << 4 | (uint32_t)(digit >= 'a' ? digit - 'a' + 10 : digit - '0');
    }
    if (crc == checksum(request->text, text)) {
      request->text[text] = 0;
      return 1;
    }
  }
}

static int32_t split(char* text, const char** words) {
  int32_t count = 0;
  while (*text != 0 && count < kMostWords) {
    words[count++] = text;
    while (*text != 0 && *text != ' ') {
      ++text;
    }
    while (*text == ' ') {
      *text++ = 0;
    }
  }
  return count;
}

/* -1 if it is no number of int32. */
static int32_t number_of(const char* word) {
  int64_t value = 0;
  if (*word == 0) {
    return -1;
  }
  for (; *word != 0; ++word) {
    if (*word < '0' || *word > '9' || value > INT32_MAX / 10) {
      return -1;
    }
    value = 10 * value + (*word - '0');
  }
  return value > INT32_MAX ? -1 : (int32_t)value;
}

/* ----- operators ------------------------------------------------------------------------------ */

static const char* const kernel_names[] = {"convolve",
                                           "pointwise",
                                           "depthwise",
                                           "depthwise_over_input",
                                           "add",
                                           "average_pool",
                                           "max_pool",
                                           "fully_connected",
                                           "softmax",
                                           "mean",
                                           "sum_pixels",
                                           "sum_products",
                                           "average_of_sums",
                                           "mean_of_sums",
                                           "connected_of_sums",
                                           "move",
                                           "combine",
                                           "lookup",
                                           "resize",
                                           "copy",
                                           "copy_channels",
                                           "convolve_groups",
                                           "convolve_transposed",
                                           "pad"};
enum {
  kConvolve,
  kPointwise,
  kDepthwise,
  kDepthwiseOverInput,
  kAdd,
  kAveragePool,
  kMaxPool,
  kFullyConnected,
  kSoftmax,
  kMean,
  kSumPixels,
  kSumProducts,
  kAverageOfSums,
  kMeanOfSums,
  kConnectedOfSums,
  kMove,
  kCombine,
  kLookup,
  kResize,
  kCopy,
  kCopyChannels,
  kConvolveGroups,
  kConvolveTransposed,
  kPad,
  kKernels
};

typedef struct operator{
  int32_t kernel;
  patchnas_kernel window;
  patchnas_weights weights;
  patchnas_window in, second, out;
  patchnas_rect computed;
  int8_t* scratch;
}
operator;

static int64_t used;

/* Null if there is no room. */
static int8_t* allocate(int64_t bytes) {
  int8_t* const at = memory + used;
  used += (bytes + 15) / 16 * 16;
  return used <= FIRMWARE_MEMORY_BYTES ? at : (int8_t*)0;
}

static int32_t channels_of_weights(const operator* o) { return o->out.channels; }

static int64_t weight_bytes(const operator* o) {
  const int64_t taps = (int64_t)o->window.height * o->window.width;
  switch (o->kernel) {
    case kDepthwise:
    case kDepthwiseOverInput:
      return taps * o->out.channels;
    case kConvolve:
    case kConvolveGroups:
    case kConvolveTransposed:
    case kPointwise:
    case kFullyConnected:
      return taps * o->in.channels * o->out.channels;
    case kSumProducts:
      return (int64_t)o->computed.row_end * o->computed.col_end * o->in.channels * o->out.channels;
    default:
      return 0;
  }
}

/* Typical values: factors below 1/2, small biases, no clamp beyond int8. */
static int set_weights(operator* o) {
  const int32_t channels = channels_of_weights(o);
  const int64_t bytes = weight_bytes(o);
  int32_t* const biases = (int32_t*)(void*)allocate(4 * (int64_t)channels);
  int32_t* const multipliers = (int32_t*)(void*)allocate(4 * (int64_t)channels);
  int8_t* const shifts = allocate(channels);
  const int8_t* weights = bytes <= INT32_MAX ? port_constants((int32_t)bytes) : (const int8_t*)0;
  if (weights == 0) {
    weights = allocate(bytes);
  }
  if (biases == 0 || multipliers == 0 || shifts == 0 || weights == 0) {
    return 0;
  }
  for (int32_t c = 0; c < channels; ++c) {
    biases[c] = 17 * c - 1000;
    multipliers[c] = (1 << 30) + 12345 * c;
    shifts[c] = -8;
  }
  const patchnas_weights w = {weights, biases, multipliers, shifts, -3, 5, -128, 127, channels};
  o->weights = w;
  return 1;
}

/* From the numbers of the request; 0 if there is no room. A window's first pixel is (0, 0) of its
 * tensor; taps before and behind it are outside the image. */
static int set_up(operator* o, const int32_t* n) {
  const patchnas_kernel window = {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]};
  const int32_t in_channels = n[8], out_rows = n[9], out_cols = n[10], out_channels = n[11];
  const patchnas_rect computed = {0, out_rows, 0, out_cols};
  /* Pixels of a pointwise convolution that has rows do not lie side by side. */
  const int32_t apart = o->kernel == kPointwise && out_rows > 1 ? 1 : 0;
  const int64_t in_pixels = (int64_t)window.input_height * (window.input_width + apart);
  const int64_t out_pixels = (int64_t)out_rows * (out_cols + apart);
  const int64_t in_bytes = in_pixels * in_channels;
  const int64_t out_bytes = out_pixels * out_channels;
  o->window = window;
  o->computed = computed;
  used = 0;
  const int64_t scratch_bytes = patchnas_depthwise_scratch_bytes(
      out_rows, out_cols, window.height, window.width, window.stride_h, window.stride_w);
  int8_t* const in = allocate(in_bytes > out_bytes ? in_bytes : out_bytes);
  int8_t* const second = o->kernel == kAdd || o->kernel == kCombine ? allocate(in_bytes) : in;
  const int in_place = o->kernel == kMove || o->kernel == kDepthwiseOverInput;
  int8_t* const out = in_place ? in : allocate(out_bytes);
  o->scratch = o->kernel == kDepthwise || o->kernel == kDepthwiseOverInput ? allocate(scratch_bytes)
                                                                           : memory;
  if (o->kernel >= kSumPixels && o->kernel <= kConnectedOfSums) {
    o->scratch = allocate(4 * (int64_t)out_channels); /* sums */
  }
  const patchnas_window of_in = {in, 0, 0, window.input_width + apart, in_channels};
  const patchnas_window of_second = {second, 0, 0, window.input_width + apart, in_channels};
  const patchnas_window of_out = {out, 0, 0, out_cols + apart, out_channels};
  o->in = of_in;
  o->second = of_second;
  o->out = of_out;
  return in != 0 && second != 0 && out != 0 && o->scratch != 0 && set_weights(o);
}

/* Copies of the first pixel: as fast as those of others. */
static void resize(const operator* o) {
  static const patchnas_sample samples[kMostSamples];
  const patchnas_resizing resizing = {samples, samples};
  if (o->computed.row_end <= kMostSamples && o->computed.col_end <= kMostSamples) {
    patchnas_resize(&resizing, &o->in, &o->out, o->computed);
  }
}

static void execute(const operator* o) {
  static const patchnas_add_scales scales = {
      {-3, 5}, {1 << 30, 1500000000}, {0, -1}, -7, 1200000000, -18, -128, 127};
  static const patchnas_mean_scale mean = {-3, 1200000000, -4, 5};
  static const patchnas_table table = {{1, 2, 3}};
  switch (o->kernel) {
    case kConvolve:
      patchnas_convolve(&o->window, &o->weights, &o->in, &o->out, o->computed);
      break;
    case kPointwise:
      patchnas_pointwise(&o->weights, &o->in, &o->out, o->computed);
      break;
    case kDepthwise:
    case kDepthwiseOverInput:
      patchnas_depthwise(&o->window, &o->weights, &o->in, &o->out, o->computed, o->scratch);
      break;
    case kSumPixels:
      patchnas_sum_pixels((int32_t*)(void*)o->scratch, &o->in, o->computed);
      break;
    case kSumProducts:
      patchnas_sum_products(&o->weights, o->computed.row_end, o->computed.col_end,
                            (int32_t*)(void*)o->scratch, o->out.channels, &o->in, o->computed);
      break;
    case kConnectedOfSums:
      patchnas_connected_of_sums(&o->weights, (int32_t*)(void*)o->scratch, o->out.data,
                                 o->out.channels);
      break;
    case kAverageOfSums:
      patchnas_average_of_sums((int32_t*)(void*)o->scratch, 49, -128, 127, o->out.data,
                               o->out.channels);
      break;
    case kMeanOfSums:
      patchnas_mean_of_sums(&mean, (int32_t*)(void*)o->scratch, 49, o->out.data, o->out.channels);
      break;
    case kMove:
      patchnas_move(o->out.data, o->in.data + 4, o->computed.col_end * o->in.channels);
      break;
    case kConvolveGroups: {
      const patchnas_groups groups = {o->window, 1, 1, 1};
      patchnas_convolve_groups(&groups, &o->weights, &o->in, &o->out, o->computed);
      break;
    }
    case kConvolveTransposed: { /* of stride 1: every tap hits */
      patchnas_kernel window = o->window;
      window.pad_top = window.height - 1;
      window.pad_left = window.width - 1;
      patchnas_convolve_transposed(&window, &o->weights, &o->in, &o->out, o->computed);
      break;
    }
    case kCombine: {
      const patchnas_combination product = {PATCHNAS_MULTIPLY, 0, scales};
      patchnas_combine(&product, &o->in, &o->second, &o->out, o->computed);
      break;
    }
    case kLookup:
      patchnas_lookup(&table, &o->in, &o->out, o->computed);
      break;
    case kResize:
      resize(o);
      break;
    case kCopy: {
      const int32_t bytes = o->computed.col_end * o->in.channels;
      const patchnas_copy_shape shape = {{1, 1, bytes}, {0, 0, 1}, {0, 0, 1}, 0, 0, 0, 0};
      patchnas_copy(&shape, o->in.data, 0, o->out.data);
      break;
    }
    case kPad: {
      const patchnas_margins margins = {0, 0, o->computed.row_end, o->computed.col_end, 0};
      patchnas_pad(&margins, &o->in, &o->out, o->computed);
      break;
    }
    case kCopyChannels: {
      const int32_t count = o->in.channels < o->out.channels ? o->in.channels : o->out.channels;
      patchnas_copy_channels(0, 0, count, 0, &o->in, &o->out, &o->out, o->computed);
      break;
    }
    case kAdd:
      patchnas_add(&scales, &o->in, &o->second, &o->out, o->computed);
      break;
    case kAveragePool:
      patchnas_average_pool(&o->window, -128, 127, &o->in, &o->out, o->computed);
      break;
    case kMaxPool:
      patchnas_max_pool(&o->window, -128, 127, &o->in, &o->out, o->computed);
      break;
    case kMean:
      patchnas_mean(&o->window, &mean, &o->in, &o->out, o->computed);
      break;
    case kFullyConnected:
      patchnas_fully_connected(&o->weights, o->in.data, o->in.channels, o->out.data,
                               o->out.channels);
      break;
    default:
      patchnas_softmax(1500000000, 22, -200, o->in.data, o->out.data,
                       o->computed.row_end * o->computed.col_end, o->in.channels);
  }
}

/* ----- commands ------------------------------------------------------------------------------- */

/* What reading the counter twice costs. */
static uint64_t cost_of_counting(void) {
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < 16; ++i) {
    const uint64_t before = port_count();
    const uint64_t cost = port_count() - before;
    least = cost < least ? cost : least;
  }
  return least;
}

static void add_cost(line* answer, uint64_t cost, uint64_t counting) {
  append(answer, " ");
  append_number(answer, cost > counting ? cost - counting : 1);
}

static const char* run(line* answer, const char** words, int32_t count) {
  int32_t numbers[13];
  operator o;
  if (count != 14) {
    return "run needs a kernel and 13 numbers";
  }
  for (o.kernel = 0; o.kernel < kKernels; ++o.kernel) {
    if (is_equal(words[0], kernel_names[o.kernel])) {
      break;
    }
  }
  if (o.kernel == kKernels) {
    return "no such kernel";
  }
  for (int32_t i = 0; i < 13; ++i) {
    numbers[i] = number_of(words[i + 1]);
    if (numbers[i] < (i == 4 || i == 5 ? 0 : 1)) {
      return "a number is out of range";
    }
  }
  if (numbers[12] > kMostRepeats) {
    return "too many repeats";
  }
  if (!set_up(&o, numbers)) {
    return "no room for this operator";
  }
  const uint64_t counting = cost_of_counting();
  append(answer, "ok");
  for (int32_t i = 0; i < numbers[12]; ++i) {
    const uint64_t before = port_count();
    execute(&o);
    add_cost(answer, port_count() - before, counting);
  }
  return 0;
}

static const char* package(line* answer, const char** words, int32_t count) {
  const int32_t index = count == 2 ? number_of(words[0]) : -1;
  const int32_t repeats = count == 2 ? number_of(words[1]) : -1;
  if (index < 0 || index >= CALIBRATION_PACKAGES || repeats < 1 || repeats > kMostRepeats) {
    return "package needs an index and repeats";
  }
  const uint64_t counting = cost_of_counting();
  append(answer, "ok");
  for (int32_t i = 0; i < repeats; ++i) {
    const uint64_t before = port_count();
    calibration_invoke(index, memory);
    add_cost(answer, port_count() - before, counting);
  }
  return 0;
}

static void answer_to(line* request) {
  const char* words[kMostWords];
  const int32_t count = split(request->text, words);
  const char* const command = count > 1 ? words[1] : "";
  line answer;
  answer.bytes = 0;
  append(&answer, words[0]);
  append(&answer, " ");
  const int32_t begin = answer.bytes;
  const char* error = "no such command";
  if (is_equal(command, "hello")) {
    append(&answer, "ok ");
    append_number(&answer, kProtocol);
    append(&answer, " ");
    append(&answer, port_target);
    append(&answer, " ");
    append(&answer, port_unit);
    append(&answer, " ");
    append(&answer, FIRMWARE_KERNELS);
    error = 0;
  } else if (is_equal(command, "run")) {
    error = run(&answer, words + 2, count - 2);
  } else if (is_equal(command, "package")) {
    error = package(&answer, words + 2, count - 2);
  }
  if (error != 0) {
    answer.bytes = begin;
    append(&answer, "error ");
    append(&answer, error);
  }
  send(&answer);
}

void firmware_main(void) {
  line request;
  port_start();
  request.bytes = 0;
  append(&request, "0 ready");
  send(&request);
  while (receive(&request)) {
    answer_to(&request);
  }
}
