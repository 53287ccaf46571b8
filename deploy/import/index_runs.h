#pragma once

// What a gather takes of constant indices: slices.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace patchnas {

/// Indices that lie `step` apart, 0 of the same one over and over.
struct IndexRun {
  int begin = 0;
  int count = 0;
  int step = 1;
};

/// A gather of more runs is refused: each is a copy.
inline constexpr std::size_t kMostIndexRuns = 64;

/// The indices, in their order, as runs that ascend.
/// @param indices of one dimension, from 0 on
std::vector<IndexRun> index_runs(const std::vector<std::int64_t>& indices);

}  // namespace patchnas
