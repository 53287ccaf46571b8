/* The emulated boards of runtime/boards/: the first UART of the board, and executed instructions.
 */
#include <stddef.h>

#include "board.h"
#include "firmware.h"
#include "port.h"

#if defined(__ARM_FEATURE_MVE)
const char port_target[] = "cortex-m55";
#define UART 0x59303000u
#elif defined(__ARM_FEATURE_FMA) && __ARM_FP & 8
const char port_target[] = "cortex-m7";
#define UART 0x40004000u
#else
const char port_target[] = "cortex-m4";
#define UART 0x40004000u
#endif
const char port_unit[] = "instructions";

/* Arm's CMSDK UART. */
static volatile uint32_t* const uart_data = (volatile uint32_t*)UART;
static volatile uint32_t* const uart_state = (volatile uint32_t*)(UART + 4);
static volatile uint32_t* const uart_control = (volatile uint32_t*)(UART + 8);
static volatile uint32_t* const uart_divider = (volatile uint32_t*)(UART + 16);
enum { kSendFull = 1, kReceiveFull = 2, kSendAndReceive = 3, kLeastDivider = 16 };

void port_start(void) {
  *uart_divider = kLeastDivider;
  *uart_control = kSendAndReceive;
}

int port_read(void) {
  while ((*uart_state & kReceiveFull) == 0) {
  }
  return (int)(*uart_data & 0xff);
}

void port_write(const char* text, int32_t bytes) {
  for (int32_t i = 0; i < bytes; ++i) {
    while ((*uart_state & kSendFull) != 0) {
    }
    *uart_data = (uint32_t)(uint8_t)text[i];
  }
}

uint64_t port_count(void) { return board_instructions(); }

const int8_t* port_constants(int32_t bytes) {
  (void)bytes;
  return NULL;
}

int main(int argc, char** argv) {
  (void)argc, (void)argv;
  firmware_main();
  return 0;
}
