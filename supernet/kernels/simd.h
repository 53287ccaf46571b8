#pragma once

// Vectors of floats with GCC's and Clang's vector extensions, and kernels compiled for several
// instruction sets. Activations are NHWC with channels padded to a multiple of eight, so vectors
// lie along channels: sixteen of them where the machine has such registers, eight for a rest.
//
// A kernel's file is compiled once for every level of instructions (CMakeLists.txt), with
// PATCHNAS_LEVEL_V3 or _V4 defined for all but the base. Include this file last: it sets the
// instruction set of what follows, and standard functions must not come in a version that other
// machines cannot run.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "supernet/kernels/simd_level.h"

#if defined(PATCHNAS_LEVEL_V4)
#define PATCHNAS_LEVEL v4
#pragma GCC target("arch=x86-64-v4")
#elif defined(PATCHNAS_LEVEL_V3)
#define PATCHNAS_LEVEL v3
#pragma GCC target("arch=x86-64-v3")
#else
#define PATCHNAS_LEVEL base
#endif

#define PATCHNAS_INLINE inline __attribute__((always_inline))
/// After the parameters of a lambda.
#define PATCHNAS_INLINE_LAMBDA __attribute__((always_inline))

namespace patchnas::simd::inline PATCHNAS_LEVEL {

/// Channels are padded to a multiple of it.
inline constexpr int kLanes = 8;

constexpr int padded(int channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

// Each vector also as what may lie anywhere in memory, and as the doubles that sums are kept in.
template <int Lanes>
struct Types;
template <>
struct Types<8> {
  using Vector = float __attribute__((vector_size(32)));
  using Unaligned [[gnu::may_alias]] = float __attribute__((vector_size(32), aligned(4)));
  using Doubles = double __attribute__((vector_size(64)));
  using UnalignedDoubles [[gnu::may_alias]] = double __attribute__((vector_size(64), aligned(8)));
};
template <>
struct Types<16> {
  using Vector = float __attribute__((vector_size(64)));
  using Unaligned [[gnu::may_alias]] = float __attribute__((vector_size(64), aligned(4)));
  using Doubles = double __attribute__((vector_size(128)));
  using UnalignedDoubles [[gnu::may_alias]] = double __attribute__((vector_size(128), aligned(8)));
};

template <int Lanes>
using Vec = typename Types<Lanes>::Vector;

template <int Lanes>
PATCHNAS_INLINE Vec<Lanes> splat(float x) {
  return Vec<Lanes>{} + x;
}
template <int Lanes>
PATCHNAS_INLINE Vec<Lanes> load(const float* p) {
  return *reinterpret_cast<const typename Types<Lanes>::Unaligned*>(p);
}
template <int Lanes>
PATCHNAS_INLINE void store(float* p, const Vec<Lanes>& v) {
  *reinterpret_cast<typename Types<Lanes>::Unaligned*>(p) = v;
}
template <int Lanes>
PATCHNAS_INLINE void add_to(double* target, const Vec<Lanes>& v) {
  auto* sums = reinterpret_cast<typename Types<Lanes>::UnalignedDoubles*>(target);
  *sums = *sums + __builtin_convertvector(v, typename Types<Lanes>::Doubles);
}

/// What a kernel may use: lanes of a vector, and vectors that fit the registers.
struct Isa {
#if defined(PATCHNAS_LEVEL_V4)
  static constexpr int kLanes = 16;
  static constexpr int kRegisters = 32;
#else
  static constexpr int kLanes = simd::kLanes;
  static constexpr int kRegisters = 16;
#endif
};

/// A number of lanes as a type.
template <int Lanes>
struct Width {
  static constexpr int value = Lanes;
};

/// Calls visit(Width, channel) for vectors that cover [0, channels).
template <typename Index, typename Visit>
PATCHNAS_INLINE void for_vectors(Index channels, const Visit& visit) {
  Index channel = 0;
  if constexpr (Isa::kLanes > kLanes) {
    for (; channel + Isa::kLanes <= channels; channel += Isa::kLanes) {
      visit(Width<Isa::kLanes>{}, channel);
    }
  }
  for (; channel < channels; channel += kLanes) {
    visit(Width<kLanes>{}, channel);
  }
}

}  // namespace patchnas::simd::inline PATCHNAS_LEVEL

// Defines the kernel `name`, whose work is name##_body, for the level that is being compiled. The
// base also gets what everyone calls: a function that picks the level (simd_level.h).
#if defined(PATCHNAS_LEVEL_V4)
#define PATCHNAS_KERNEL(name, parameters, arguments) \
  void name##_v4 parameters { name##_body arguments; }
#elif defined(PATCHNAS_LEVEL_V3)
#define PATCHNAS_KERNEL(name, parameters, arguments) \
  void name##_v3 parameters { name##_body arguments; }
#elif defined(PATCHNAS_LEVELS)
#define PATCHNAS_KERNEL(name, parameters, arguments) \
  void name##_v4 parameters;                         \
  void name##_v3 parameters;                         \
  void name parameters {                             \
    switch (simd::level()) {                         \
      case simd::Level::kV4:                         \
        return name##_v4 arguments;                  \
      case simd::Level::kV3:                         \
        return name##_v3 arguments;                  \
      case simd::Level::kBase:                       \
        return name##_body arguments;                \
    }                                                \
  }
#else
#define PATCHNAS_KERNEL(name, parameters, arguments) \
  void name parameters { name##_body arguments; }
#endif
