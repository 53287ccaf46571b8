/* Which instructions the kernels are written in, chosen when they are compiled:
 *
 *   PATCHNAS_MVE        Helium (Cortex-M55)
 *   PATCHNAS_DSP        the DSP extension (Cortex-M4, M7 and, beside Helium, M55)
 *   neither             portable C, also with -DPATCHNAS_PORTABLE, and where multiply-accumulates
 *                       are counted (-DPATCHNAS_COUNT_MACS) */
#ifndef PATCHNAS_RUNTIME_SIMD_H
#define PATCHNAS_RUNTIME_SIMD_H

#include <stdint.h>

/* The DSP form needs all registers, which compilers keep for themselves without optimisation. */
#if !defined(PATCHNAS_PORTABLE) && !defined(PATCHNAS_COUNT_MACS) && defined(__GNUC__) && \
    defined(__OPTIMIZE__)
#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_UNALIGNED) && \
    !defined(__ARM_BIG_ENDIAN) && defined(__thumb2__)
#define PATCHNAS_DSP 1
#endif
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define PATCHNAS_MVE 1
#endif
#endif

#endif
