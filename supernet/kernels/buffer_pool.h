#pragma once

// Float buffers that are used again: fresh memory costs a page fault every 4 KiB, at every step.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <new>
#include <vector>

#include "supernet/kernels/aligned_floats.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace patchnas::kernels {

/// Returns to its pool when the last copy goes. Not thread-safe, and must not outlive the pool.
using Buffer = std::shared_ptr<float>;

class BufferPool {
 public:
  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// At least `size` floats, uninitialised, from the start of a cache line: the smallest free
  /// buffer that is large enough.
  Buffer take(std::size_t size) {
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->size >= size && (best == free_.end() || it->size < best->size)) {
        best = it;
      }
    }
    Block block;
    if (best == free_.end()) {
      if (!free_.empty()) {
        // Grow instead of collecting sizes that nobody asks for again.
        free_.erase(std::max_element(free_.begin(), free_.end(), smaller));
      }
      block = allocate(size);
    } else {
      block = std::move(*best);
      free_.erase(best);
    }
    float* data = block.data.get();
    auto held = std::make_shared<Block>(std::move(block));
    return Buffer(data, [this, held](float*) { free_.push_back(std::move(*held)); });
  }

 private:
  static constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

  struct Free {
    std::size_t alignment;
    void operator()(float* data) const { ::operator delete(data, std::align_val_t(alignment)); }
  };
  struct Block {
    std::unique_ptr<float, Free> data{nullptr, Free{kHugePageBytes}};
    std::size_t size = 0;
  };
  static bool smaller(const Block& a, const Block& b) { return a.size < b.size; }

  // Large ones from huge pages where the system has them: hundreds of times fewer page faults and
  // address translations.
  static Block allocate(std::size_t size) {
    const bool large = size * sizeof(float) >= kHugePageBytes;
    const std::size_t alignment = large ? kHugePageBytes : kCacheLineBytes;
    const std::size_t bytes = (size * sizeof(float) + alignment - 1) / alignment * alignment;
    auto* data = static_cast<float*>(::operator new(bytes, std::align_val_t(alignment)));
#if defined(__linux__)
    if (large) {
      madvise(data, bytes, MADV_HUGEPAGE);  // advice: no harm if it is not taken
    }
#endif
    return {{data, Free{alignment}}, bytes / sizeof(float)};
  }

  std::vector<Block> free_;
};

}  // namespace patchnas::kernels
