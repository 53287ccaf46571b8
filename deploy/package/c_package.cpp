#include "deploy/package/c_package.h"

#include <algorithm>
#include <cctype>

#include "arch/base/error.h"
#include "deploy/package/c_emitter.h"
#include "deploy/package/c_names.h"

namespace patchnas {

CProgram::CProgram(const QuantizedNetwork& quantised_network, const PatchSchedule& patch_schedule,
                   InputMode input_mode, std::string package_name)
    : quantised(quantised_network),
      network(quantised_network.network),
      schedule(patch_schedule),
      name(std::move(package_name)),
      upper(upper_case(name)),
      layers(layer_identifiers(network)),
      plan(network, schedule, input_mode),
      arena(plan_arena(plan)) {}

std::string CProgram::suffix(TensorId tensor) const {
  if (tensor == kImage || (!is_input(tensor) && network.outputs.empty())) {
    return "";
  }
  const std::string& name_of_layer = layers[static_cast<std::size_t>(tensor) - 1];
  const auto is_same = [upper_case_name = upper_case(name_of_layer)](const std::string& other) {
    return upper_case(other) == upper_case_name;
  };
  return std::count_if(layers.begin(), layers.end(), is_same) > 1
             ? "_tensor" + std::to_string(tensor)
             : "_" + name_of_layer;
}

std::vector<TensorId> CProgram::further_inputs() const {
  std::vector<TensorId> tensors;
  for (TensorId tensor = 1; tensor < network.input_count(); ++tensor) {
    tensors.push_back(tensor);
  }
  return tensors;
}

std::string c_package_name(std::string_view text) {
  constexpr std::size_t kLongest = 60;  // the longest name of a file is that of NAME_weights.c
  std::string name = c_identifier(text.substr(0, kLongest));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name.empty()) {
    return "network";
  }
  return is_taken_name(name) ? c_package_name("net_" + name) : name;
}

CPackage make_c_package(const QuantizedNetwork& network, const PatchSchedule& schedule,
                        InputMode input, const std::string& name) {
  if (const std::string allowed = c_package_name(name); name.empty() || name != allowed) {
    throw InputError("package name '" + name +
                     "': allowed are up to 60 lower-case letters, digits and single underscores, a "
                     "letter first, that no header, library or build target is called, as '" +
                     allowed + "'");
  }
  validate(network.network, schedule);
  const CProgram program(network, schedule, input, name);
  CPackage package{.files = {}, .arena_bytes = program.arena.arena_bytes};
  std::map<std::string, std::string>& files = package.files;
  files[name + ".h"] = emit_interface(program);
  files[name + ".c"] = emit_program(program);
  files[name + "_weights.h"] = emit_declarations(program);
  files[name + "_weights.c"] = emit_constants(program);
  // The constants' header brings in the interface of the kernels.
  files.merge(emit_runtime(program, files[name + ".c"] + files[name + "_weights.h"]));
  std::vector<std::string> sources;
  for (const auto& [path, text] : files) {
    if (path.ends_with(".c")) {
      sources.push_back(path);
    }
  }
  files["README.md"] = emit_readme(program);
  files["Makefile"] = emit_makefile(program, sources);
  files["package.cmake"] = emit_cmake(program, sources);
  files["package.json"] = emit_description(program, sources);
  return package;
}

}  // namespace patchnas
