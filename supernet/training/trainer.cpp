#include "supernet/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numbers>
#include <numeric>

#include <torch/torch.h>

#include "arch/base/error.h"
#include "supernet/data/batch_loader.h"
#include "supernet/network/compute.h"
#include "supernet/network/loss.h"
#include "supernet/network/state_bytes.h"
#include "supernet/training/gradient_reducer.h"

namespace patchnas {
namespace {

constexpr std::string_view kKind = "trainer";

/// Steps between looks for a failed one on CUDA, where each waits for the device.
constexpr std::int64_t kStepsBetweenChecks = 50;

/// A loss that is so many times that of a uniform guess has exploded.
constexpr double kExplodedLoss = 100.0;

/// The step that runs, and one whose images are made meanwhile.
constexpr std::size_t kStepsAhead = 2;

std::string step_name(const TrainerConfig& config, const char* what, std::int64_t number) {
  return config.stage + "/" + what + "/" + std::to_string(number);
}

// Drawn ahead of the step itself, so that its images can be made meanwhile.
struct PlannedStep {
  std::int64_t step = 0;
  std::vector<RecipeRun> runs;
};

class SwappedAverage {
 public:
  explicit SwappedAverage(Optimiser& optimiser) : optimiser_(optimiser) {
    optimiser_.swap_average();
  }
  SwappedAverage(const SwappedAverage&) = delete;
  SwappedAverage& operator=(const SwappedAverage&) = delete;
  ~SwappedAverage() { optimiser_.swap_average(); }

 private:
  Optimiser& optimiser_;
};

}  // namespace

class Trainer::Impl {
 public:
  Impl(std::unique_ptr<Recipe> recipe, const ImageStore& training, TrainerConfig config,
       ProcessGroup* group)
      : group_(group != nullptr ? *group : alone_),
        recipe_(std::move(recipe)),
        training_images_(training.size()),
        config_(std::move(config)),
        device_(recipe_->parameters().device()),
        optimiser_(recipe_->parameters(), decay_mask(recipe_->full(), recipe_->form()),
                   config_.optimiser),
        reducer_(group_, optimiser_.gradient(), config_.bucket_bytes),
        compute_(Backend::kAuto, config_.optimiser.precision),
        loader_(training,
                Augmenter(recipe_->pixels(config_.normalisation), config_.augmentation,
                          config_.crop_ratio),
                config_.seed, config_.data_workers) {
    if (training.size() == 0 || config_.batch_size < 1) {
      throw InputError(config_.stage + ": training needs images and a batch size of 1 or more");
    }
    if (config_.batch_size < group_.size()) {
      throw InputError(config_.stage + ": a batch of " + std::to_string(config_.batch_size) +
                       " images is too small for " + std::to_string(group_.size()) +
                       " ranks; allowed: one image a rank or more");
    }
    share_begin_ = config_.batch_size * group_.rank() / group_.size();
    share_end_ = config_.batch_size * (group_.rank() + 1) / group_.size();
    steps_per_epoch_ = std::max<std::int64_t>(1, training.size() / fresh_images_per_step());
    const double steps = config_.epochs * static_cast<double>(steps_per_epoch_);
    total_steps_ = steps > 0.0 ? std::max<std::int64_t>(1, std::llround(steps)) : 0;
  }

  [[nodiscard]] std::int64_t step() const { return optimiser_.steps(); }
  [[nodiscard]] c10::Device device() const { return device_; }
  [[nodiscard]] std::int64_t total_steps() const { return total_steps_; }
  [[nodiscard]] std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
  [[nodiscard]] int images_per_step() const { return config_.batch_size * recipe_->learners(); }

  void train_step() {
    const at::NoGradGuard no_gradients;
    const double data_seconds = loader_.seconds_in_take();
    const std::vector<RecipeRun> runs = take_plan();
    const double rank_seconds = reducer_.seconds_waited();
    optimiser_.zero_gradient();
    Sums sums;
    at::Tensor soft_targets;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const at::Tensor logits =
          learn(runs[i], loader_.take(), soft_targets, sums, i + 1 == runs.size());
      if (i == 0) {
        soft_targets = soft_labels(logits);
      }
    }
    add_up(sums);
    last_ = {.sums = sums,
             .learning_rate = learning_rate(),
             .data_seconds = loader_.seconds_in_take() - data_seconds,
             .rank_seconds = reducer_.seconds_waited() - rank_seconds};
    optimiser_.step(last_.learning_rate, sums.loss, loss_limit());
    if (device_.is_cpu() || step() % kStepsBetweenChecks == 0 || step() == total_steps_) {
      require_sound();
    }
    if (step() == total_steps_) {
      optimiser_.adopt_average();
    }
  }

  [[nodiscard]] StepReport last_step() const {
    require_sound();
    if (!last_.sums.loss.defined()) {
      return {};
    }
    return {.loss = last_.sums.loss.item<double>(),
            .accuracy = last_.sums.correct.item<double>() / images_per_step(),
            .learning_rate = last_.learning_rate,
            .data_seconds = last_.data_seconds,
            .rank_seconds = last_.rank_seconds};
  }

  void with_result(const std::function<void()>& look) {
    const at::NoGradGuard no_gradients;
    const SwappedAverage swapped(optimiser_);
    look();
  }

  [[nodiscard]] TrainerSnapshot snapshot() const {
    require_sound();
    return {owner(), optimiser_.state()};
  }

  void load(std::string_view bytes) {
    StateReader reader(bytes, kKind, owner());
    const Optimiser::State state = optimiser_.read(reader);
    reader.finish();
    optimiser_.restore(state);
  }

 private:
  struct Sums {
    at::Tensor loss;     // [], double: mean over the step; of a rank, its part of that
    at::Tensor correct;  // []: images
  };
  struct LastStep {
    Sums sums;
    double learning_rate = 0.0;
    double data_seconds = 0.0;
    double rank_seconds = 0.0;
  };

  // Images that a step takes out of the epoch.
  [[nodiscard]] int fresh_images_per_step() const {
    return recipe_->images() == StepImages::kOwn ? images_per_step() : config_.batch_size;
  }

  // Adds the gradient, loss and right answers of the run on this rank's share of its batch; a run
  // without a weight only answers. With the step's last one the ranks begin to add up.
  at::Tensor learn(const RecipeRun& run, const Batch& batch, const at::Tensor& soft_targets,
                   Sums& sums, bool is_last) {
    const std::vector<LayerTensors> layers = recipe_->tensors(run, recipe_->parameters());
    if (run.weight == 0.0) {
      return compute_.answers(run.network, layers, batch);
    }
    Goal goal;
    goal.labels = to_device(at::tensor(batch.labels, at::kLong), device_);
    goal.targets =
        smoothed_labels(goal.labels, run.network.output().channels, config_.label_smoothing);
    if (run.soft_share > 0.0) {
      goal.targets = at::lerp(goal.targets, soft_targets, run.soft_share);
    }
    const std::vector<LayerTensors> gradients = recipe_->tensors(run, optimiser_.gradient());
    const std::optional<QuantizedNetwork> quantised = recipe_->quantised(run);
    const double weight =
        run.weight * (static_cast<double>(share_end_ - share_begin_) / config_.batch_size);
    LayerDone layer_done;
    if (is_last && group_.size() > 1) {
      reducer_.begin(gradients);
      layer_done = [this](int layer) { reducer_.layer_done(layer); };
    }
    const BatchLoss loss =
        quantised ? compute_.add_quantised_gradients(*quantised, layers, batch, goal, weight,
                                                     gradients, optimiser_.loss_scale(), layer_done)
                  : compute_.add_gradients(run.network, layers, batch, goal, weight, gradients,
                                           optimiser_.loss_scale(), layer_done);
    const at::Tensor weighted = loss.mean * weight;
    sums.loss = sums.loss.defined() ? sums.loss + weighted : weighted;
    sums.correct = sums.correct.defined() ? sums.correct + loss.correct : loss.correct;
    return loss.logits;
  }

  // Gradient, loss and right answers of all ranks.
  void add_up(Sums& sums) {
    if (group_.size() == 1) {
      return;
    }
    const at::Tensor both = at::stack({sums.loss, sums.correct.to(at::kDouble)});
    const auto pending = group_.start_sum(both);
    reducer_.finish();
    pending->wait();
    sums = {both[0], both[1]};
  }

  [[nodiscard]] double loss_limit() const {
    return kExplodedLoss * std::max(1.0, std::log(recipe_->full().output().channels));
  }

  void require_sound() const {
    const std::optional<Optimiser::Failure> failure = optimiser_.failure();
    if (!failure) {
      return;
    }
    std::string what = "loss or gradient is not finite";
    if (std::isfinite(failure->loss) && failure->loss > loss_limit()) {
      what = "the loss exploded to " + std::to_string(failure->loss);
    }
    throw Error(config_.stage + ": " + what + " at step " + std::to_string(failure->step) +
                "; a lower learning rate than " + std::to_string(config_.learning_rate) +
                " or a clip_norm may help");
  }

  [[nodiscard]] std::string owner() const {
    return config_.stage + " " + std::to_string(config_.seed) + " " + std::to_string(total_steps_) +
           "\n" + signature(recipe_->full());
  }

  // Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter, 2017).
  [[nodiscard]] double learning_rate() const {
    const double warmup = config_.warmup_epochs * static_cast<double>(steps_per_epoch_);
    const auto step = static_cast<double>(optimiser_.steps());
    if (step < warmup) {
      return config_.learning_rate * (step + 1.0) / (warmup + 1.0);
    }
    const double progress =
        (step - warmup) / std::max(1.0, static_cast<double>(total_steps_) - warmup);
    return config_.learning_rate * 0.5 *
           (1.0 + std::cos(std::numbers::pi * std::min(1.0, progress)));
  }

  // The networks of this step, with their batches next in the loader; the step after it is planned
  // too.
  std::vector<RecipeRun> take_plan() {
    if (planned_.empty() || planned_.front().step != step()) {  // the first, or one that failed
      planned_.clear();
      loader_.clear();
    }
    for (std::int64_t next = step() + static_cast<std::int64_t>(planned_.size());
         planned_.empty() || (planned_.size() < kStepsAhead && next < total_steps_); ++next) {
      plan(next);
    }
    std::vector<RecipeRun> runs = std::move(planned_.front().runs);
    planned_.pop_front();
    return runs;
  }

  void plan(std::int64_t step) {
    RandomStream stream(config_.seed, step_name(config_, "step", step));
    planned_.push_back({step, recipe_->runs(stream)});
    std::int64_t number = 0;
    for (const RecipeRun& run : planned_.back().runs) {
      // Equal streams: the networks of a step that share images see the same parts of them.
      const std::int64_t part = recipe_->images() == StepImages::kOwn ? number++ : 0;
      loader_.request({.indices = batch_indices(step, part),
                       .resolution = run.network.input.height,
                       .stream = step_name(config_, "image", step) + "/" + std::to_string(part),
                       .first = share_begin_});
    }
  }

  // Every epoch is a permutation of the training images; each part of a step takes the next ones,
  // and of those a rank its share.
  std::vector<int> batch_indices(std::int64_t step, std::int64_t part) {
    const std::int64_t epoch = step / steps_per_epoch_;
    if (epoch != order_epoch_) {
      order_.resize(static_cast<std::size_t>(training_images_));
      std::iota(order_.begin(), order_.end(), 0);
      RandomStream shuffle(config_.seed, step_name(config_, "epoch", epoch));
      shuffle.shuffle(std::span(order_));
      order_epoch_ = epoch;
    }
    const auto first = static_cast<std::size_t>(
        (step % steps_per_epoch_) * fresh_images_per_step() + part * config_.batch_size);
    std::vector<int> indices;
    for (int i = share_begin_; i < share_end_; ++i) {
      indices.push_back(order_[(first + static_cast<std::size_t>(i)) % order_.size()]);
    }
    return indices;
  }

  ProcessGroup alone_;
  ProcessGroup& group_;
  std::unique_ptr<Recipe> recipe_;
  int training_images_;
  TrainerConfig config_;
  c10::Device device_;
  Optimiser optimiser_;
  GradientReducer reducer_;
  Compute compute_;
  LastStep last_;
  int share_begin_ = 0;  // of every batch: this rank's images
  int share_end_ = 0;
  std::int64_t steps_per_epoch_ = 1;
  std::int64_t total_steps_ = 1;
  std::vector<int> order_;
  std::int64_t order_epoch_ = -1;
  std::deque<PlannedStep> planned_;  ///< this step and what follows; their batches are requested
  BatchLoader loader_;
};

std::string TrainerSnapshot::bytes() const {
  StateWriter writer(kKind, owner);
  state.save(writer);
  return std::move(writer).finish();
}

Trainer::Trainer(std::unique_ptr<Recipe> recipe, const ImageStore& training, TrainerConfig config,
                 ProcessGroup* group)
    : impl_(std::make_unique<Impl>(std::move(recipe), training, std::move(config), group)) {}
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

std::int64_t Trainer::step() const { return impl_->step(); }
c10::Device Trainer::device() const { return impl_->device(); }
std::int64_t Trainer::total_steps() const { return impl_->total_steps(); }
std::int64_t Trainer::steps_per_epoch() const { return impl_->steps_per_epoch(); }
int Trainer::images_per_step() const { return impl_->images_per_step(); }
void Trainer::train_step() { impl_->train_step(); }
StepReport Trainer::last_step() const { return impl_->last_step(); }
void Trainer::with_result(const std::function<void()>& look) { impl_->with_result(look); }
TrainerSnapshot Trainer::snapshot() const { return impl_->snapshot(); }
void Trainer::load(std::string_view bytes) { impl_->load(bytes); }

}  // namespace patchnas
