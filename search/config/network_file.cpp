#include "search/config/network_file.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "arch/arch.h"
#include "arch/layer_order.h"
#include "memory_models/execution_order.h"
#include "search/base/shipped_files.h"
#include "search/config/config.h"
#include "search/config/model_file.h"
#include "search/config/model_import.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

enum class FileForm { kModel, kDescription, kSpace };

FileForm form_of(const fs::path& path, const std::string& content) {
  const std::string ending = path.extension().string();
  if (ending == ".tflite" || ending == ".onnx") {
    return FileForm::kModel;
  }
  if (ending == ".json") {
    return FileForm::kDescription;
  }
  if (ending == ".yaml" || ending == ".yml") {
    return FileForm::kSpace;
  }
  if (model_form(content)) {
    return FileForm::kModel;
  }
  const std::size_t first = content.find_first_not_of(" \t\r\n");
  return first != std::string::npos && content[first] == '{' ? FileForm::kDescription
                                                             : FileForm::kSpace;
}

void refuse(bool given, const std::string& name, const std::string& option,
            const std::string& why) {
  if (given) {
    throw InputError(name + ": " + option + " cannot be given: " + why);
  }
}

// What a width multiplier changes besides the stages: the stem, and above 1 the head (Sandler et
// al., 2018).
std::vector<std::string> width_assignments(const std::string& text, const std::string& source,
                                           const std::vector<std::string>& assignments,
                                           double width) {
  const std::string option = fmt::format("--width {}", width);
  if (!(width >= 0.01 && width <= 16)) {
    throw InputError(option + ": must be from 0.01 to 16");
  }
  YamlReader reader = YamlReader::parse_text(text, source);
  for (const std::string& assignment : assignments) {
    reader.assign(assignment);
  }
  YamlReader space = reader.map("space");
  for (const YamlReader& stage : space.maps("stages")) {
    refuse(!stage.has("width") || stage.has("width_multiplier"), source, option,
           "only networks whose stages state a base `width` can be scaled");
  }
  const int divisor = space.integer("channel_divisor", {1, 64}, 8);
  const SearchSpace base = parse_search_space(reader.map("space"));
  std::vector<std::string> result{
      fmt::format("space.width_multiplier=[{}]", width),
      fmt::format("space.stem.width={}", round_channels(base.stem_width * width, divisor))};
  if (base.head_width > 0) {
    result.push_back(fmt::format("space.head_width={}",
                                 round_channels(base.head_width * std::max(1.0, width), divisor)));
  }
  return result;
}

Network read_space(const std::string& text, const std::string& source,
                   const NetworkFileOptions& options) {
  std::vector<std::string> assignments = options.assignments;
  if (options.resolution) {
    assignments.push_back(fmt::format("space.resolution=[{}]", *options.resolution));
  }
  if (options.width) {
    const auto scaled = width_assignments(text, source, assignments, *options.width);
    assignments.insert(assignments.end(), scaled.begin(), scaled.end());
  }
  YamlReader reader = YamlReader::parse_text(text, source);
  for (const std::string& assignment : assignments) {
    reader.assign(assignment);
  }
  const SearchSpace space = parse_search_space(reader.map("space"));
  if (const std::string count = count_architectures(space); count != "1") {
    throw InputError(source + ": its space holds " + count +
                     " architectures; use --config with --architecture to name one of them");
  }
  reader.finish();
  return lower(space, largest(space));
}

// What of a file's layers does not need the values is read of any file, also of one that cannot be
// run.
NetworkFile read_layers(const ModelStructure& file, std::string assumption) {
  return {.network = reordered(file.network, least_memory_order(file.network).layers),
          .assumption = std::move(assumption)};
}

NetworkFile read_model(const std::string& content, const fs::path& path, Folding folding) {
  const ModelStructure file = import_model_structure(content, path);
  NetworkFile result;
  if (file.is_float) {
    result = read_layers(file, "the file holds float32 numbers; estimated as if quantised to int8");
  } else {
    try {
      Preparation prepared = prepare(import_model(content, path), folding);
      result = {.network = std::move(prepared.network.network),
                .folded = std::move(prepared.removed)};
    } catch (const InputError& error) {
      result = read_layers(file, std::string("nothing is folded: ") + error.what());
    }
  }
  recognise_blocks(result.network);
  return result;
}

fs::path path_of(const std::string& name) {
  try {
    return find_shipped_file(name, ShippedKind::kNetwork);
  } catch (const InputError&) {
    std::error_code error;
    if (fs::is_directory(name, error)) {
      return name;  // to be called what it is
    }
    throw;
  }
}

}  // namespace

NetworkFile read_network_file(const std::string& name, const NetworkFileOptions& options) {
  const fs::path path = path_of(name);
  const std::string content = read_model_file(path);
  const FileForm form = form_of(path, content);
  if (form == FileForm::kSpace) {
    return {.network = read_space(content, path.string(), options)};
  }
  refuse(options.width.has_value(), name, "--width",
         "only networks in YAML whose stages state a base `width` can be scaled");
  refuse(!options.assignments.empty(), name, "--set", "only YAML has keys to override");
  if (form == FileForm::kDescription) {
    return {.network = read_network_description(content, path.string(), options.resolution)};
  }
  refuse(options.resolution.has_value(), name, "--resolution",
         "a trained model is made for one resolution");
  return read_model(content, path, options.folding);
}

}  // namespace patchnas
