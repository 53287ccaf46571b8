#include "search/tool/evaluation_setup.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "deploy/tflite/tflite_import.h"
#include "search/config/config.h"
#include "search/config/model_file.h"
#include "search/config/model_import.h"
#include "search/run/run_directory.h"
#include "search/tool/option_names.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

/// What is evaluated.
struct Subject {
  QuantizedNetwork network;
  std::optional<PackageFolder> package{};
  std::optional<DataConfig> run{};
};

QuantizedNetwork network_of_file(const EvaluateOptions& options) {
  if (!options.target.empty()) {
    throw InputError("--target " + options.target + ": " + options.subject +
                     " is no package; nas_search schedule " + options.subject +
                     " --sram BYTES --out DIR makes one to evaluate");
  }
  return import_model(read_model_file(options.subject), options.subject);
}

Subject subject_of_run(const std::string& folder) {
  require_training("evaluate " + folder);  // before the run is locked
  const RunDirectory run = RunDirectory::look_at(folder);
  for (const std::string& warning : run.warnings()) {
    spdlog::warn("{}", warning);
  }
  if (run.status(StageId::kExport) != StageStatus::kDone) {
    throw InputError(folder + ": has exported no network yet; nas_search --resume " + folder +
                     " goes on with it");
  }
  compute_in(run.config().threads);
  return {.network = import_tflite_file(run.export_folder() / "model.tflite"),
          .run = run.config().data};
}

Subject subject_of(const EvaluateOptions& options) {
  std::error_code ignored;
  if (!fs::is_directory(options.subject, ignored)) {
    return {.network = network_of_file(options)};
  }
  const bool is_run = RunDirectory::exists(options.subject);
  if (is_run && options.target.empty()) {
    return subject_of_run(options.subject);
  }
  PackageFolder package(options.subject);
  Subject subject = is_run ? subject_of_run(options.subject) : Subject{read_model_of(package)};
  static_cast<void>(package.executed_network(subject.network));  // which it must have
  subject.package = std::move(package);
  return subject;
}

/// Of --config, else of the run.
std::optional<DataConfig> data_of(const EvaluateOptions& options, const Subject& subject) {
  return options.config.empty() ? subject.run
                                : read_config(options.config, options.assignments).data;
}

/// One image is what the network reads.
void require_image(const EvaluateOptions& options, const Network& network) {
  if (network.input_count() > 1) {
    throw InputError(options.subject + ": has " + std::to_string(network.input_count()) +
                     " inputs; images are evaluated with networks of one");
  }
  const TensorShape& shape = network.input;
  if (shape.channels != 1 && shape.channels != 3) {
    throw InputError(options.subject + ": reads " + std::to_string(shape.channels) +
                     " channels; images have 1 (grey) or 3 (RGB)");
  }
}

ImageFit fit_of(const EvaluateOptions& options, const std::optional<DataConfig>& data) {
  ImageFit fit{.crop_ratio = options.crop_ratio.value_or(data ? data->crop_ratio : 1.0),
               .filter = named(kResizeFilters, options.filter)};
  if (!options.resize.empty()) {
    fit.way = named(kResizeWays, options.resize);
  }
  if (options.crop_ratio && fit.way != ResizeWay::kCrop) {
    throw InputError("--crop-ratio: needs --resize crop");
  }
  return fit;
}

/// Of the options; one for each channel or for all.
std::vector<ChannelNormalisation> given_normalisation(const EvaluateOptions& options,
                                                      int channels) {
  std::vector<ChannelNormalisation> result;
  const std::size_t count = std::max(options.mean.size(), options.stddev.size());
  for (const auto* numbers : {&options.mean, &options.stddev}) {
    if (numbers->size() != 1 && numbers->size() != static_cast<std::size_t>(channels)) {
      throw InputError("--mean, --stddev: needed are both, as one number or as " +
                       std::to_string(channels) + ", one a channel");
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back({options.mean[options.mean.size() == 1 ? 0 : i],
                      options.stddev[options.stddev.size() == 1 ? 0 : i]});
  }
  return result;
}

/// Of a configuration: "[-2, 1.984]".
PixelRange range_of(const ChannelNormalisation& normalisation) {
  const auto real = [&](double pixel) {
    return (pixel - normalisation.mean) / normalisation.stddev;
  };
  return {fmt::format("[{:.4g}, {:.4g}]", real(0), real(255)), normalisation};
}

PixelEncoder encoder_of(const EvaluateOptions& options, const QuantizedNetwork& network,
                        const std::optional<DataConfig>& data, Arithmetic arithmetic) {
  const EndFormat input = input_formats(network).front();
  if (!options.mean.empty()) {
    return {input, given_normalisation(options, network.network.input.channels), arithmetic};
  }
  if (data) {
    const ChannelNormalisation own{static_cast<double>(data->normalisation.mean),
                                   data->normalisation.stddev};
    if (fills_int8(own, input.int8)) {
      return {input, range_of(own), arithmetic};
    }
  }
  if (const std::optional<PixelRange> usual = usual_range(input)) {
    return {input, *usual, arithmetic};
  }
  throw InputError(
      fmt::format("{0}: its input has scale {1} and zero point {2}, which does not say what "
                  "numbers pixels are; "
                  "--mean and --stddev do: --mean {3} --stddev {4:.6g}, for (pixel - {3}) / "
                  "{4:.6g}, make int8 = "
                  "pixel - 128",
                  options.subject, input.int8.scale, input.int8.zero_point,
                  input.int8.zero_point + kPixelOffset, 1.0 / double{input.int8.scale}));
}

}  // namespace

EvaluationSetup evaluation_setup(const EvaluateOptions& options) {
  if (!options.target.empty()) {
    require_tools(named(kRunTargets, options.target));
  }
  Subject subject = subject_of(options);
  require_image(options, subject.network.network);
  std::optional<DataConfig> data = data_of(options, subject);
  if (options.images.empty() && !data) {
    throw InputError(
        "evaluate: needs --images FOLDER with a folder of images for each class, or --config NAME");
  }
  const Arithmetic arithmetic = arithmetic_of(named(kRoundings, options.rounding));
  const ImageFit fit = fit_of(options, data);
  PixelEncoder encode = encoder_of(options, subject.network, data, arithmetic);
  ClassScores scores(subject.network, options.output);
  return {.network = std::move(subject.network),
          .package = std::move(subject.package),
          .run = std::move(subject.run),
          .data = std::move(data),
          .arithmetic = arithmetic,
          .fit = fit,
          .encode = std::move(encode),
          .scores = std::move(scores)};
}

}  // namespace patchnas
