#include "memory_models/network_cuts.h"

#include <numeric>

#include "arch/row_schedules.h"

namespace patchnas {

void NetworkCuts::assign(const Network& network) {
  network_ = &network;
  taps_.assign(network);
  cuts_ = segment_cuts(network);
  ends_.clear();
  first_cuts_.resize(cuts_.size());
  std::iota(first_cuts_.begin(), first_cuts_.end(), 0);
  for (int first = 0; first + 1 < count(); ++first) {
    ends_.push_back(segment_ends(network, taps_, layer(first)));
    for (int end = first + 1; end < count() && !is_beyond(first, end); ++end) {
      if (may_be_segment(first, end)) {
        int& earliest = first_cuts_[static_cast<std::size_t>(end)];
        earliest = std::min(earliest, first);
      }
    }
  }
}

}  // namespace patchnas
