// What `evaluate` does with images: through the network, and counted.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "deploy/reference/reference_executor.h"
#include "search/base/console.h"
#include "search/base/stop_signal.h"
#include "search/report/evaluation.h"
#include "search/tool/evaluation_setup.h"
#include "search/tool/labelled_images.h"
#include "search/tool/option_names.h"
#include "search/tool/training.h"
#include "supernet/data/class_folders.h"
#include "supernet/data/data_source.h"
#include "supernet/data/data_split.h"
#include "supernet/data/evaluation_images.h"

namespace patchnas {
namespace {

/// Of the option, else of a run where all folders are among its classes; else empty.
std::vector<std::string> given_class_names(const EvaluateOptions& options,
                                           const std::optional<DataConfig>& run) {
  if (!options.classes.empty()) {
    return read_class_names(options.classes);
  }
  std::error_code ignored;
  if (!run ||
      (run->kind == DataKind::kImageFolder && !std::filesystem::is_directory(run->path, ignored))) {
    return {};
  }
  const std::vector<std::string> names = class_names(*run);
  const std::vector<std::string> folders = folders_in(options.images);
  const bool are_known = std::all_of(folders.begin(), folders.end(), [&](const auto& folder) {
    return std::find(names.begin(), names.end(), folder) != names.end();
  });
  return are_known ? names : std::vector<std::string>{};
}

LabelledImages images_of(const EvaluateOptions& options, const EvaluationSetup& setup) {
  const int channels = setup.shape().channels;
  if (options.images.empty()) {
    return images_of_data_set(*setup.data,
                              options.config.empty() ? options.subject : options.config, channels);
  }
  return images_of_folder(options.images, given_class_names(options, setup.run), channels,
                          options.max_corrupt_images);
}

/// As many as the output tells apart.
void require_classes(const LabelledImages& images, const ClassScores& scores,
                     const EvaluateOptions& options) {
  if (static_cast<int>(images.class_names.size()) == scores.classes()) {
    return;
  }
  const std::string where = options.classes.empty() ? images.from : options.classes;
  const char* const ways =
      options.images.empty() || !options.classes.empty()
          ? ""
          : "; --classes FILE names all where some have no folder, --output NAME another output";
  throw InputError(fmt::format("{}: has {} classes; {} has {}: {}{}", where,
                               images.class_names.size(), options.subject, scores.classes(),
                               scores.description(), ways));
}

std::string describe(const ImageFit& fit, const TensorShape& shape) {
  const std::string ratio =
      fit.way == ResizeWay::kCrop && fit.crop_ratio < 1.0 ? fmt::format(" {}", fit.crop_ratio) : "";
  return fmt::format("{}{} to {}x{}, {}, {}", to_string(fit.way), ratio, shape.height, shape.width,
                     to_string(fit.filter), shape.channels == 1 ? "grey" : "RGB");
}

/// Without a count yet.
Evaluation empty_evaluation(const EvaluateOptions& options, const EvaluationSetup& setup,
                            const LabelledImages& images) {
  Evaluation evaluation{.model = options.subject,
                        .images_from = images.from,
                        .resizing = describe(setup.fit, setup.shape()),
                        .pixels = setup.encode.description(),
                        .output = setup.scores.description(),
                        .target = {},
                        .rounding = named(kRoundings, options.rounding),
                        .classes = {}};
  if (!options.target.empty()) {
    evaluation.target = named(kRunTargets, options.target);
  }
  for (const std::string& name : images.class_names) {
    evaluation.classes.push_back({.name = name});
  }
  return evaluation;
}

/// Runs images, some at a time, and counts.
class Counter {
 public:
  Counter(const EvaluationSetup& setup, Evaluation& evaluation)
      : setup_(setup), evaluation_(evaluation) {
    if (evaluation.target) {
      runner_.emplace(*setup.package, *evaluation.target, evaluation.rounding, Profiling::kOff);
    }
  }

  void count(const ImageStore& images, std::span<const int> indices) {
    // Emulated cores may take seconds for one.
    const bool is_emulated = evaluation_.target && core_of(*evaluation_.target);
    const std::size_t at_a_time = is_emulated ? 8 : 64;
    Progress progress("evaluating", "images", 0, static_cast<std::int64_t>(indices.size()));
    for (std::size_t begin = 0; begin < indices.size(); begin += at_a_time) {
      const auto some = indices.subspan(begin, std::min(at_a_time, indices.size() - begin));
      const ImageSet decoded =
          evaluation_images(images, some, setup_.shape(), setup_.fit, throw_if_stopped);
      evaluation_.corrupt_images += static_cast<int>(some.size()) - decoded.size();
      if (decoded.size() > 0) {
        add(decoded);
      }
      progress.update(static_cast<std::int64_t>(begin + some.size()));
    }
  }

 private:
  void add(const ImageSet& images) {
    const std::vector<std::int8_t> outputs = run(setup_.encode(images.pixels));
    const std::size_t bytes = outputs.size() / images.labels.size();
    for (std::size_t i = 0; i < images.labels.size(); ++i) {
      const auto one = std::span(outputs).subspan(i * bytes, bytes);
      const int label = images.labels[i];
      evaluation_.add(label, setup_.scores.answer(one), setup_.scores.rank(one, label));
    }
  }

  std::vector<std::int8_t> run(const std::vector<std::int8_t>& images) {
    if (!runner_) {
      return run_images(setup_.network, images, setup_.arithmetic, throw_if_stopped);
    }
    PackageRun run = runner_->run(images);
    if (run.instructions) {
      evaluation_.instructions = evaluation_.instructions.value_or(0) + *run.instructions;
    }
    return std::move(run.outputs);
  }

  const EvaluationSetup& setup_;
  Evaluation& evaluation_;
  std::optional<PackageRunner> runner_;  ///< without it the integer reference
};

}  // namespace

void run_evaluate(const EvaluateOptions& options) {
  install_stop_signals(WhenStopped::kBeginsAnew);
  compute_in(0);
  const EvaluationSetup setup = evaluation_setup(options);
  const LabelledImages images = images_of(options, setup);
  require_classes(images, setup.scores, options);
  Evaluation evaluation = empty_evaluation(options, setup, images);
  Counter(setup, evaluation)
      .count(*images.store, stratified_sample(*images.store, options.count, options.seed));
  if (evaluation.images() == 0) {
    throw InputError(images.from + ": none of the images can be decoded");
  }
  std::cout << (options.json ? evaluation_report(evaluation) : table(evaluation));
}

}  // namespace patchnas
