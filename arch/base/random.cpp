#include "arch/base/random.h"

namespace patchnas {
namespace {

std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

// FNV-1a, 64 bit.
std::uint64_t hash(std::string_view name) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const char c : name) {
    value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return value;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view name)
    : state_(mix(seed + 0x9e3779b97f4a7c15ULL) ^ mix(hash(name))) {}

std::uint64_t RandomStream::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  return mix(state_);
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  const std::uint64_t unbiased_from = (0 - bound) % bound;
  for (;;) {
    const std::uint64_t draw = next();
    if (draw >= unbiased_from) {
      return draw % bound;
    }
  }
}

double RandomStream::uniform() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

}  // namespace patchnas
