/* What a program needs of an emulated board: text, files and an exit code through semihosting, an
 * exact count of executed instructions, and the depth of the stack. README.md says how to build and
 * start one. */
#ifndef PATCHNAS_BOARD_H
#define PATCHNAS_BOARD_H

#include <stdint.h>

/* The words of the emulator's command line (semihosting `arg=`) arrive in main's argv. */
int main(int argc, char** argv);

/* To standard output. */
void board_write(const char* text);
/* As decimal digits. */
void board_write_number(uint64_t number);

/* Bytes read, at most `capacity`; -1 if the file cannot be read. */
int32_t board_read_file(const char* name, void* bytes, int32_t capacity);
/* 0, or -1 if the file cannot be written. */
int32_t board_write_file(const char* name, const void* bytes, int32_t count);

/* Ends the emulator with this exit code; returning from main does so as well. */
void board_exit(int code) __attribute__((noreturn));

/* Instructions executed since the first call, exact to one or two; needs QEMU's -icount shift=6 and
 * a call at least every 2,000,000,000 instructions. */
uint64_t board_instructions(void);

/* Marks all of the stack below the caller as unused; afterwards board_stack_bytes() is how many
 * bytes below the caller of board_mark_stack have been written, at least 64. */
void board_mark_stack(void);
uint32_t board_stack_bytes(void);

#endif
