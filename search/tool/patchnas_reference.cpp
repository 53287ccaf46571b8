// patchnas_reference: raw images through the integer reference.

#include <cstdint>
#include <span>
#include <string>

#include <CLI/CLI.hpp>

#include "arch/base/error.h"
#include "deploy/reference/end_numbers.h"
#include "deploy/reference/reference_executor.h"
#include "search/base/console.h"
#include "search/base/files.h"
#include "search/config/model_file.h"
#include "search/config/model_import.h"
#include "search/tool/program_main.h"

namespace patchnas {
namespace {

struct ReferenceOptions {
  std::string model;
  std::string input;
  std::string output;
  bool litert = false;
  bool single_rounding = false;
};

void run_reference(const ReferenceOptions& options) {
  const Arithmetic arithmetic = options.litert            ? Arithmetic::kLiteRt
                                : options.single_rounding ? Arithmetic::kTfliteMicroSingleRounding
                                                          : Arithmetic::kTfliteMicro;
  const QuantizedNetwork network = import_model(read_model_file(options.model), options.model);
  const std::string file = read_file(options.input);
  const std::vector<EndFormat> inputs = input_formats(network);
  const std::size_t bytes = bytes_of(inputs);
  if (file.empty() || file.size() % bytes != 0) {
    throw InputError(options.input + ": has " + std::to_string(file.size()) + " bytes; the " +
                     "network reads " + std::to_string(bytes) + " each time");
  }
  std::string outputs;
  for (std::size_t begin = 0; begin < file.size(); begin += bytes) {
    const std::vector<std::int8_t> image = to_int8(
        {reinterpret_cast<const std::uint8_t*>(file.data()) + begin, bytes}, inputs, arithmetic);
    const std::vector<std::uint8_t> some = from_int8(run_layer_by_layer(network, image, arithmetic),
                                                     output_formats(network), arithmetic);
    outputs.append(some.begin(), some.end());
  }
  write_file(options.output, outputs);
}

}  // namespace
}  // namespace patchnas

int main(int argc, char** argv) {
  using namespace patchnas;
  start_logging();
  ReferenceOptions options;
  CLI::App app(
      "Runs raw images through the integer reference, bit for bit as TensorFlow Lite Micro, in the "
      "numbers of the file's ends: int8, uint8 or float32.");
  app.name("patchnas_reference");
  app.footer("\nExample:\n  patchnas_reference model.tflite images.bin outputs.bin\n");
  app.set_version_flag("--version", program_version());
  CLI::Option* litert =
      app.add_flag("--litert", options.litert, "Compute as LiteRT does, in single precision");
  app.add_flag("--single-rounding", options.single_rounding,
               "As TensorFlow Lite Micro built with TFLITE_SINGLE_ROUNDING")
      ->excludes(litert);
  app.add_option("model", options.model, "An int8 .tflite file, or .onnx file in QDQ form")
      ->required()
      ->type_name("MODEL");
  app.add_option("input", options.input,
                 "Images [H, W, C], back to back, each with any further inputs behind it")
      ->required()
      ->type_name("INPUT.bin");
  app.add_option("output", options.output, "Gets the outputs, back to back")
      ->required()
      ->type_name("OUTPUT.bin");
  app.callback([&options] { run_reference(options); });
  return run_program(app, argc, argv);
}
