// Runs raw images through the integer reference:
//
//   patchnas_reference [--litert|--single-rounding] MODEL.tflite INPUT.bin OUTPUT.bin
//
// INPUT.bin has images [H, W, C] back to back, OUTPUT.bin gets the outputs back to back, both in
// the numbers of the file's ends: int8, uint8 or float32. With --litert it computes as LiteRT does,
// not as TensorFlow Lite Micro; with --single-rounding as TensorFlow Lite Micro built with
// TFLITE_SINGLE_ROUNDING.

#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "arch/error.h"
#include "deploy/end_numbers.h"
#include "deploy/reference_executor.h"
#include "deploy/tflite_import.h"

namespace {

std::vector<std::uint8_t> read_images(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) {
    throw patchnas::InputError(path + ": cannot be read");
  }
  return {bytes.begin(), bytes.end()};
}

void write(const std::string& path, const std::vector<std::uint8_t>& values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size()));
  file.close();
  if (!file) {
    throw patchnas::Error(path + ": cannot be written");
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  auto arithmetic = patchnas::Arithmetic::kTfliteMicro;
  if (!arguments.empty() && arguments.front() == "--litert") {
    arithmetic = patchnas::Arithmetic::kLiteRt;
    arguments.erase(arguments.begin());
  } else if (!arguments.empty() && arguments.front() == "--single-rounding") {
    arithmetic = patchnas::Arithmetic::kTfliteMicroSingleRounding;
    arguments.erase(arguments.begin());
  }
  try {
    if (arguments.size() != 3) {
      throw patchnas::InputError(
          "usage: patchnas_reference [--litert|--single-rounding] MODEL.tflite INPUT.bin "
          "OUTPUT.bin");
    }
    const patchnas::QuantizedNetwork network = patchnas::import_tflite_file(arguments[0]);
    const std::vector<std::int8_t> images = patchnas::to_int8(
        read_images(arguments[1]), network.input_end, network.input_quantisation(), arithmetic);
    write(arguments[2],
          patchnas::from_int8(patchnas::run_images(network, images, arithmetic), network.output_end,
                              network.output_quantisation(), arithmetic));
  } catch (const patchnas::Error& error) {
    std::cerr << error.what() << '\n';
    return error.exit_code();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
