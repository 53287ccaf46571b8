#include "board.h"

#include <stddef.h>

/* Set by the linker script. */
extern uint32_t board_bss_begin[], board_bss_end[], board_stack_limit[], board_stack_top[];

static void reset(void);
static void fault(void);

/* The processor starts with the stack pointer and the address in the first two words. */
__attribute__((section(".vectors"), used)) static const void* const vectors[16] = {
    board_stack_top,    (const void*)reset, (const void*)fault, (const void*)fault,
    (const void*)fault, (const void*)fault, (const void*)fault, (const void*)fault};

/* --- semihosting: operation and the address of its arguments in r0 and r1 -------------------- */

enum {
  kOpen = 0x01,
  kClose = 0x02,
  kWrite = 0x05,
  kRead = 0x06,
  kFlagReadBinary = 1,
  kFlagWriteText = 4,
  kFlagWriteBinary = 5,
  kCommandLine = 0x15,
  kExit = 0x20,
  kApplicationExit = 0x20026
};

static int32_t semihost(int32_t operation, const void* arguments) {
  register int32_t r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = arguments;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static uint32_t length(const char* text) {
  uint32_t n = 0;
  while (text[n] != 0) {
    ++n;
  }
  return n;
}

static int32_t open_file(const char* name, uint32_t mode) {
  const uint32_t arguments[3] = {(uint32_t)name, mode, length(name)};
  return semihost(kOpen, arguments);
}

static int32_t close_file(int32_t file) {
  const int32_t arguments[1] = {file};
  return semihost(kClose, arguments);
}

/* Reading and writing return how many bytes they left out. */
static int32_t transfer(int32_t operation, int32_t file, const void* bytes, int32_t count) {
  const uint32_t arguments[3] = {(uint32_t)file, (uint32_t)bytes, (uint32_t)count};
  return semihost(operation, arguments);
}

void board_write(const char* text) {
  static int32_t console = -1;
  if (console < 0) {
    console = open_file(":tt", kFlagWriteText); /* the emulator's standard output */
  }
  transfer(kWrite, console, text, (int32_t)length(text));
}

void board_write_number(uint64_t number) {
  char text[21];
  char* first = text + sizeof text - 1;
  *first = 0;
  do {
    *--first = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  board_write(first);
}

int32_t board_read_file(const char* name, void* bytes, int32_t capacity) {
  const int32_t file = open_file(name, kFlagReadBinary);
  if (file < 0) {
    return -1;
  }
  const int32_t left = transfer(kRead, file, bytes, capacity);
  close_file(file);
  return left < 0 || left > capacity ? -1 : capacity - left;
}

int32_t board_write_file(const char* name, const void* bytes, int32_t count) {
  const int32_t file = open_file(name, kFlagWriteBinary);
  if (file < 0) {
    return -1;
  }
  const int32_t left = transfer(kWrite, file, bytes, count);
  return close_file(file) == 0 && left == 0 ? 0 : -1;
}

void board_exit(int code) {
  const uint32_t arguments[2] = {kApplicationExit, (uint32_t)code};
  for (;;) {
    semihost(kExit, arguments);
  }
}

/* --- instructions ----------------------------------------------------------------------------- */

/* With -icount shift=6 an instruction takes 64 ns. */
#if defined(__ARM_FEATURE_MVE)
/* The counter of the SSE-300: 32 MHz, 2.048 ticks an instruction. */
enum { kTickNumerator = 125, kTickDenominator = 256 };
static volatile uint32_t* const timer_control = (volatile uint32_t*)0x58100000;
static volatile uint32_t* const timer_value = (volatile uint32_t*)0x58100008;
static uint32_t ticks(void) { return *timer_value; }
static void start_timer(void) { *timer_control = 1; }
#else
/* CMSDK timer 0: 25 MHz, 1.6 ticks an instruction, counting down. */
enum { kTickNumerator = 5, kTickDenominator = 8 };
static volatile uint32_t* const timer_control = (volatile uint32_t*)0x40000000;
static volatile uint32_t* const timer_value = (volatile uint32_t*)0x40000004;
static volatile uint32_t* const timer_reload = (volatile uint32_t*)0x40000008;
static uint32_t ticks(void) { return 0xffffffffu - *timer_value; }
static void start_timer(void) {
  *timer_reload = 0xffffffffu;
  *timer_value = 0xffffffffu;
  *timer_control = 1;
}
#endif

uint64_t board_instructions(void) {
  static int started;
  static uint32_t last;
  static uint64_t total;
  if (!started) {
    started = 1;
    start_timer();
    last = ticks();
  }
  const uint32_t now = ticks();
  total += now - last;
  last = now;
  return total * kTickNumerator / kTickDenominator;
}

/* --- the stack -------------------------------------------------------------------------------- */

#define UNUSED 0xa5c3965au

static uint32_t* marked_below;

__attribute__((noinline)) void board_mark_stack(void) {
  uint32_t* const here = (uint32_t*)__builtin_frame_address(0);
  marked_below = here;
  for (volatile uint32_t* word = board_stack_limit; word < here - 16; ++word) {
    *word = UNUSED;
  }
}

uint32_t board_stack_bytes(void) {
  const volatile uint32_t* word = board_stack_limit;
  while (word < marked_below && *word == UNUSED) {
    ++word;
  }
  return (uint32_t)((const char*)marked_below - (const char*)word);
}

/* --- start --------------------------------------------------------------------------------------
 */

enum { kMostArguments = 16 };
static char command_line[1024];
static char* arguments[kMostArguments + 1];

static int split_command_line(void) {
  uint32_t block[2] = {(uint32_t)command_line, sizeof command_line};
  int count = 0;
  if (semihost(kCommandLine, block) != 0) {
    return 0;
  }
  for (char* at = command_line; *at != 0 && count < kMostArguments;) {
    arguments[count++] = at;
    while (*at != 0 && *at != ' ') {
      ++at;
    }
    while (*at == ' ') {
      *at++ = 0;
    }
  }
  return count;
}

__attribute__((noreturn, used)) static void start(void) {
  for (uint32_t* word = board_bss_begin; word < board_bss_end; ++word) {
    *word = 0;
  }
  const int count = split_command_line();
  board_exit(main(count, arguments));
}

/* Floating point and vector instructions are off after a reset, and compiled code may use them
 * anywhere. */
__attribute__((naked)) static void reset(void) {
  __asm__ volatile(
      "ldr r0, =0xe000ed88 \n"
      "ldr r1, [r0] \n"
      "orr r1, r1, #0x00f00000 \n"
      "str r1, [r0] \n"
      "dsb \n"
      "isb \n"
      "b start \n");
}

static void fault(void) {
  board_write("the processor has faulted\n");
  board_exit(70);
}
