#ifndef PATCHNAS_FIRMWARE_H
#define PATCHNAS_FIRMWARE_H

/* Answers requests (firmware.c) until the line ends. */
void firmware_main(void);

#endif
