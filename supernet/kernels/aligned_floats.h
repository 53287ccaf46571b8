#pragma once

// Floats that start at a cache line, so that a vector does not lie across two.

#include <cstddef>
#include <new>
#include <vector>

namespace patchnas::kernels {

inline constexpr std::size_t kCacheLineBytes = 64;

template <typename T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <typename U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}  // NOLINT: allocators convert
  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(kCacheLineBytes)));
  }
  void deallocate(T* data, std::size_t count) {
    ::operator delete(data, count * sizeof(T), std::align_val_t(kCacheLineBytes));
  }
  bool operator==(const CacheLineAllocator&) const = default;
};

using AlignedFloats = std::vector<float, CacheLineAllocator<float>>;

}  // namespace patchnas::kernels
