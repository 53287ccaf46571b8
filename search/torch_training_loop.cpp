#include "search/torch_training_loop.h"

#include <algorithm>
#include <chrono>

#include <spdlog/spdlog.h>

#include "search/console.h"
#include "search/stop_signal.h"
#include "search/text.h"

namespace patchnas {
namespace {

/// Enough points for any plot, and files of a bounded size.
constexpr std::int64_t kMetricsPerStage = 2000;

}  // namespace

std::optional<Checkpoint> restorable(const CheckpointStore& store) {
  CheckpointStore::Newest newest = store.load_newest();
  for (const std::string& damage : newest.damage) {
    spdlog::warn("{}; an older one is used", damage);
  }
  return std::move(newest.checkpoint);
}

void train_to_end(Trainer& trainer, const std::optional<Checkpoint>& checkpoint,
                  const CheckpointStore& store, StageId stage, RunDirectory& run) {
  using Clock = std::chrono::steady_clock;
  const std::string_view name = to_string(stage);
  const std::int64_t total = trainer.total_steps();
  if (checkpoint) {
    trainer.load(checkpoint->bytes);
  }
  if (trainer.step() == total && checkpoint) {
    return;
  }
  spdlog::info("{}: {} steps{}", name, total,
               checkpoint ? fmt::format(", from step {} on", trainer.step()) : "");
  run.metrics().rewind(name, trainer.step());

  const std::int64_t metrics_interval = std::max<std::int64_t>(1, total / kMetricsPerStage);
  const std::chrono::duration<double> checkpoint_interval(run.config().checkpoint_every_seconds);
  Progress progress(std::string(name), "steps", trainer.step(), total);
  Clock::time_point saved = Clock::now();
  StepReport report;
  while (trainer.step() < total) {
    trainer.train_step();
    const std::int64_t step = trainer.step();
    if (step % metrics_interval == 0 || step == total) {
      report = trainer.last_step();
      run.metrics().write(name, step,
                          {{"loss", report.loss},
                           {"accuracy", report.accuracy},
                           {"learning_rate", report.learning_rate}});
    }
    progress.update(step, fmt::format("loss {:.3f}", report.loss));
    const bool stop = stop_requested() && step < total;
    if (stop || Clock::now() - saved >= checkpoint_interval || step == total) {
      store.save(step, trainer.save());
      saved = Clock::now();
    }
    if (stop) {
      throw_interrupted();
    }
  }
  if (total == 0) {
    store.save(0, trainer.save());
  } else {
    spdlog::info("{}: loss {:.3f}, accuracy {} on the last step's images", name, report.loss,
                 percent_text(report.accuracy));
  }
}

}  // namespace patchnas
