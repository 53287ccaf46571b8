/* A Cortex-M3 or later with a cycle counter. The board's own code starts the clocks and one UART,
 * gives the three functions below, and calls firmware_main(). Compile with
 * -DPORT_TARGET='"NAME"', the name of the board in the latency table. */
#include "firmware.h"
#include "port.h"

/* The next byte received, waiting for it. */
int board_uart_read(void);
void board_uart_write(const char* text, int32_t bytes);
/* At least `bytes` bytes of flash at the address where the program's constants lie: the beginning
 * of the program will do, since any bytes are weights. Null where the flash has fewer. */
const int8_t* board_flash(int32_t bytes);

const char port_target[] = PORT_TARGET;
const char port_unit[] = "cycles";

static volatile uint32_t* const debug_control = (volatile uint32_t*)0xe000edfc;
static volatile uint32_t* const dwt_control = (volatile uint32_t*)0xe0001000;
static volatile uint32_t* const dwt_cycles = (volatile uint32_t*)0xe0001004;
static volatile uint32_t* const dwt_lock = (volatile uint32_t*)0xe0001fb0;

void port_start(void) {
  *debug_control |= 1u << 24; /* TRCENA */
  *dwt_lock = 0xc5acce55u;    /* Cortex-M7 */
  *dwt_cycles = 0;
  *dwt_control |= 1u; /* CYCCNTENA */
}

int port_read(void) { return board_uart_read(); }
void port_write(const char* text, int32_t bytes) { board_uart_write(text, bytes); }

/* The counter has 32 bits: it must be read at least once in 2^32 cycles. */
uint64_t port_count(void) {
  static uint32_t last;
  static uint64_t total;
  const uint32_t now = *dwt_cycles;
  total += now - last;
  last = now;
  return total;
}

const int8_t* port_constants(int32_t bytes) { return board_flash(bytes); }
