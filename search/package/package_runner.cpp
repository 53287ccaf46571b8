#include "search/package/package_runner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>

#include <nlohmann/json.hpp>

#include "arch/base/error.h"
#include "deploy/package/runtime_sources.h"
#include "deploy/prepare/prepare.h"
#include "deploy/reference/end_numbers.h"
#include "search/base/files.h"
#include "search/base/sealed_json.h"
#include "search/base/text.h"
#include "search/config/model_file.h"
#include "search/config/model_import.h"
#include "search/package/package_harness.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

// Room in an emulated board's memory beside the arena.
constexpr std::int64_t kImageBytes = 1 << 20;
// Far more than any emulated inference takes, even on a busy machine.
constexpr std::chrono::seconds kRunLimit(300);
constexpr std::chrono::seconds kImageLimit(60);

std::vector<std::string> joined(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TensorQuantisation quantisation_in(const nlohmann::json& json) {
  return {json.at("scale").get<float>(), json.at("zero_point").get<int>()};
}

bool is_valid(const TensorQuantisation& q, int lowest) {
  return std::isfinite(q.scale) && q.scale > 0 && q.zero_point >= lowest &&
         q.zero_point <= lowest + 255;
}

// Empty if it makes no sense.
std::optional<EndFormat> format_in(const nlohmann::json& json) {
  const auto type = json.at("type").get<std::string>();
  EndFormat result{.end = {},
                   .int8 = quantisation_in(json.at("int8")),
                   .elements = json.at("elements").get<std::int64_t>()};
  for (const auto numbers : {EndNumbers::kInt8, EndNumbers::kUint8, EndNumbers::kFloat32}) {
    if (type == to_string(numbers)) {
      result.end.numbers = numbers;
    }
  }
  if (result.end.numbers == EndNumbers::kUint8) {
    result.end.uint8 = quantisation_in(json.at("uint8"));
  }
  const bool makes_sense = type == to_string(result.end.numbers) && is_valid(result.int8, -128) &&
                           is_valid(result.end.uint8, 0) && result.elements >= 1 &&
                           result.elements <= kMostElements;
  return makes_sense ? std::optional(result) : std::nullopt;
}

// Empty if one of them makes no sense, or there is none.
std::vector<EndFormat> formats_in(const nlohmann::json& list) {
  std::vector<EndFormat> formats;
  for (const nlohmann::json& json : list) {
    const std::optional<EndFormat> format = format_in(json);
    if (!format) {
      return {};
    }
    formats.push_back(*format);
  }
  return formats;
}

// Sources are compiled, so they must lie in the package.
bool stays_inside(const std::string& source) {
  const fs::path path(source);
  return path.is_relative() && source.ends_with(".c") &&
         std::find(path.begin(), path.end(), "..") == path.end() && source.front() != '-';
}

// What the names of files and symbols may begin with.
bool is_symbol(const std::string& name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

}  // namespace

Arithmetic arithmetic_of(Rounding rounding) {
  return rounding == Rounding::kSingle ? Arithmetic::kTfliteMicroSingleRounding
                                       : Arithmetic::kTfliteMicro;
}

PackageFolder::PackageFolder(const fs::path& folder) {
  std::error_code error;
  for (const fs::path& candidate : {folder, folder / "c", folder / "export" / "c"}) {
    if (fs::is_regular_file(candidate / "package.json", error)) {
      path = fs::absolute(candidate);
      break;
    }
  }
  if (path.empty()) {
    throw InputError(folder.string() +
                     ": no exported package there (package.json, c/package.json or "
                     "export/c/package.json)");
  }
  const fs::path file = path / "package.json";
  const std::string text = read_file(file);
  require_shallow_json(text, file.string());
  try {
    const auto json = nlohmann::json::parse(text);
    name = json.at("name").get<std::string>();
    const auto mode = json.at("input").get<std::string>();
    input = mode == to_string(InputMode::kStreamed) ? InputMode::kStreamed : InputMode::kResident;
    schedule = parse_patch_schedule(json.at("schedule").dump(), file.string());
    arena_bytes = json.at("arena_bytes").get<std::int64_t>();
    inputs = formats_in(json.at("inputs"));
    outputs = formats_in(json.at("outputs"));
    input_bytes = elements_of(inputs);
    output_bytes = elements_of(outputs);
    sources = json.at("sources").get<std::vector<std::string>>();
    layers = json.at("layers").get<std::vector<std::string>>();
    for (const nlohmann::json& shape : json.value("layer_outputs", nlohmann::json::array())) {
      layer_outputs.push_back(
          {shape.at(0).get<int>(), shape.at(1).get<int>(), shape.at(2).get<int>()});
    }
  } catch (const nlohmann::json::exception& damage) {
    throw InputError(file.string() + ": does not describe a package: " + damage.what());
  }
  if (!is_symbol(name) || inputs.empty() || outputs.empty() ||
      !std::all_of(sources.begin(), sources.end(), stays_inside)) {
    throw InputError(file.string() + ": does not describe a package");
  }
}

fs::path PackageFolder::beside(const std::string& file) const {
  std::error_code error;
  return fs::exists(path / file, error) ? path / file : path.parent_path() / file;
}

bool PackageFolder::has_shapes_of(const Network& network) const {
  if (network.input_elements() != input_bytes || network.output_elements() != output_bytes ||
      network.layers.size() != layers.size()) {
    return false;
  }
  for (std::size_t i = 0; i < layer_outputs.size(); ++i) {
    if (i >= network.layers.size() || network.layers[i].output != layer_outputs[i]) {
      return false;
    }
  }
  return true;
}

Network PackageFolder::executed_network(const QuantizedNetwork& model) const {
  for (const Folding folding : {Folding::kExact, Folding::kNone}) {
    if (Network prepared = prepare(model, folding).network.network; has_shapes_of(prepared)) {
      return prepared;
    }
  }
  if (!has_shapes_of(model.network)) {
    throw InputError(path.string() + ": is not a package of the model beside it");
  }
  return model.network;
}

QuantizedNetwork read_model_of(const PackageFolder& package) {
  std::error_code error;
  const fs::path onnx = package.path / "model.onnx";
  const fs::path model = fs::exists(onnx, error) ? onnx : package.beside("model.tflite");
  return import_model(read_model_file(model), model);
}

PackageRunner::PackageRunner(const PackageFolder& package, RunTarget target, Rounding rounding,
                             Profiling profiling)
    : package_(package),
      target_(target),
      tools_(target),
      rounding_(rounding),
      profiling_(profiling),
      images_at_a_time_(
          std::max<std::int64_t>(1, kImageBytes / (package.input_bytes + package.output_bytes))) {
  require_tools(target);
  const bool on_host = target == RunTarget::kHost;
  write_board(folder_.path());
  if (on_host) {
    write_file(folder_.path() / "board.c", harness_host_board());
  }
  write_file(folder_.path() / "main.c",
             harness_main(package_, static_cast<int>(images_at_a_time_)));
  compile();
}

PackageFigures PackageRunner::figures(const PackageRun& run, int images) const {
  PackageFigures figures{.package = package_.name,
                         .target = target_,
                         .rounding = rounding_,
                         .arena_bytes = arena_bytes(),
                         .static_bytes = static_bytes(),
                         .stack_bytes = run.stack_bytes,
                         .flash_bytes = flash_bytes(),
                         .instructions = {}};
  if (run.instructions) {
    figures.instructions = *run.instructions / images;
  }
  return figures;
}

void PackageRunner::compile() {
  std::vector<std::string> options{"-I" + package_.path.string()};
  if (profiling_ == Profiling::kLayers) {
    options.emplace_back("-DPATCHNAS_LAYER_HOOK=harness_layer");
  } else if (profiling_ == Profiling::kMacs) {
    options.emplace_back("-DPATCHNAS_COUNT_MACS");
  }
  if (rounding_ == Rounding::kSingle) {
    options.emplace_back("-DPATCHNAS_SINGLE_ROUNDING");
  }
  const std::string what = package_.path.string();
  std::vector<std::string> objects;
  for (const std::string& source : package_.sources) {
    objects.push_back(object_name(source));
    tools_.compile(joined(options, {"-c", (package_.path / source).string(), "-o", objects.back()}),
                   folder_.path(), what);
  }
  // The package comes first, so that what it needs of libraries is listed as its own.
  const std::vector<std::string> link =
      joined(joined(options, {"-o", "program", "-Wl,-Map=program.map", "-I."}), objects);
  tools_.compile(joined(joined(link, {"main.c", "board.c"}), tools_.link_options()), folder_.path(),
                 what);
  const std::string map = read_file(folder_.path() / "program.map");
  linked_ = linked_bytes(map, {objects.begin(), objects.end()});
  arena_bytes_ = section_bytes(map, ".bss.package_arena");
}

PackageRun PackageRunner::run(std::span<const std::int8_t> images) const {
  const auto image_bytes = static_cast<std::size_t>(package_.input_bytes);
  if (images.empty() || images.size() % image_bytes != 0) {
    throw InputError("input has " + std::to_string(images.size()) + " bytes; " + package_.name +
                     " reads " + std::to_string(image_bytes) + " each time");
  }
  PackageRun result;
  const std::size_t at_a_time = static_cast<std::size_t>(images_at_a_time_) * image_bytes;
  for (std::size_t begin = 0; begin < images.size(); begin += at_a_time) {
    run_some(images.subspan(begin, std::min(at_a_time, images.size() - begin)), result);
  }
  return result;
}

void PackageRunner::run_some(std::span<const std::int8_t> images, PackageRun& result) const {
  write_file(folder_.path() / "input.bin",
             {reinterpret_cast<const char*>(images.data()), images.size()});
  const auto count = static_cast<std::int64_t>(images.size()) / package_.input_bytes;
  const ProcessResult process = run_process(tools_.start_command("program", "none"), folder_.path(),
                                            kRunLimit + count * kImageLimit);
  if (process.exit_code != 0) {
    throw Error(package_.name + " on " + std::string(to_string(target_)) + " ends with exit code " +
                std::to_string(process.exit_code) + ": " + std::string(first_line(process.output)));
  }
  std::istringstream lines(process.output);
  for (std::string key; lines >> key;) {
    std::int64_t number = 0;
    if (key == "layer") {
      std::size_t layer = 0;
      lines >> layer >> number;
      result.layer_instructions.resize(package_.layers.size() + 1);
      result.layer_instructions.at(layer) += number;
    } else if (lines >> number; key == "instructions" && target_ != RunTarget::kHost) {
      result.instructions = result.instructions.value_or(0) + number;
    } else if (key == "stack") {
      result.stack_bytes = std::max(result.stack_bytes, number);
    } else if (key == "macs") {
      result.macs = result.macs.value_or(0) + number;
    }
  }
  const std::string output = read_file(folder_.path() / "output.bin");
  const auto expected = static_cast<std::size_t>(count * package_.output_bytes);
  if (output.size() != expected) {
    throw Error(package_.name + " on " + std::string(to_string(target_)) + " wrote " +
                std::to_string(output.size()) + " bytes instead of " + std::to_string(expected));
  }
  result.outputs.insert(result.outputs.end(), output.begin(), output.end());
}

}  // namespace patchnas
