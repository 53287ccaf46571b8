#include "supernet/trainer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <optional>

#include <torch/torch.h>

#include "arch/error.h"
#include "supernet/compute.h"
#include "supernet/state_bytes.h"

namespace patchnas {
namespace {

constexpr std::string_view kKind = "trainer";

std::string step_name(const TrainerConfig& config, const char* what, std::int64_t number) {
  return config.stage + "/" + what + "/" + std::to_string(number);
}

}  // namespace

// What is trained: flat parameters, and the networks that one step runs.
struct TrainingSubject {
  struct Run {
    Network network;
    std::vector<LayerTensors> layers;
    std::vector<LayerTensors> gradients;
    std::optional<QuantizedNetwork> quantised{};  // whose integers it computes, if any
  };

  Network full;  // owns all of `parameters`
  at::Tensor parameters;
  TrainedForm form = TrainedForm::kNormed;
  int runs_per_step = 1;
  /// Views of parameters and of `gradient`, for one run; may draw from the stream of the step.
  std::function<Run(const at::Tensor& gradient, RandomStream& stream)> next_run;
};

class Trainer::Impl {
 public:
  Impl(TrainingSubject subject, const ImageSet& training, TrainerConfig config)
      : subject_(std::move(subject)),
        training_(training),
        config_(std::move(config)),
        gradient_(at::zeros_like(subject_.parameters)),
        momentum_(at::zeros_like(subject_.parameters)),
        decay_(decay_mask(subject_.full, subject_.form).to(subject_.parameters.device()) *
               config_.weight_decay) {
    if (training.size() == 0 || config_.batch_size < 1 || subject_.runs_per_step < 1) {
      throw InputError(config_.stage +
                       ": training needs images, a batch size and networks per step of 1 or more");
    }
    steps_per_epoch_ = std::max<std::int64_t>(1, training.size() / images_per_step());
    total_steps_ = std::max<std::int64_t>(
        1, std::llround(config_.epochs * static_cast<double>(steps_per_epoch_)));
  }

  [[nodiscard]] std::int64_t step() const { return step_; }
  [[nodiscard]] std::int64_t total_steps() const { return total_steps_; }

  StepReport train_step() {
    const at::NoGradGuard no_gradients;
    RandomStream stream(config_.seed, step_name(config_, "step", step_));
    gradient_.zero_();
    StepReport report;
    report.learning_rate = learning_rate();
    report.images = images_per_step();
    int correct = 0;
    for (int run = 0; run < subject_.runs_per_step; ++run) {
      const TrainingSubject::Run current = subject_.next_run(gradient_, stream);
      const BatchLoss loss =
          add_gradients(current, draw_batch(run, current.network.input.height, stream));
      report.loss += loss.mean / subject_.runs_per_step;
      correct += loss.correct;
    }
    report.accuracy = static_cast<double>(correct) / report.images;
    if (!std::isfinite(report.loss + gradient_.abs().sum().item<double>())) {
      throw Error(config_.stage + ": loss or gradient is not finite at step " +
                  std::to_string(step_) + "; a lower learning rate than " +
                  std::to_string(config_.learning_rate) + " may help");
    }
    descend(report.learning_rate);
    ++step_;
    return report;
  }

  [[nodiscard]] std::string save() const {
    StateWriter writer(kKind, owner());
    writer.add("step", step_);
    writer.add("parameters", to_floats(subject_.parameters));
    writer.add("momentum", to_floats(momentum_));
    return std::move(writer).finish();
  }

  void load(std::string_view bytes) {
    StateReader reader(bytes, kKind, owner());
    const auto size = static_cast<std::size_t>(momentum_.numel());
    const std::int64_t step = reader.integer("step");
    const std::vector<float> parameters = reader.floats("parameters", size);
    const std::vector<float> momentum = reader.floats("momentum", size);
    reader.finish();
    step_ = step;
    copy_floats(parameters, subject_.parameters);
    copy_floats(momentum, momentum_);
  }

 private:
  [[nodiscard]] int images_per_step() const { return config_.batch_size * subject_.runs_per_step; }

  BatchLoss add_gradients(const TrainingSubject::Run& run, const Batch& batch) {
    const double weight = 1.0 / subject_.runs_per_step;
    return run.quantised
               ? compute_.add_quantised_gradients(*run.quantised, run.layers, batch,
                                                  config_.label_smoothing, weight, run.gradients)
               : compute_.add_gradients(run.network, run.layers, batch, config_.label_smoothing,
                                        weight, run.gradients);
  }

  [[nodiscard]] std::string owner() const {
    return config_.stage + " " + std::to_string(config_.seed) + " " + std::to_string(total_steps_) +
           "\n" + signature(subject_.full);
  }

  // Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter, 2017).
  [[nodiscard]] double learning_rate() const {
    const double warmup = config_.warmup_epochs * static_cast<double>(steps_per_epoch_);
    const auto step = static_cast<double>(step_);
    if (step < warmup) {
      return config_.learning_rate * (step + 1.0) / (warmup + 1.0);
    }
    const double progress =
        (step - warmup) / std::max(1.0, static_cast<double>(total_steps_) - warmup);
    return config_.learning_rate * 0.5 *
           (1.0 + std::cos(std::numbers::pi * std::min(1.0, progress)));
  }

  // Every epoch is a permutation of the training images; each network of a step takes the next
  // ones.
  Batch draw_batch(int run, int resolution, RandomStream& stream) {
    const std::int64_t epoch = step_ / steps_per_epoch_;
    if (epoch != order_epoch_) {
      order_.resize(static_cast<std::size_t>(training_.size()));
      std::iota(order_.begin(), order_.end(), 0);
      RandomStream shuffle(config_.seed, step_name(config_, "epoch", epoch));
      shuffle.shuffle(std::span(order_));
      order_epoch_ = epoch;
    }
    const auto first = static_cast<std::size_t>((step_ % steps_per_epoch_) * images_per_step() +
                                                std::int64_t{run} * config_.batch_size);
    std::vector<int> indices;
    Batch batch;
    for (std::size_t i = 0; i < static_cast<std::size_t>(config_.batch_size); ++i) {
      indices.push_back(order_[(first + i) % order_.size()]);
      batch.labels.push_back(training_.labels[static_cast<std::size_t>(indices.back())]);
    }
    batch.images = augmented_batch(at_resolution(resolution), indices, config_.normalisation,
                                   config_.augmentation, stream);
    return batch;
  }

  const ImageSet& at_resolution(int resolution) {
    if (training_.height == resolution && training_.width == resolution) {
      return training_;
    }
    const auto found = resized_.find(resolution);
    return found != resized_.end()
               ? found->second
               : resized_.emplace(resolution, resized(training_, resolution)).first->second;
  }

  // Nesterov's momentum as Sutskever et al. (2013) rewrite it.
  void descend(double rate) {
    gradient_.addcmul_(decay_, subject_.parameters);
    momentum_.mul_(config_.momentum).add_(gradient_);
    subject_.parameters.sub_(gradient_.add_(momentum_, config_.momentum), rate);
  }

  TrainingSubject subject_;
  const ImageSet& training_;
  TrainerConfig config_;
  at::Tensor gradient_;
  at::Tensor momentum_;
  at::Tensor decay_;
  Compute compute_;
  std::int64_t step_ = 0;
  std::int64_t steps_per_epoch_ = 1;
  std::int64_t total_steps_ = 1;
  std::vector<int> order_;
  std::int64_t order_epoch_ = -1;
  std::map<int, ImageSet> resized_;
};

Trainer::Trainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

Trainer Trainer::of_largest(Supernet& supernet, const ImageSet& training, TrainerConfig config) {
  TrainingSubject subject;
  subject.full = supernet.largest_network();
  subject.parameters = supernet.parameters();
  subject.next_run = [&supernet](const at::Tensor& gradient, RandomStream&) {
    const Network& network = supernet.largest_network();
    return TrainingSubject::Run{network, supernet.active(network),
                                supernet.active(network, gradient)};
  };
  return Trainer(std::make_unique<Impl>(std::move(subject), training, std::move(config)));
}

Trainer Trainer::of_subnets(Supernet& supernet, const ImageSet& training, TrainerConfig config) {
  TrainingSubject subject;
  subject.full = supernet.largest_network();
  subject.parameters = supernet.parameters();
  subject.runs_per_step = config.subnets_per_step;
  subject.next_run = [&supernet](const at::Tensor& gradient, RandomStream& stream) {
    Network network = lower(supernet.space(), sample(supernet.space(), stream));
    std::vector<LayerTensors> layers = supernet.active(network);
    std::vector<LayerTensors> gradients = supernet.active(network, gradient);
    return TrainingSubject::Run{std::move(network), std::move(layers), std::move(gradients)};
  };
  return Trainer(std::make_unique<Impl>(std::move(subject), training, std::move(config)));
}

Trainer Trainer::of_subnet(Subnet& subnet, const ImageSet& training, TrainerConfig config) {
  TrainingSubject subject;
  subject.full = subnet.network();
  subject.parameters = subnet.parameters();
  subject.next_run = [&subnet](const at::Tensor& gradient, RandomStream&) {
    return TrainingSubject::Run{subnet.network(), subnet.layers(),
                                carve(subnet.network(), gradient)};
  };
  return Trainer(std::make_unique<Impl>(std::move(subject), training, std::move(config)));
}

Trainer Trainer::of_quantised(FoldedSubnet& subnet, Quantiser quantiser, const ImageSet& training,
                              TrainerConfig config) {
  TrainingSubject subject;
  subject.full = subnet.network();
  subject.parameters = subnet.parameters();
  subject.form = TrainedForm::kFolded;
  subject.next_run = [&subnet, quantiser = std::move(quantiser)](const at::Tensor& gradient,
                                                                 RandomStream&) {
    return TrainingSubject::Run{subnet.network(), subnet.layers(),
                                carve(subnet.network(), gradient, TrainedForm::kFolded),
                                quantiser(subnet.to_float_network(), subnet.ranges())};
  };
  return Trainer(std::make_unique<Impl>(std::move(subject), training, std::move(config)));
}

std::int64_t Trainer::step() const { return impl_->step(); }
std::int64_t Trainer::total_steps() const { return impl_->total_steps(); }
StepReport Trainer::train_step() { return impl_->train_step(); }
std::string Trainer::save() const { return impl_->save(); }
void Trainer::load(std::string_view bytes) { impl_->load(bytes); }

}  // namespace patchnas
