/* The machine that this runs on: requests on standard input, answers on standard output. */
#define _POSIX_C_SOURCE 200809L
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "firmware.h"
#include "port.h"

const char port_target[] = "host";
const char port_unit[] = "nanoseconds";

void port_start(void) {}

int port_read(void) { return getchar(); }

void port_write(const char* text, int32_t bytes) {
  fwrite(text, 1, (size_t)bytes, stdout);
  fflush(stdout);
}

uint64_t port_count(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const int8_t* port_constants(int32_t bytes) {
  (void)bytes;
  return NULL;
}

int main(void) {
  firmware_main();
  return 0;
}
