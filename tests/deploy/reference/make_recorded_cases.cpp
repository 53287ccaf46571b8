// Records what another implementation computes for the recorded cases:
//
//   make_recorded_cases DIR             writes NAME.tflite and NAME.in (int8, [H, W, C]) of each
//   make_recorded_cases --record operators|networks|files DIR
//                                       prints operator_bytes.txt, network_bytes.txt or
//                                       file_bytes.txt from the NAME.out that the other
//                                       implementation gave for them

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "deploy/tflite/tflite_export.h"
#include "tests/deploy/support/recorded_cases.h"

namespace {

namespace fs = std::filesystem;
using patchnas::testing::FileCase;
using patchnas::testing::RecordedCase;

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

void write_files(const std::vector<FileCase>& cases, const fs::path& folder) {
  for (const auto& [name, file, input] : cases) {
    write(folder / (name + ".tflite"), file);
    write(folder / (name + ".in"), input);
  }
}

void write_files(const std::vector<RecordedCase>& cases, const fs::path& folder) {
  for (const auto& [name, network, input] : cases) {
    write(folder / (name + ".tflite"), patchnas::export_tflite(network));
    write(folder / (name + ".in"), input);
  }
}

template <typename Case>
void print_record(const std::vector<Case>& cases, const fs::path& folder) {
  for (const Case& recorded : cases) {
    std::cout << recorded.name << " " << hexadecimal(folder / (recorded.name + ".out")) << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1) {
    fs::create_directories(arguments[0]);
    write_files(patchnas::testing::operator_cases(), arguments[0]);
    write_files(patchnas::testing::network_cases(), arguments[0]);
    write_files(patchnas::testing::file_cases(), arguments[0]);
    return 0;
  }
  if (arguments.size() == 3 && arguments[0] == "--record") {
    if (arguments[1] == "operators") {
      print_record(patchnas::testing::operator_cases(), arguments[2]);
      return 0;
    }
    if (arguments[1] == "networks") {
      print_record(patchnas::testing::network_cases(), arguments[2]);
      return 0;
    }
    if (arguments[1] == "files") {
      print_record(patchnas::testing::file_cases(), arguments[2]);
      return 0;
    }
  }
  std::cerr << "usage: make_recorded_cases [--record operators|networks|files] DIR\n";
  return 2;
}
