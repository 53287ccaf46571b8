#include "arch/row_schedules.h"

#include <algorithm>

#include "arch/operator_table.h"

namespace patchnas {

std::vector<int> segment_cuts(const Network& network) {
  const std::vector<int> last = last_readers(network);
  std::vector<int> cuts;
  const auto add = [&](int layer) {
    if (!cuts.empty() && layer - cuts.back() > kFarCuts) {
      for (int between = cuts.back() + 1; between < layer; ++between) {
        cuts.push_back(between);
      }
    }
    cuts.push_back(layer);
  };
  int last_reader = -1;  // of the tensors before
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    if (last_reader < layer) {
      add(layer);
    }
    last_reader = std::max(last_reader, last[static_cast<std::size_t>(layer)]);
  }
  add(network.layer_count());
  return cuts;
}

std::vector<char> segment_ends(const Network& network, const NetworkTaps& taps, int first_layer) {
  std::vector<char> ends;
  std::vector<char> is_paced;  // by layer: depends on the first one
  int last_reader = -1;        // of what others compute
  int last_writer = -1;        // of what layers so far write
  for (int layer = first_layer; layer < network.layer_count(); ++layer) {
    const Layer& l = network.layers[static_cast<std::size_t>(layer)];
    const TensorId continued = taps.continued_tensor(layer);
    if (!fits_segments(l) || (continued != kNoTensor && continued <= first_layer)) {
      break;
    }
    if (const int next = taps.continuing_layer(layer + 1); next < network.layer_count()) {
      last_writer = std::max(last_writer, next);
    }
    const bool depends =
        layer == first_layer || std::any_of(l.inputs.begin(), l.inputs.end(), [&](TensorId input) {
          return input > first_layer &&
                 is_paced[static_cast<std::size_t>(input - 1 - first_layer)] != 0;
        });
    is_paced.push_back(depends ? 1 : 0);
    if (!depends) {
      last_reader = std::max(last_reader, taps.last_reader(layer + 1));
    }
    ends.push_back(std::max(last_reader, last_writer) <= layer ? 1 : 0);
  }
  while (!ends.empty() && ends.back() == 0) {
    ends.pop_back();
  }
  return ends;
}

PatchSchedule random_rows(const Network& network, int most_strips, RandomStream& stream) {
  constexpr int kMostCuts = 6;  // in one segment
  constexpr int kMostRows = 4;
  const auto up_to = [&](int most) {
    return 1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(most)));
  };
  const std::vector<int> cuts = segment_cuts(network);
  const NetworkTaps taps(network);
  PatchSchedule schedule;
  for (std::size_t cut = 0; cut + 1 < cuts.size();) {
    const std::size_t end =
        std::min(cuts.size() - 1, cut + static_cast<std::size_t>(up_to(kMostCuts)));
    const std::vector<char> ends = segment_ends(network, taps, cuts[cut]);
    const auto layers = static_cast<std::size_t>(cuts[end] - cuts[cut]);
    if (stream.chance(0.75) && layers <= ends.size() && ends[layers - 1] != 0) {
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
