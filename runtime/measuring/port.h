/* What the measuring firmware needs of the machine that it runs on. port_emulator.c, port_host.c
 * and port_cortex_m.c are such machines. */
#ifndef PATCHNAS_PORT_H
#define PATCHNAS_PORT_H

#include <stdint.h>

/* "cortex-m4", …; "instructions", "cycles" or "nanoseconds". */
extern const char port_target[];
extern const char port_unit[];

/* Once, first of all. */
void port_start(void);

/* The next byte of the serial line, waiting for it; -1 where the line has ended. */
int port_read(void);
void port_write(const char* text, int32_t bytes);

/* In the unit above, since any time. */
uint64_t port_count(void);

/* `bytes` readable bytes where a program's constants lie, as weights do on a device, or a null
 * pointer where that makes no difference. */
const int8_t* port_constants(int32_t bytes);

#endif
