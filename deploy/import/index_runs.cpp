#include "deploy/import/index_runs.h"

namespace patchnas {

std::vector<IndexRun> index_runs(const std::vector<std::int64_t>& indices) {
  std::vector<IndexRun> runs;
  for (const std::int64_t index : indices) {
    if (!runs.empty()) {
      IndexRun& run = runs.back();
      const auto step = static_cast<int>(index) - (run.begin + (run.count - 1) * run.step);
      if (step >= 0 && (run.count == 1 || step == run.step)) {
        run.step = step;
        ++run.count;
        continue;
      }
    }
    runs.push_back({.begin = static_cast<int>(index), .count = 1});
  }
  return runs;
}

}  // namespace patchnas
