#include "search/run/stage.h"

#include <chrono>

#include <spdlog/spdlog.h>

#include "search/base/stop_signal.h"
#include "search/base/text.h"

namespace patchnas {

void run_stages(RunDirectory& run, std::span<const std::unique_ptr<Stage>> stages) {
  for (const std::unique_ptr<Stage>& stage : stages) {
    const std::string_view name = to_string(stage->id());
    if (run.status(stage->id()) == StageStatus::kDone) {
      spdlog::info("{}: done already", name);
      continue;
    }
    if (run.writes() && stop_requested()) {  // other ranks go where this one goes
      throw_interrupted();
    }
    run.set_status(stage->id(), StageStatus::kRunning);
    const auto start = std::chrono::steady_clock::now();
    stage->run();
    run.set_status(stage->id(), StageStatus::kDone);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    spdlog::info("{}: done in {}", name, duration_text(elapsed.count()));
  }
}

}  // namespace patchnas
