// What memory_models_python.py is compared with: the benchmark's candidates and what we find for
// them.
//
//   candidate_costs configs/fashion_mnist_32kb.yaml 64 resident > candidates.json

#include <cstdlib>
#include <exception>
#include <iostream>

#include <nlohmann/json.hpp>

#include "arch/base/error.h"
#include "benchmarks/candidates.h"

namespace patchnas::benchmarks {
namespace {

using Json = nlohmann::ordered_json;

Json json(const TensorShape& shape) { return {shape.height, shape.width, shape.channels}; }

Json json(const Network& network) {
  Json layers = Json::array();
  for (const Layer& layer : network.layers) {
    const Kernel& k = layer.kernel;
    Json inputs = {layer.inputs[0]};
    if (layer.input_count() == 2) {
      inputs.push_back(layer.inputs[1]);
    }
    layers.push_back({{"kind", to_string(layer.kind)},
                      {"inputs", std::move(inputs)},
                      {"output", json(layer.output)},
                      {"kernel", {k.height, k.width}},
                      {"stride", {k.stride_h, k.stride_w}},
                      {"pad", {k.pad_top, k.pad_left}}});
  }
  return {{"input", json(network.input)}, {"layers", std::move(layers)}};
}

Json json(const CandidateJudge& judge) {
  Json schedules = Json::array();
  for (std::size_t i = 0; i < judge.costs().size(); ++i) {
    const ScheduleCosts& costs = judge.costs()[i];
    schedules.push_back({costs.grid.rows, costs.grid.cols, costs.split_layer, costs.macs,
                         costs.deployed_bytes, costs.mcunetv2_bytes, judge.flash_bytes()[i]});
  }
  return schedules;
}

// Code is measured, not computed: its sizes are part of the question.
Json measured_sizes(InputMode input) {
  const CodeSizeTable& sizes = measured_code_sizes();
  const ProgramSizeTable& program = measured_program_sizes();
  return {{"kernel_struct", sizes.struct_bytes(KernelConstant::kKernel)},
          {"weights_struct", sizes.struct_bytes(KernelConstant::kWeights)},
          {"add_scales_struct", sizes.struct_bytes(KernelConstant::kAddScales)},
          {"mean_scale_struct", sizes.struct_bytes(KernelConstant::kMeanScale)},
          {"program", program.bytes(kCore, program_part(input))},
          {"patch_loops", program.bytes(kCore, ProgramPart::kPatchLoops)}};
}

// Of each layer: where it runs whole, and in patches.
Json call_bytes(const Network& network) {
  Json bytes = Json::array();
  for (int i = 0; i < network.layer_count(); ++i) {
    const KernelFunction kernel = kernel_function(network.layers[static_cast<std::size_t>(i)]);
    const auto of_form = [&](CallForm form) {
      return measured_program_sizes().call_bytes(kCore, network, i, kernel, form);
    };
    bytes.push_back({of_form(CallForm::kWhole), of_form(CallForm::kPatch)});
  }
  return bytes;
}

void write_candidates(const std::string& file, int count, InputMode input) {
  const SearchSpace space = read_space(file);
  Json grids = Json::array();
  for (const TileGrid& grid : space.schedules.patch_grids) {
    grids.push_back({grid.rows, grid.cols});
  }
  Json candidates = Json::array();
  CandidateJudge judge(space, input);
  for (const Architecture& architecture : random_architectures(space, count)) {
    judge.judge(architecture);
    const Network& network = judge.network();
    candidates.push_back(
        {{"network", json(network)},
         {"code_bytes", measured_code_sizes().code_bytes(kCore, kernels_of_layers(network))},
         {"call_bytes", call_bytes(network)},
         {"schedules", json(judge)}});
  }
  std::cout << Json{{"input_mode", to_string(input)},
                    {"grids", std::move(grids)},
                    {"sizes", measured_sizes(input)},
                    {"candidates", std::move(candidates)}}
            << '\n';
}

}  // namespace
}  // namespace patchnas::benchmarks

int main(int argc, char** argv) {
  using patchnas::InputMode;
  const int count = argc == 4 ? std::atoi(argv[2]) : 0;
  const std::string_view mode = argc == 4 ? argv[3] : "";
  if (count < 1 || (mode != "resident" && mode != "streamed")) {
    std::cerr << "usage: candidate_costs SPACE.yaml COUNT resident|streamed\n";
    return 2;
  }
  try {
    patchnas::benchmarks::write_candidates(
        argv[1], count, mode == "resident" ? InputMode::kResident : InputMode::kStreamed);
  } catch (const patchnas::InputError& error) {
    std::cerr << "candidate_costs: " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "candidate_costs: " << error.what() << '\n';
    return 1;
  }
}
