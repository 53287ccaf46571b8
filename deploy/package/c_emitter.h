#pragma once

// The parts of a C package, each a file: used by c_package.cpp alone.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/execution_plan.h"
#include "arch/operator_table.h"
#include "arch/quantized_network.h"
#include "memory_models/arena_plan.h"

namespace patchnas {

/// What all files of a package are made from.
struct CProgram {
  /// Both must be valid (validate()).
  CProgram(const QuantizedNetwork& network, const PatchSchedule& schedule, InputMode input,
           std::string name);

  const QuantizedNetwork& quantised;
  const Network& network;
  PatchSchedule schedule;
  std::string name;                 ///< "vww"
  std::string upper;                ///< "VWW"
  std::vector<std::string> layers;  ///< identifiers
  ExecutionPlan plan;
  ArenaPlan arena;

  [[nodiscard]] const Layer& layer(int index) const {
    return network.layers[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] bool reads_by_callback() const { return plan.input() == InputMode::kStreamed; }
  [[nodiscard]] bool is_input(TensorId tensor) const { return tensor < network.input_count(); }
  /// What names in the interface end in that are about one input or output: "" for the image and
  /// for the only output, "_boxes" for what the file calls boxes.
  [[nodiscard]] std::string suffix(TensorId tensor) const;
  [[nodiscard]] std::vector<TensorId> further_inputs() const;
  /// What the layer's kernel is called with.
  [[nodiscard]] std::span<const KernelConstant> constants_of(int index) const {
    return kernel_facts(plan.step(plan.step_of_layer(index)).kernel).constants();
  }
  /// "vww_stem_map": of a layer that has_constant_map
  [[nodiscard]] std::string constant_map(int layer) const {
    return name + "_" + layers[static_cast<std::size_t>(layer)] + "_map";
  }
  /// "vww_stem_weights"
  [[nodiscard]] std::string constant(int layer, KernelConstant constant) const {
    return name + "_" + layers[static_cast<std::size_t>(layer)] + "_" +
           std::string(constant_facts(constant).ending);
  }
};

/// "48x48x3", "20x15x18 and 10x8x18"
std::string inputs_text(const CProgram& program);
std::string outputs_text(const CProgram& program);
/// "VWW_INPUT", "VWW_OUTPUT_BOXES"
std::string macro_prefix(const CProgram& program, std::string_view end, TensorId tensor);
/// Of NAME_invoke, between the arena and the output: "const int8_t* image"
std::string invoke_parameters(const CProgram& program);
std::string emit_interface(const CProgram& program);     ///< NAME.h
std::string emit_conversions(const CProgram& program);   ///< a part of it
std::string emit_program(const CProgram& program);       ///< NAME.c
std::string emit_constants(const CProgram& program);     ///< NAME_weights.c
std::string emit_declarations(const CProgram& program);  ///< NAME_weights.h
/// runtime/: path in the package -> text
/// @param calls the sources that call the kernels
std::map<std::string, std::string> emit_runtime(const CProgram& program, std::string_view calls);
std::string emit_readme(const CProgram& program);
/// @param sources every .c file of the package, by its path there
std::string emit_makefile(const CProgram& program, const std::vector<std::string>& sources);
std::string emit_cmake(const CProgram& program, const std::vector<std::string>& sources);
std::string emit_description(const CProgram& program, const std::vector<std::string>& sources);

}  // namespace patchnas
