#pragma once

// Float buffers that are used again: fresh memory costs a page fault every 4 KiB, at every step.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <vector>

namespace patchnas::fused {

/// Returns to its pool when the last copy goes. Not thread-safe, and must not outlive the pool.
using Buffer = std::shared_ptr<float>;

class BufferPool {
 public:
  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// At least `size` floats, uninitialised: the smallest free buffer that is large enough.
  Buffer take(std::size_t size) {
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->size >= size && (best == free_.end() || it->size < best->size)) {
        best = it;
      }
    }
    Block block;
    if (best == free_.end()) {
      block = {std::make_unique_for_overwrite<float[]>(size), size};
      if (!free_.empty()) {
        // Grow instead of collecting sizes that nobody asks for again.
        free_.erase(std::max_element(free_.begin(), free_.end(), smaller));
      }
    } else {
      block = std::move(*best);
      free_.erase(best);
    }
    float* data = block.data.get();
    auto held = std::make_shared<Block>(std::move(block));
    return Buffer(data, [this, held](float*) { free_.push_back(std::move(*held)); });
  }

 private:
  struct Block {
    std::unique_ptr<float[]> data;
    std::size_t size = 0;
  };
  static bool smaller(const Block& a, const Block& b) { return a.size < b.size; }

  std::vector<Block> free_;
};

}  // namespace patchnas::fused
