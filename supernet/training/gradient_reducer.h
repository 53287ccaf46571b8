#pragma once

// Sums a flat gradient over the ranks in buckets, most of them while the backward pass still runs.
//
//   GradientReducer reducer(group, gradient, 1 << 20);
//   ... backward passes of all networks but the last ...
//   reducer.begin(views);          // of the gradient: what the last one will add to
//   ... reducer.layer_done(i);     // as soon as it has, from the last layer to the first
//   reducer.finish();
//
// Buckets start in an order that all ranks know before they begin: first those that the last
// network does not touch, then the others from the end of the gradient to its beginning, as
// backward passes get ready with them (Li et al., PyTorch Distributed, 2020).

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "supernet/network/layer_tensors.h"
#include "supernet/ranks/process_group.h"

namespace patchnas {

class GradientReducer {
 public:
  /// @param gradient [n], contiguous; `group` must outlive this
  /// @param bucket_bytes at least one value's
  GradientReducer(ProcessGroup& group, at::Tensor gradient, std::int64_t bucket_bytes);

  void begin(std::span<const LayerTensors> views);
  void layer_done(int layer);
  /// Starts what is left and returns when the gradient is the sum. @throws as ProcessGroup's calls
  void finish();

  [[nodiscard]] int buckets() const { return static_cast<int>(parts_.size()); }
  /// Since begin().
  [[nodiscard]] int started() const { return static_cast<int>(next_); }
  /// That finish() has waited so far.
  [[nodiscard]] double seconds_waited() const { return seconds_waited_; }

 private:
  struct Range {
    std::size_t first = 0;
    std::size_t end = 0;
  };
  [[nodiscard]] std::vector<Range> ranges_of(const LayerTensors& layer) const;
  void start_ready();

  ProcessGroup& group_;
  at::Tensor gradient_;
  std::int64_t bucket_size_;  // values
  std::vector<at::Tensor> parts_;
  std::vector<std::vector<Range>> layers_;  // the buckets that each still adds to
  std::vector<int> unfinished_;             // of each bucket: tensors to be added to it
  std::vector<std::size_t> order_;
  std::size_t next_ = 0;  // in the order
  std::vector<std::unique_ptr<ProcessGroup::Pending>> pending_;
  double seconds_waited_ = 0.0;
};

}  // namespace patchnas
