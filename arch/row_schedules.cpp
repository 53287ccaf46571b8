#include "arch/row_schedules.h"

#include <algorithm>

#include "arch/operator_table.h"

namespace patchnas {

std::vector<int> segment_cuts(const Network& network) {
  const std::vector<int> last = last_readers(network);
  std::vector<int> cuts;
  int last_reader = -1;  // of the tensors before
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    if (last_reader < layer) {
      cuts.push_back(layer);
    }
    last_reader = std::max(last_reader, last[static_cast<std::size_t>(layer)]);
  }
  cuts.push_back(network.layer_count());
  return cuts;
}

PatchSchedule random_rows(const Network& network, int most_strips, RandomStream& stream) {
  constexpr int kMostCuts = 6;  // in one segment
  constexpr int kMostRows = 4;
  const auto up_to = [&](int most) {
    return 1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(most)));
  };
  const std::vector<int> cuts = segment_cuts(network);
  PatchSchedule schedule;
  for (std::size_t cut = 0; cut + 1 < cuts.size();) {
    const std::size_t end =
        std::min(cuts.size() - 1, cut + static_cast<std::size_t>(up_to(kMostCuts)));
    if (stream.chance(0.75) && std::all_of(network.layers.begin() + cuts[cut],
                                           network.layers.begin() + cuts[end], fits_segments)) {
      const int rows = network.shape(cuts[cut] + 1).height;
      Segment segment = Segment::rows(cuts[cut], cuts[end], up_to(std::min(kMostRows, rows)), 1);
      if (stream.chance(0.5)) {
        const int width = network.shape(paced_layer(network, segment) + 1).width;
        segment.grid.cols = up_to(std::min(most_strips, width));
      }
      schedule.segments.push_back(segment);
    }
    cut = end;
  }
  return schedule;
}

}  // namespace patchnas
