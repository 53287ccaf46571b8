#include "supernet/training/recipe.h"

#include <optional>
#include <utility>

#include "arch/base/error.h"

namespace patchnas {
namespace {

/// Some fixed architectures and some random ones of a supernet, with equal weights.
class SupernetRecipe : public Recipe {
 public:
  SupernetRecipe(Supernet& supernet, const std::vector<Architecture>& fixed, int drawn,
                 StepImages images, double soft_share)
      : supernet_(supernet), drawn_(drawn), images_(images), soft_share_(soft_share) {
    for (const Architecture& architecture : fixed) {
      fixed_.push_back(lower(supernet.space(), architecture));
    }
    if (learners() < 1) {
      throw InputError("training needs networks per step of 1 or more");
    }
  }

  [[nodiscard]] const Network& full() const override { return supernet_.largest_network(); }
  [[nodiscard]] const at::Tensor& parameters() const override { return supernet_.parameters(); }
  [[nodiscard]] StepImages images() const override { return images_; }
  [[nodiscard]] int learners() const override { return static_cast<int>(fixed_.size()) + drawn_; }

  [[nodiscard]] std::vector<RecipeRun> runs(RandomStream& stream) const override {
    std::vector<RecipeRun> runs;
    const auto add = [&](Network network) {
      runs.push_back({std::move(network), 1.0 / learners(), runs.empty() ? 0.0 : soft_share_});
    };
    for (const Network& network : fixed_) {
      add(network);
    }
    for (int i = 0; i < drawn_; ++i) {
      add(lower(supernet_.space(), sample(supernet_.space(), stream)));
    }
    return runs;
  }

  [[nodiscard]] std::vector<LayerTensors> tensors(const RecipeRun& run,
                                                  const at::Tensor& flat) const override {
    return supernet_.active(run.network, flat);
  }

 private:
  const Supernet& supernet_;
  std::vector<Network> fixed_;
  int drawn_;
  StepImages images_;
  double soft_share_;
};

class SubnetRecipe : public Recipe {
 public:
  SubnetRecipe(Subnet& subnet, std::optional<Subnet> teacher, double soft_share)
      : subnet_(subnet), teacher_(std::move(teacher)), soft_share_(soft_share) {}

  [[nodiscard]] const Network& full() const override { return subnet_.network(); }
  [[nodiscard]] const at::Tensor& parameters() const override { return subnet_.parameters(); }
  [[nodiscard]] StepImages images() const override { return StepImages::kShared; }
  [[nodiscard]] int learners() const override { return 1; }

  [[nodiscard]] std::vector<RecipeRun> runs(RandomStream& /*stream*/) const override {
    std::vector<RecipeRun> runs;
    if (teacher_) {
      runs.push_back({.network = teacher_->network(), .weight = 0.0});
    }
    runs.push_back({.network = subnet_.network(), .soft_share = soft_share_});
    return runs;
  }

  [[nodiscard]] std::vector<LayerTensors> tensors(const RecipeRun& run,
                                                  const at::Tensor& flat) const override {
    return run.weight == 0.0 ? teacher_->layers() : carve(run.network, flat);
  }

 private:
  const Subnet& subnet_;
  std::optional<Subnet> teacher_;
  double soft_share_;
};

class QuantisedRecipe : public Recipe {
 public:
  QuantisedRecipe(FoldedSubnet& subnet, Quantiser quantiser)
      : subnet_(subnet), quantiser_(std::move(quantiser)) {}

  [[nodiscard]] const Network& full() const override { return subnet_.network(); }
  [[nodiscard]] const at::Tensor& parameters() const override { return subnet_.parameters(); }
  [[nodiscard]] TrainedForm form() const override { return TrainedForm::kFolded; }
  [[nodiscard]] StepImages images() const override { return StepImages::kOwn; }
  [[nodiscard]] int learners() const override { return 1; }

  [[nodiscard]] std::vector<RecipeRun> runs(RandomStream& /*stream*/) const override {
    return {{.network = subnet_.network()}};
  }
  [[nodiscard]] std::optional<QuantizedNetwork> quantised(const RecipeRun& /*run*/) const override {
    return quantiser_(subnet_.to_float_network(), subnet_.ranges());
  }
  [[nodiscard]] PixelNormalisation pixels(const PixelNormalisation& normalisation) const override {
    return pixel_steps(normalisation.mean - kPixelOffset);
  }

  [[nodiscard]] std::vector<LayerTensors> tensors(const RecipeRun& run,
                                                  const at::Tensor& flat) const override {
    return carve(run.network, flat, TrainedForm::kFolded);
  }

 private:
  const FoldedSubnet& subnet_;
  Quantiser quantiser_;
};

}  // namespace

std::unique_ptr<Recipe> largest_recipe(Supernet& supernet) {
  return std::make_unique<SupernetRecipe>(supernet, std::vector{largest(supernet.space())}, 0,
                                          StepImages::kOwn, 0.0);
}

std::unique_ptr<Recipe> random_recipe(Supernet& supernet, int count) {
  return std::make_unique<SupernetRecipe>(supernet, std::vector<Architecture>(), count,
                                          StepImages::kOwn, 0.0);
}

std::unique_ptr<Recipe> sandwich_recipe(Supernet& supernet, int count, double distillation) {
  if (count < 2) {
    throw InputError("the sandwich rule needs 2 networks per step or more, not " +
                     std::to_string(count));
  }
  const SearchSpace& space = supernet.space();
  return std::make_unique<SupernetRecipe>(supernet, std::vector{largest(space), smallest(space)},
                                          count - 2, StepImages::kShared, distillation);
}

std::unique_ptr<Recipe> subnet_recipe(Subnet& subnet) {
  return std::make_unique<SubnetRecipe>(subnet, std::nullopt, 0.0);
}

std::unique_ptr<Recipe> taught_recipe(Subnet& subnet, Subnet teacher, double distillation) {
  const Network& student = subnet.network();
  const Network& of_teacher = teacher.network();
  if (student.output().channels != of_teacher.output().channels ||
      student.input.channels != of_teacher.input.channels) {
    throw InputError("a teacher of " + std::to_string(of_teacher.output().channels) +
                     " classes and " + std::to_string(of_teacher.input.channels) +
                     " input channels cannot teach a network of " +
                     std::to_string(student.output().channels) + " and " +
                     std::to_string(student.input.channels));
  }
  return std::make_unique<SubnetRecipe>(subnet, std::move(teacher), distillation);
}

std::unique_ptr<Recipe> quantised_recipe(FoldedSubnet& subnet, Quantiser quantiser) {
  return std::make_unique<QuantisedRecipe>(subnet, std::move(quantiser));
}

}  // namespace patchnas
