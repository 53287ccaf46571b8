// nas_search quantise: somebody's float network as int8.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "arch/operator_table.h"
#include "deploy/reference/end_numbers.h"
#include "deploy/tflite/tflite_export.h"
#include "search/base/files.h"
#include "search/base/stop_signal.h"
#include "search/base/text.h"
#include "search/config/model_file.h"
#include "search/config/model_import.h"
#include "search/package/quantise_model.h"
#include "search/report/report_schema.h"
#include "search/tool/commands.h"
#include "search/tool/number_options.h"
#include "search/tool/option_names.h"
#include "search/tool/training.h"

namespace patchnas {
namespace {

constexpr EndNumbers kEnds[] = {EndNumbers::kInt8, EndNumbers::kUint8, EndNumbers::kFloat32};
constexpr int kWorstLayers = 5;
constexpr int kMostImages = 2000;  // of a folder, that both networks are run on

struct QuantiseOptions {
  std::string model;
  std::vector<std::filesystem::path> inputs;
  std::string labels;
  FolderOptions images;
  std::string resize{to_string(ImageFit{}.way)};
  std::string filter{to_string(ImageFit{}.filter)};
  std::string out;
  std::vector<double> mean;
  std::vector<double> stddev;
  std::string calibration{kCalibrationMethodNames[0]};
  std::string ends{to_string(EndNumbers::kInt8)};
  int count = QuantiseRequest{}.count;
  std::uint64_t seed = QuantiseRequest{}.seed;
  bool json = false;
};

/// Where nothing is said, [0, 1].
std::vector<ChannelNormalisation> normalisation_of(const QuantiseOptions& options) {
  if (options.mean.empty()) {
    return {{.mean = 0.0, .stddev = 255.0}};
  }
  if (options.mean.size() != options.stddev.size()) {
    throw InputError("--mean, --stddev: must be as many numbers of one as of the other");
  }
  std::vector<ChannelNormalisation> channels;
  for (std::size_t i = 0; i < options.mean.size(); ++i) {
    channels.push_back({options.mean[i], options.stddev[i]});
  }
  return channels;
}

/// Which int8 can say as pixel - 128: one whole mean for all channels. Others are measured.
std::optional<PixelNormalisation> exact_pixels(const QuantiseOptions& options) {
  if (options.images.folder.empty() && options.mean.empty()) {
    return std::nullopt;
  }
  const std::vector<ChannelNormalisation> channels = normalisation_of(options);
  const double mean = channels[0].mean;
  const bool is_exact = channels.size() == 1 && mean >= 0 && mean <= 255 && std::rint(mean) == mean;
  return is_exact ? std::optional(PixelNormalisation{.mean = static_cast<int>(mean),
                                                     .stddev = channels[0].stddev})
                  : std::nullopt;
}

QuantiseRequest request_of(const QuantiseOptions& options) {
  QuantiseRequest request{
      .calibration = {}, .ends = {}, .count = options.count, .seed = options.seed};
  const auto* const method = std::find(std::begin(kCalibrationMethodNames),
                                       std::end(kCalibrationMethodNames), options.calibration);
  request.calibration.method =
      static_cast<CalibrationMethod>(method - std::begin(kCalibrationMethodNames));
  request.ends.inputs = request.ends.outputs = named(kEnds, options.ends);
  request.ends.pixels = exact_pixels(options);
  return request;
}

CalibrationSamples samples_of_folder(const QuantiseOptions& options, const Network& network) {
  FolderOptions folder = options.images;
  folder.fit.way = named(kResizeWays, options.resize);
  folder.fit.filter = named(kResizeFilters, options.filter);
  folder.count = kMostImages;
  folder.seed = options.seed;
  const ImageSet images = images_of_folder(folder, network.input);
  CalibrationSamples samples = samples_of_images(network, images, normalisation_of(options));
  if (images.classes != network.output_elements()) {
    samples.labels.clear();  // the network tells other things apart
  }
  return samples;
}

CalibrationSamples samples_of(const QuantiseOptions& options, const Network& network) {
  if (options.inputs.empty() == options.images.folder.empty()) {
    throw InputError(
        "quantise: needs --images FOLDER or --inputs FILE..., to measure ranges with, and not "
        "both");
  }
  if (!options.images.folder.empty()) {
    return samples_of_folder(options, network);
  }
  CalibrationSamples samples = samples_of_files(network, options.inputs);
  if (!options.labels.empty()) {
    samples.labels = labels_of_file(network, sample_count(samples, network), options.labels);
  }
  return samples;
}

std::string decibels_text(double decibels) {
  return std::isinf(decibels) && decibels > 0 ? "exact" : fmt::format("{:.1f}", decibels);
}

std::string top_one_text(const TopOne& top, int samples) {
  std::string text = "top-1     the same in float and int8 for " + percent_text(top.agreement) +
                     " of " + counted(samples, "sample") + "\n";
  if (top.float_accuracy) {
    text += "accuracy  " + percent_text(*top.float_accuracy) + " in float, " +
            percent_text(*top.int8_accuracy) + " in int8\n";
  }
  return text;
}

std::string layer_line(const QuantisedModel& model, int layer) {
  const auto i = static_cast<std::size_t>(layer);
  const TensorQuantisation& q = model.network.tensors[i + 1];
  return fmt::format("{:>8}  {:<15}  {:>11.5g}  {:>10}  {}\n",
                     decibels_text(model.noise[i].decibels()),
                     operator_facts(model.network.network.layers[i].kind).name, q.scale,
                     q.zero_point, model.network.network.layer_name(layer));
}

std::string text_of(const QuantisedModel& model, const QuantiseOptions& options) {
  std::string text = "samples   " + with_separators(model.measured_samples) + " of " +
                     with_separators(model.samples) + ", calibrated by " + options.calibration +
                     "\n";
  if (model.top_one) {
    text += top_one_text(*model.top_one, model.samples);
  }
  text += fmt::format("\n{:>8}  {:<15}  {:>11}  {:>10}  layer\n", "SNR, dB", "kind", "scale",
                      "zero point");
  for (int layer = 0; layer < model.network.network.layer_count(); ++layer) {
    text += layer_line(model, layer);
  }
  text += "\nworst\n";
  for (const int layer : model.worst_layers(kWorstLayers)) {
    text += layer_line(model, layer);
  }
  return text;
}

std::string json_of(const QuantisedModel& model, const QuantiseOptions& options) {
  nlohmann::ordered_json json = new_report();
  json["samples"] = model.samples;
  json["measured_samples"] = model.measured_samples;
  json["calibration"] = options.calibration;
  if (const auto& top = model.top_one) {
    json["top1_agreement"] = top->agreement;
    if (top->float_accuracy) {
      json["accuracy"] = {{"float", *top->float_accuracy}, {"int8", *top->int8_accuracy}};
    }
  }
  json["layers"] = nlohmann::ordered_json::array();
  for (int layer = 0; layer < model.network.network.layer_count(); ++layer) {
    const auto i = static_cast<std::size_t>(layer);
    const double decibels = model.noise[i].decibels();
    const TensorQuantisation& q = model.network.tensors[i + 1];
    json["layers"].push_back({{"name", model.network.network.layer_name(layer)},
                              {"kind", operator_facts(model.network.network.layers[i].kind).name},
                              {"scale", q.scale},
                              {"zero_point", q.zero_point}});
    if (std::isfinite(decibels)) {
      json["layers"].back()["snr_db"] = decibels;
    }
  }
  return report_text(json);
}

void quantise_file(const QuantiseOptions& options) {
  install_stop_signals(WhenStopped::kBeginsAnew);
  const QuantiseRequest request = request_of(options);
  FloatNetwork network = import_float_model(read_model_file(options.model), options.model);
  const CalibrationSamples samples = samples_of(options, network.network);
  const QuantisedModel model = quantise_model(std::move(network), samples, request);
  if (!options.out.empty()) {
    const std::vector<std::uint8_t> file = export_tflite(model.network);
    write_file(options.out, {reinterpret_cast<const char*>(file.data()), file.size()});
  }
  std::cout << (options.json ? json_of(model, options) : text_of(model, options));
}

void add_image_options(CLI::App& command, QuantiseOptions& options) {
  CLI::Option* const images =
      command
          .add_option("--images", options.images.folder,
                      "Class folders of JPEG and PNG files to calibrate with, and to compare "
                      "accuracies on; of more than 2,000 that many, drawn at random")
          ->type_name("FOLDER");
  command
      .add_option("--classes", options.images.classes,
                  "Names of the classes, one a line, in the order of the network's outputs; "
                  "default: the folders, sorted")
      ->needs(images)
      ->type_name("FILE");
  command.add_option("--resize", options.resize, "How images fill the input")
      ->check(CLI::IsMember(names_of(kResizeWays)))
      ->capture_default_str();
  command
      .add_option("--filter", options.filter,
                  "What a pixel of a smaller image is: the mean of its area, between four pixels, "
                  "or antialiased")
      ->check(CLI::IsMember(names_of(kResizeFilters)))
      ->capture_default_str();
  CLI::Option* const mean =
      command
          .add_option("--mean", options.mean,
                      "The input is an image: real = (pixel - mean) / stddev; one number, or one a "
                      "channel. With --images and nothing else said, pixel / 255")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->type_name("M[,M,M]");
  CLI::Option* const stddev = command.add_option("--stddev", options.stddev, "Goes with --mean")
                                  ->delimiter(',')
                                  ->allow_extra_args(false)
                                  ->check(positive_number())
                                  ->type_name("S[,S,S]");
  mean->needs(stddev);
  stddev->needs(mean);
}

}  // namespace

void add_quantise_command(CLI::App& app) {
  const auto options = std::make_shared<QuantiseOptions>();
  CLI::App* command = app.add_subcommand(
      "quantise", "A float network as int8, and how much of every layer is left");
  command->add_option("model", options->model, "A .tflite or .onnx file in float32")
      ->required()
      ->type_name("MODEL");
  command
      ->add_option("--inputs", options->inputs,
                   "Raw float32 samples to calibrate with, little-endian [N, H, W, C]; a file for "
                   "each input, in the model's order")
      ->type_name("FILE");
  command
      ->add_option("--labels", options->labels,
                   "Raw int32 classes, one per sample, to compare accuracies on")
      ->type_name("FILE");
  command->add_option("--out", options->out, "Gets the int8 network")->type_name("FILE.tflite");
  add_image_options(*command, *options);
  command
      ->add_option("--calibration", options->calibration,
                   "How ranges follow from values: all, without tails, or least squared error")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kCalibrationMethodNames),
                                                     std::end(kCalibrationMethodNames))))
      ->capture_default_str();
  command->add_option("--ends", options->ends, "What the int8 network's user gives and gets")
      ->check(CLI::IsMember(names_of(kEnds)))
      ->capture_default_str();
  command
      ->add_option("--count", options->count,
                   "Samples that ranges and noise are measured with, drawn at random")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of the draw")->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object on standard output");
  command->footer(R"(
Examples:
  nas_search quantise model.onnx --images photos/train --mean 123.7,116.3,103.5 --stddev 58.4,57.1,57.4 --out int8.tflite
  nas_search quantise float.tflite --inputs samples.f32 --out int8.tflite
  nas_search quantise float.tflite --inputs images.f32 --mean 128 --stddev 128 --calibration mse --out int8.tflite

Prints the signal-to-quantisation-noise ratio of what every layer writes, with the noise of the layers
before it: each bit that is used is worth 6 dB.
)");
  command->callback([options] { quantise_file(*options); });
}

}  // namespace patchnas
