// Records what another implementation computes for the operator cases:
//
//   make_operator_cases DIR             writes NAME.tflite and NAME.in (int8, [H, W, C]) of each
//   make_operator_cases --record DIR    prints operator_bytes.txt from the NAME.out that the other
//                                       implementation gave for them

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "deploy/tflite/tflite_export.h"
#include "tests/deploy/support/operator_cases.h"

namespace {

namespace fs = std::filesystem;

template <typename Bytes>
void write(const fs::path& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

std::string hexadecimal(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  for (auto byte = std::istreambuf_iterator<char>(file); byte != std::istreambuf_iterator<char>();
       ++byte) {
    const auto value = static_cast<unsigned char>(*byte);
    text += "0123456789abcdef"[value >> 4];
    text += "0123456789abcdef"[value & 15];
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool records = arguments.size() == 2 && arguments[0] == "--record";
  if (!records && arguments.size() != 1) {
    std::cerr << "usage: make_operator_cases [--record] DIR\n";
    return 2;
  }
  const fs::path folder = arguments.back();
  fs::create_directories(folder);
  for (const auto& [name, network, input] : patchnas::testing::operator_cases()) {
    if (records) {
      std::cout << name << " " << hexadecimal(folder / (name + ".out")) << "\n";
    } else {
      write(folder / (name + ".tflite"), patchnas::export_tflite(network));
      write(folder / (name + ".in"), input);
    }
  }
  return 0;
}
