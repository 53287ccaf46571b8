#include "search/config/training_plan.h"

#include <array>
#include <filesystem>
#include <vector>

#include <nlohmann/json.hpp>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "search/base/sealed_json.h"
#include "search/config/yaml_section.h"

namespace patchnas {
namespace {

constexpr std::array<std::string_view, 3> kRecipeNames = {"mcunetv2", "sandwich", "standalone"};
constexpr std::array<std::string_view, 2> kPrecisionNames = {"float32", "mixed"};

template <std::size_t Size>
std::vector<std::string> texts(const std::array<std::string_view, Size>& names) {
  return {names.begin(), names.end()};
}

/// Leaves the reader unfinished: a stage may have keys of its own.
TrainingSettings parse_settings(YamlReader& reader, const TrainingSettings& published) {
  TrainingSettings settings;
  settings.epochs = reader.number("epochs", {0.0, 1e6}, published.epochs);
  settings.batch_size = reader.integer("batch_size", {2, 1 << 20}, published.batch_size);
  settings.learning_rate = reader.number("learning_rate", {0.0, 100.0}, published.learning_rate);
  settings.warmup_epochs = reader.number("warmup_epochs", {0.0, 1e6}, published.warmup_epochs);
  settings.momentum = reader.number("momentum", {0.0, 0.9999}, published.momentum);
  settings.weight_decay = reader.number("weight_decay", {0.0, 1.0}, published.weight_decay);
  settings.label_smoothing =
      reader.number("label_smoothing", {0.0, 0.9}, published.label_smoothing);
  settings.clip_norm = reader.number("clip_norm", {0.0, 1e9}, published.clip_norm);
  settings.ema_decay = reader.number("ema_decay", {0.0, 0.999999}, published.ema_decay);
  return settings;
}

YamlSection append_settings(std::string& text, const std::string& heading,
                            const TrainingSettings& settings) {
  return YamlSection(text, 4, heading)
      .line("epochs", settings.epochs)
      .line("batch_size", settings.batch_size)
      .line("learning_rate", settings.learning_rate)
      .line("warmup_epochs", settings.warmup_epochs)
      .line("momentum", settings.momentum)
      .line("weight_decay", settings.weight_decay)
      .line("label_smoothing", settings.label_smoothing)
      .line("clip_norm", settings.clip_norm)
      .line("ema_decay", settings.ema_decay);
}

/// An architecture, a candidate, or a search's result, which holds a candidate.
Architecture read_architecture(const std::string& json, const std::string& source) {
  require_shallow_json(json, source);
  const auto document = nlohmann::ordered_json::parse(json, nullptr, /*allow_exceptions=*/false);
  const nlohmann::ordered_json* part = &document;
  for (const char* key : {"best", "architecture"}) {
    if (part->is_object() && part->contains(key)) {
      part = &part->at(key);
    }
  }
  return parse_architecture(part->is_discarded() ? json : part->dump(), source);
}

/// The one network of a standalone training: named, or the only one that there is.
Architecture parse_standalone_architecture(const YamlReader& reader, const std::string& given,
                                           const SearchSpace& space) {
  if (given.empty()) {
    const std::string count = count_architectures(space);
    if (count != "1") {
      reader.fail("architecture",
                  "is missing: standalone trains one network, and the space has " + count +
                      "; allowed: a file, as a run's best/candidate.json, or an architecture's "
                      "JSON");
    }
    return largest(space);
  }
  const bool is_json = given.front() == '{';
  try {
    Architecture architecture =
        read_architecture(is_json ? given : read_file(given), is_json ? "JSON" : given);
    const Membership membership = contains(space, architecture);
    if (!membership.contained) {
      throw InputError((is_json ? "" : given + ": ") +
                       "is not of this space: " + membership.reason);
    }
    return architecture;
  } catch (const InputError& error) {
    reader.fail("architecture", error.what());
  }
}

void parse_finetune(YamlReader finetune, TrainingPlan& plan) {
  plan.finetune = parse_settings(finetune, plan.finetune);
  plan.finetune_distillation =
      finetune.number("distillation", {0.0, 1.0}, plan.finetune_distillation);
  plan.finetune_on_validation = finetune.boolean("on_validation", plan.finetune_on_validation);
  const bool is_standalone = plan.recipe == TrainingRecipe::kStandalone;
  if (is_standalone && plan.finetune_distillation > 0.0 && plan.teacher.empty()) {
    finetune.fail("distillation",
                  "a standalone network needs training.teacher, a finished run directory");
  }
  finetune.finish();
}

}  // namespace

std::string_view to_string(TrainingRecipe recipe) {
  return kRecipeNames[static_cast<std::size_t>(recipe)];
}

TrainingPlan parse_training_plan(YamlReader reader, const SearchSpace& space) {
  TrainingPlan plan;
  plan.recipe = static_cast<TrainingRecipe>(reader.choice("recipe", texts(kRecipeNames), 0));
  plan.precision = static_cast<Precision>(reader.choice("precision", texts(kPrecisionNames), 0));
  const bool is_standalone = plan.recipe == TrainingRecipe::kStandalone;
  const std::string architecture = reader.string("architecture", "");
  const std::string teacher = reader.string("teacher", "");
  if (is_standalone) {
    plan.architecture = parse_standalone_architecture(reader, architecture, space);
  } else if (!architecture.empty() || !teacher.empty()) {
    reader.fail(architecture.empty() ? "teacher" : "architecture",
                "is for recipe standalone, not " + std::string(to_string(plan.recipe)));
  }
  if (!teacher.empty()) {
    plan.teacher = std::filesystem::absolute(teacher).lexically_normal().string();
  }
  plan.evaluate_every_epochs =
      reader.number("evaluate_every_epochs", {0.0, 1e6}, plan.evaluate_every_epochs);
  plan.evaluation_images =
      reader.integer("evaluation_images", {1, 1 << 30}, plan.evaluation_images);

  YamlReader largest = reader.optional_map("largest");
  if (plan.recipe == TrainingRecipe::kSandwich) {
    plan.largest.epochs = 0.0;
  }
  plan.largest = parse_settings(largest, plan.largest);
  largest.finish();
  YamlReader supernet = reader.optional_map("supernet");
  plan.supernet = parse_settings(supernet, plan.supernet);
  const int fewest = plan.recipe == TrainingRecipe::kSandwich ? 2 : 1;
  plan.subnets_per_step =
      supernet.integer("subnets_per_step", {fewest, 1024}, plan.subnets_per_step);
  plan.inplace_distillation =
      supernet.number("inplace_distillation", {0.0, 1.0}, plan.inplace_distillation);
  supernet.finish();
  parse_finetune(reader.optional_map("finetune"), plan);
  YamlReader quantisation_aware = reader.optional_map("quantisation_aware");
  TrainingSettings published = plan.finetune;
  published.epochs = plan.quantisation_aware.epochs;
  published.learning_rate = plan.finetune.learning_rate / 10;
  plan.quantisation_aware = parse_settings(quantisation_aware, published);
  quantisation_aware.finish();
  reader.finish();
  return plan;
}

std::string to_yaml(const TrainingPlan& plan) {
  std::string text;
  YamlSection(text, 2, "training")
      .line("recipe", std::string(to_string(plan.recipe)))
      .line("precision", std::string(kPrecisionNames[static_cast<std::size_t>(plan.precision)]))
      .line("architecture", quoted(plan.architecture ? to_json(*plan.architecture) : ""))
      .line("teacher", quoted(plan.teacher))
      .line("evaluate_every_epochs", plan.evaluate_every_epochs)
      .line("evaluation_images", plan.evaluation_images);
  append_settings(text, "largest", plan.largest);
  append_settings(text, "supernet", plan.supernet)
      .line("subnets_per_step", plan.subnets_per_step)
      .line("inplace_distillation", plan.inplace_distillation);
  append_settings(text, "finetune", plan.finetune)
      .line("distillation", plan.finetune_distillation)
      .line("on_validation", plan.finetune_on_validation ? "true" : "false");
  append_settings(text, "quantisation_aware", plan.quantisation_aware);
  return text;
}

}  // namespace patchnas
