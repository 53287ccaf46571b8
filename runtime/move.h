/* Bytes that are moved or filled, for kernels that do so: patchnas_move, and these. */
#ifndef PATCHNAS_RUNTIME_MOVE_H
#define PATCHNAS_RUNTIME_MOVE_H

#include "runtime/patchnas_runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

void patchnas_fill(int8_t* to, int32_t bytes, int8_t value);

/* `count` pieces of `bytes` each, to where they are apart from; pitches are from piece to piece. */
void patchnas_move_pieces(int8_t* to, int32_t to_pitch, const int8_t* from, int32_t from_pitch,
                          int32_t bytes, int32_t count);

#ifdef __cplusplus
}
#endif
#endif
