#include "search/stages/torch_training_loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <ATen/Functions.h>
#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "search/base/console.h"
#include "search/base/stop_signal.h"
#include "search/base/text.h"
#include "search/run/checkpoint_writer.h"

namespace patchnas {
namespace {

using Clock = std::chrono::steady_clock;

/// Enough points for any plot, and files of a bounded size; on CUDA each waits for the device.
constexpr std::int64_t kMetricsPerStage = 1000;

/// Images a second of the steps since it was last asked; evaluations and checkpoints do not count.
class Speedometer {
 public:
  template <typename Work>
  void time(const Work& work) {
    const Clock::time_point start = Clock::now();
    work();
    seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
  }
  void add_images(int images) { images_ += images; }
  double images_per_second() {
    last_ = seconds_ > 0.0 ? static_cast<double>(images_) / seconds_ : last_;
    images_ = 0;
    seconds_ = 0.0;
    return last_;
  }
  [[nodiscard]] double last() const { return last_; }

 private:
  std::int64_t images_ = 0;
  double seconds_ = 0.0;
  double last_ = 0.0;
};

const TrainingSettings& settings_of(const TrainingPlan& plan, StageId stage) {
  switch (stage) {
    case StageId::kTrainLargest:
      return plan.largest;
    case StageId::kTrainSupernet:
      return plan.supernet;
    case StageId::kFinetune:
      return plan.finetune;
    case StageId::kQuantise:
      return plan.quantisation_aware;
    case StageId::kSearch:
    case StageId::kExport:
      break;
  }
  throw Error("stage " + std::string(to_string(stage)) + " does not train");
}

/// Steps from one evaluation to the next; 0: none.
std::int64_t evaluation_interval(const Trainer& trainer, const RunDirectory& run) {
  const double epochs = run.config().training.evaluate_every_epochs;
  return epochs == 0.0
             ? 0
             : std::max<std::int64_t>(
                   1, std::llround(epochs * static_cast<double>(trainer.steps_per_epoch())));
}

/// Whether any rank got a signal; asked while the step computes.
class StopVote {
 public:
  explicit StopVote(ProcessGroup& group)
      : votes_(at::full({1}, stop_requested() ? 1.0 : 0.0)), sum_(group.start_sum(votes_)) {}
  /// The same on every rank.
  bool stop() {
    sum_->wait();
    const bool stop = votes_.item<float>() > 0.0F;
    if (stop) {
      request_stop();
    }
    return stop;
  }

 private:
  at::Tensor votes_;
  std::unique_ptr<ProcessGroup::Pending> sum_;
};

std::string accuracies_text(const MetricsLog::Values& values) {
  std::string text;
  for (const auto& [name, value] : values) {
    text += fmt::format(", {} {}", name, percent_text(value));
  }
  return text;
}

}  // namespace

TrainerConfig trainer_config(const Config& config, StageId stage) {
  const TrainingSettings& settings = settings_of(config.training, stage);
  return {.stage = std::string(to_string(stage)),
          .seed = config.seed,
          .epochs = settings.epochs,
          .batch_size = settings.batch_size,
          .learning_rate = settings.learning_rate,
          .warmup_epochs = settings.warmup_epochs,
          .label_smoothing = settings.label_smoothing,
          .optimiser = {.momentum = settings.momentum,
                        .weight_decay = settings.weight_decay,
                        .clip_norm = settings.clip_norm,
                        .ema_decay = settings.ema_decay,
                        .precision = config.training.precision},
          .normalisation = config.data.normalisation,
          .augmentation = config.data.augmentation,
          .crop_ratio = config.data.crop_ratio,
          .data_workers = config.data.workers};
}

std::optional<Checkpoint> restorable(const TorchContext& context, StageId stage) {
  ProcessGroup& group = context.group;
  const CheckpointStore store = checkpoints(context, stage);
  CheckpointStore::Newest newest;
  if (group.rank() == 0) {
    newest = store.load_newest();
    for (const std::string& damage : newest.damage) {
      spdlog::warn("{}; an older one is used", damage);
    }
  }
  const bool exists = !group.broadcast(newest.checkpoint ? "yes" : "").empty();
  if (!exists) {
    return std::nullopt;
  }
  Checkpoint checkpoint = std::move(newest.checkpoint).value_or(Checkpoint{});
  checkpoint.bytes = group.broadcast(checkpoint.bytes);
  return checkpoint;
}

void train_to_end(Trainer& trainer, const std::optional<Checkpoint>& checkpoint, StageId stage,
                  const TorchContext& context, const Evaluation& evaluate) {
  RunDirectory& run = context.run;
  ProcessGroup& group = context.group;
  const CheckpointStore store = checkpoints(context, stage);
  const std::string_view name = to_string(stage);
  const std::int64_t total = trainer.total_steps();
  if (checkpoint) {
    try {
      trainer.load(checkpoint->bytes);
    } catch (const InputError& error) {
      throw InputError(store.file(checkpoint->step).string() + ": " + error.what());
    }
  } else if (group.size() > 1) {
    trainer.load(group.broadcast(trainer.save()));  // ranks on other processors may round otherwise
  }
  if (trainer.step() == total && checkpoint) {
    return;
  }
  if (run.archived()) {
    throw InputError(run.path().string() + ": stage " + std::string(name) +
                     " has to be gone through again, since " + store.file(total).string() +
                     " is missing, and nothing can be written there; copy the run and try there");
  }
  spdlog::info("{}: {} steps{}", name, total,
               checkpoint ? fmt::format(", from step {} on", trainer.step()) : "");
  run.metrics().rewind(name, trainer.step());
  run.timing().rewind(name, trainer.step());

  const std::int64_t metrics_interval = std::max<std::int64_t>(1, total / kMetricsPerStage);
  const std::int64_t evaluate_interval = evaluation_interval(trainer, run);
  CheckpointWriter writer(store, CheckpointWriter::Seconds(run.config().checkpoint_every_seconds));
  const auto save = [&] {
    if (run.writes()) {
      writer.save(trainer.step(),
                  [&] { return [snapshot = trainer.snapshot()] { return snapshot.bytes(); }; });
    }
  };
  Progress progress(std::string(name), "steps", trainer.step(), total);
  const Clock::time_point start = Clock::now();
  Speedometer speed;
  StepReport report;
  const auto train_step = [&] {
    const auto is_due = [&](std::int64_t interval) {
      return interval > 0 && (trainer.step() % interval == 0 || trainer.step() == total);
    };
    StopVote vote(group);
    speed.time([&] {
      trainer.train_step();
      if (is_due(metrics_interval) || is_due(evaluate_interval)) {
        report = trainer.last_step();
      }
    });
    speed.add_images(trainer.images_per_step());
    const std::int64_t step = trainer.step();
    if (is_due(metrics_interval) || is_due(evaluate_interval)) {
      MetricsLog::Values accuracies;
      if (is_due(evaluate_interval)) {
        group.rank_0_first([&] {
          if (run.writes()) {
            trainer.with_result([&] { accuracies = evaluate(); });
          }
        });
      }
      MetricsLog::Values values{{"loss", report.loss},
                                {"accuracy", report.accuracy},
                                {"learning_rate", report.learning_rate}};
      values.insert(values.end(), accuracies.begin(), accuracies.end());
      run.metrics().write(name, step, values);
      run.timing().write(name, step, {{"images_per_second", speed.images_per_second()}});
      if (!accuracies.empty()) {
        spdlog::info("{}: step {}: loss {:.3f}{}; {:.0f} images/s", name, step, report.loss,
                     accuracies_text(accuracies), speed.last());
      }
    }
    progress.update(step, fmt::format("loss {:.3f}, {:.0f} images/s", report.loss, speed.last()));
    const bool stop = vote.stop() && step < total;
    if (stop || writer.is_due() || step == total) {
      save();
    }
    if (stop) {
      writer.finish();
      throw_interrupted();
    }
  };
  try {
    while (trainer.step() < total) {
      train_step();
    }
  } catch (const LostRankError&) {
    // The last step that all ranks took; a GPU may have gone on with a sum that broke.
    if (trainer.device().is_cpu()) {
      save();
      writer.finish();
    }
    throw;
  }
  if (total == 0) {
    save();
  }
  writer.finish();
  if (total > 0) {
    const CheckpointWriter::Seconds elapsed = Clock::now() - start;
    spdlog::info("{}: {} checkpoints, waited for {:.2f} % of the time", name, writer.count(),
                 100.0 * writer.waited() / elapsed);
    spdlog::info("{}: loss {:.3f}, accuracy {} on the last step's images", name, report.loss,
                 percent_text(report.accuracy));
  }
}

}  // namespace patchnas
