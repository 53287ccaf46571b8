#include "supernet/training/gradient_reducer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <torch/torch.h>

namespace patchnas {

GradientReducer::GradientReducer(ProcessGroup& group, at::Tensor gradient,
                                 std::int64_t bucket_bytes)
    : group_(group),
      gradient_(std::move(gradient)),
      bucket_size_(std::max<std::int64_t>(
          1, bucket_bytes / static_cast<std::int64_t>(gradient_.element_size()))) {
  for (std::int64_t begin = 0; begin < gradient_.numel(); begin += bucket_size_) {
    parts_.push_back(gradient_.narrow(0, begin, std::min(bucket_size_, gradient_.numel() - begin)));
  }
}

std::vector<GradientReducer::Range> GradientReducer::ranges_of(const LayerTensors& layer) const {
  std::vector<Range> ranges;
  for (const at::Tensor& view : std::array{layer.weight, layer.bias, layer.gamma, layer.beta}) {
    if (!view.defined() || view.numel() == 0) {
      continue;
    }
    const std::int64_t first = view.storage_offset() - gradient_.storage_offset();
    std::int64_t last = first;
    for (std::int64_t i = 0; i < view.dim(); ++i) {
      last += (view.size(i) - 1) * view.stride(i);
    }
    ranges.push_back({static_cast<std::size_t>(first / bucket_size_),
                      static_cast<std::size_t>(last / bucket_size_) + 1});
  }
  return ranges;
}

void GradientReducer::begin(std::span<const LayerTensors> views) {
  layers_.clear();
  unfinished_.assign(parts_.size(), 0);
  for (const LayerTensors& layer : views) {
    layers_.push_back(ranges_of(layer));
    for (const Range& range : layers_.back()) {
      for (std::size_t bucket = range.first; bucket < range.end; ++bucket) {
        ++unfinished_[bucket];
      }
    }
  }
  order_.clear();
  for (const bool is_touched : {false, true}) {
    for (std::size_t bucket = parts_.size(); bucket-- > 0;) {
      if ((unfinished_[bucket] > 0) == is_touched) {
        order_.push_back(bucket);
      }
    }
  }
  pending_.clear();
  next_ = 0;
  start_ready();
}

void GradientReducer::layer_done(int layer) {
  for (const Range& range : std::exchange(layers_[static_cast<std::size_t>(layer)], {})) {
    for (std::size_t bucket = range.first; bucket < range.end; ++bucket) {
      --unfinished_[bucket];
    }
  }
  start_ready();
}

void GradientReducer::start_ready() {
  for (; next_ < order_.size() && unfinished_[order_[next_]] == 0; ++next_) {
    pending_.push_back(group_.start_sum(parts_[order_[next_]]));
  }
}

void GradientReducer::finish() {
  std::fill(unfinished_.begin(), unfinished_.end(), 0);
  start_ready();
  const auto start = std::chrono::steady_clock::now();
  for (const auto& pending : pending_) {
    pending->wait();
  }
  pending_.clear();
  seconds_waited_ +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace patchnas
