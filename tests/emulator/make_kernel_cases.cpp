// make_kernel_cases COUNT double|single FILE: random calls of the runtime's kernels with the
// reference's answers, which round twice or once, for kernel_cases_main.c to run on an emulated
// processor.

#include <fstream>
#include <iostream>
#include <string>

#include "tests/runtime/kernel_cases.h"

int main(int argc, char** argv) {
  const std::string rounding = argc == 4 ? argv[2] : "";
  if (rounding != "double" && rounding != "single") {
    std::cerr << "usage: make_kernel_cases COUNT double|single FILE\n";
    return 2;
  }
  patchnas::RandomStream stream(7, "emulator/kernels");
  const std::vector<std::int32_t> words = patchnas::testing::kernel_cases(
      std::stoi(argv[1]), stream,
      rounding == "single" ? patchnas::Arithmetic::kTfliteMicroSingleRounding
                           : patchnas::Arithmetic::kTfliteMicro);
  std::ofstream file(argv[3], std::ios::binary);
  file.write(reinterpret_cast<const char*>(words.data()),
             static_cast<std::streamsize>(words.size() * sizeof(words[0])));
  file.close();
  return file ? 0 : 1;
}
