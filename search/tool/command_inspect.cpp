// nas_search inspect: what a .tflite or .onnx file is, and what stands in the way of running it.

#include <iostream>
#include <memory>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "search/base/text.h"
#include "search/config/model_file.h"
#include "search/config/model_import.h"
#include "search/tool/commands.h"

namespace patchnas {
namespace {

struct InspectOptions {
  std::string model;
  bool json = false;
};

nlohmann::ordered_json json_of(const DeclaredTensor& tensor) {
  nlohmann::ordered_json json{{"name", tensor.name},
                              {"type", tensor.type},
                              {"shape", tensor.dimensions},
                              {"bytes", tensor.bytes}};
  if (tensor.quantisation) {
    json["scale"] = tensor.quantisation->scale;
    json["zero_point"] = tensor.quantisation->zero_point;
  }
  return json;
}

nlohmann::ordered_json json_of(const std::vector<DeclaredTensor>& tensors) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const DeclaredTensor& tensor : tensors) {
    list.push_back(json_of(tensor));
  }
  return list;
}

std::string json_of(const FileInspection& file) {
  nlohmann::ordered_json operators = nlohmann::ordered_json::array();
  for (const OperatorCount& op : file.operators) {
    operators.push_back({{"name", op.name}, {"count", op.count}, {"supported", op.is_read}});
  }
  return nlohmann::ordered_json{{"inputs", json_of(file.inputs)},
                                {"outputs", json_of(file.outputs)},
                                {"operators", operators},
                                {"largest_tensor", json_of(file.largest)},
                                {"can_be_run", file.obstacles.empty()},
                                {"obstacles", file.obstacles}}
             .dump(2) +
         "\n";
}

std::string text_of(const DeclaredTensor& tensor) {
  std::ostringstream text;
  text << tensor.type << " [";
  for (std::size_t i = 0; i < tensor.dimensions.size(); ++i) {
    text << (i == 0 ? "" : ", ") << tensor.dimensions[i];
  }
  text << "] '" << tensor.name << "'";
  if (tensor.quantisation) {
    text << ", scale " << tensor.quantisation->scale << ", zero point "
         << tensor.quantisation->zero_point;
  }
  return text.str();
}

std::string text_of(const FileInspection& file) {
  std::ostringstream text;
  for (const DeclaredTensor& input : file.inputs) {
    text << "input     " << text_of(input) << '\n';
  }
  for (const DeclaredTensor& output : file.outputs) {
    text << "output    " << text_of(output) << '\n';
  }
  for (const OperatorCount& op : file.operators) {
    text << "operator  " << op.count << " x " << op.name
         << (op.is_read ? "\n" : "  (not supported)\n");
  }
  text << "largest   " << with_separators(file.largest.bytes) << " bytes: " << text_of(file.largest)
       << '\n';
  text << (file.obstacles.empty() ? "can be run: nas_search schedule\n" : "cannot be run:\n");
  for (const std::string& obstacle : file.obstacles) {
    text << "  " << obstacle << '\n';
  }
  return text.str();
}

void inspect(const InspectOptions& options) {
  const FileInspection file = inspect_model(read_model_file(options.model), options.model);
  std::cout << (options.json ? json_of(file) : text_of(file));
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* command = app.add_subcommand(
      "inspect", "What a .tflite or .onnx file is, and all that stands in the way of running it");
  command->add_option("model", options->model, "A .tflite or .onnx file, anybody's")
      ->required()
      ->type_name("MODEL");
  command->add_flag("--json", options->json, "One JSON object on standard output");
  command->footer(R"(
Examples:
  nas_search inspect model.tflite
  nas_search inspect model.onnx --json

Inputs and outputs, operators, the largest tensor that is computed, and whether the file can be run:
if not, every reason with operator and tensor, equal ones counted.
)");
  command->callback([options] { inspect(*options); });
}

}  // namespace patchnas
