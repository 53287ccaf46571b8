#include "search/report/run_target.h"

#include <algorithm>
#include <iterator>

namespace patchnas {

std::string_view to_string(RunTarget target) {
  const std::optional<Core> core = core_of(target);
  return core ? to_string(*core) : "host";
}

std::optional<Core> core_of(RunTarget target) {
  switch (target) {
    case RunTarget::kCortexM4:
      return Core::kCortexM4;
    case RunTarget::kCortexM7:
      return Core::kCortexM7;
    case RunTarget::kCortexM55:
      return Core::kCortexM55;
    case RunTarget::kHost:
      break;
  }
  return std::nullopt;
}

RunTarget target_of(Core core) {
  return *std::find_if(std::begin(kRunTargets), std::end(kRunTargets),
                       [&](RunTarget target) { return core_of(target) == core; });
}

std::string_view to_string(Rounding rounding) {
  return rounding == Rounding::kSingle ? "single" : "double";
}

}  // namespace patchnas
