#pragma once

// Eight floats at a time with GCC's and Clang's vector extensions; activations are NHWC with
// channels padded to a multiple of eight, so vectors lie along channels and no loop has a tail.

#include <cstddef>
#include <cstdint>
#include <cstring>

// One compiled version of a kernel for every instruction set worth having; the loader picks. Only
// the entry points of a kernel carry this, and everything they call is inlined into them.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define PATCHNAS_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PATCHNAS_CLONES
#endif
#define PATCHNAS_INLINE inline __attribute__((always_inline))

namespace patchnas::simd {

inline constexpr int kLanes = 8;

constexpr int padded(int channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

using Vec = float __attribute__((vector_size(kLanes * sizeof(float))));
/// For loads and stores: no alignment beyond float's.
using VecUnaligned [[gnu::may_alias]] =
    float __attribute__((vector_size(kLanes * sizeof(float)), aligned(4)));

PATCHNAS_INLINE Vec splat(float x) { return Vec{x, x, x, x, x, x, x, x}; }
PATCHNAS_INLINE Vec load(const float* p) { return *reinterpret_cast<const VecUnaligned*>(p); }
PATCHNAS_INLINE void store(float* p, const Vec& v) { *reinterpret_cast<VecUnaligned*>(p) = v; }

}  // namespace patchnas::simd
