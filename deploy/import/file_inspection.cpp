#include "deploy/import/file_inspection.h"

#include <algorithm>

namespace patchnas {

void count_operator(std::vector<OperatorCount>& counts, const std::string& name, bool is_read) {
  const auto same = std::find_if(counts.begin(), counts.end(),
                                 [&](const OperatorCount& c) { return c.name == name; });
  if (same == counts.end()) {
    counts.push_back({name, 1, is_read});
  } else {
    ++same->count;
  }
}

void sort_by_count(std::vector<OperatorCount>& counts) {
  std::stable_sort(
      counts.begin(), counts.end(),
      [](const OperatorCount& a, const OperatorCount& b) { return a.count > b.count; });
}

}  // namespace patchnas
