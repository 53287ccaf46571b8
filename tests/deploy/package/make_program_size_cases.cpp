// Writes cases for scripts/measure_program_size:
//
//   make_program_size_cases DIR
//
// Programs of random networks, small ones and inverted residuals of usual widths, under random
// schedules. DIR/cases has a line for each: NAME BYTES COUNT..., the bytes of its schedule's tables
// and how often each part of the program occurs (memory_models/program_size.h); DIR/parts names the
// parts.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "memory_models/memory_models.h"
#include "tests/deploy/support/compiled_package.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas::testing {
namespace {

constexpr int kNetworks = 70;  // of each sort
constexpr int kSoftmaxes = 8;

Network inverted_residuals(RandomStream& stream) {
  const auto between = [&stream](int low, int high) {
    return low + static_cast<int>(stream.below(static_cast<std::uint64_t>(high - low + 1)));
  };
  SearchSpace space;
  space.input_channels = 3;
  space.classes = between(2, 100);
  space.resolutions = {8 * between(3, 12)};
  space.padding = stream.chance(0.5) ? Padding::kSame : Padding::kSymmetric;
  space.stem_width = between(8, 32);
  for (int stages = between(1, 4); stages > 0; --stages) {
    space.stages.push_back({.stride = between(1, 2),
                            .depths = {1, 2, 3},
                            .kernel_sizes = {3, 5, 7},
                            .expand_ratios = {1, 3, 4, 6},
                            .widths = {between(8, 24), between(24, 96)}});
  }
  space.head_width = stream.chance(0.3) ? between(32, 128) : 0;
  return lower(space, sample(space, stream));
}

// A softmax of a map, which random networks seldom compute in patches.
Network softmax_of_map(RandomStream& stream) {
  Network network = random_general_network(stream);
  while (network.output().height < 2 || network.output().width < 2) {
    network = random_general_network(stream);
  }
  Layer softmax;
  softmax.kind = LayerKind::kSoftmax;
  softmax.inputs = {network.layer_count(), kNoTensor};
  softmax.output = network.output();
  network.layers.push_back(softmax);
  return network;
}

void write_cases(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream parts(folder / "parts");
  for (int part = 0; part < kProgramParts; ++part) {
    parts << to_string(static_cast<ProgramPart>(part)) << '\n';
  }
  RandomStream stream(1, "program size");
  std::ofstream cases(folder / "cases");
  for (int i = 0; i < 2 * kNetworks + kSoftmaxes; ++i) {
    const bool is_softmax = i >= 2 * kNetworks;
    const QuantizedNetwork network = is_softmax ? random_quantised(softmax_of_map(stream), stream)
                                     : i < kNetworks
                                         ? random_quantised_network(stream)
                                         : random_quantised(inverted_residuals(stream), stream);
    const PatchSchedule schedule =
        is_softmax ? PatchSchedule::leading({2, 2}, network.network.layer_count())
                   : random_schedule(network.network, stream);
    for (const InputMode input : kInputModes) {
      const std::string name = "case" + std::to_string(i) + std::string(to_string(input));
      CPackage package = make_c_package(network, schedule, input, name);
      std::erase_if(package.files, [&](const auto& file) {
        return file.first != name + ".c" && !file.first.ends_with(".h");
      });
      write_package(package, folder);
      const ExecutionPlan plan(network.network, schedule, input);
      cases << name << ' '
            << flash_report(network.network, plan, Core::kCortexM4).schedule_tables_bytes;
      for (const int count : program_parts(network.network, plan).counts) {
        cases << ' ' << count;
      }
      cases << '\n';
    }
  }
  if (!cases.flush() || !parts.flush()) {
    throw std::runtime_error(folder.string() + ": cannot write");
  }
}

}  // namespace
}  // namespace patchnas::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_program_size_cases DIR\n";
    return 2;
  }
  try {
    patchnas::testing::write_cases(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "make_program_size_cases: " << error.what() << '\n';
    return 1;
  }
}
