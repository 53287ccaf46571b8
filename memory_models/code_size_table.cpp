#include "memory_models/code_size_table.h"

#include <algorithm>
#include <sstream>

#include "arch/base/yaml_reader.h"
#include "memory_models/code_size_data.h"

namespace patchnas {
namespace {

constexpr std::array kCoreNames = {"cortex-m4", "cortex-m7", "cortex-m55"};
static_assert(kCoreNames.size() == std::size(kCores));

constexpr Allowed<int> kBytes = {0, 1 << 24};

// Names of functions that are no kernels are passed over.
KernelSet parse_kernels(const std::string& names) {
  KernelSet kernels;
  std::istringstream words(names);
  for (std::string name; words >> name;) {
    const auto* const found =
        std::find_if(kKernels.begin(), kKernels.end(),
                     [&](const KernelFacts& kernel) { return kernel.name == name; });
    if (found != kKernels.end()) {
      kernels.insert(found->function);
    }
  }
  return kernels;
}

}  // namespace

std::string_view to_string(Core core) { return kCoreNames[static_cast<std::size_t>(core)]; }

CodeSizeTable CodeSizeTable::parse(std::string_view yaml, const std::string& source) {
  YamlReader reader = YamlReader::parse_text(yaml, source);
  CodeSizeTable table;
  table.sources_ = reader.string("sources_sha256");
  YamlReader structs = reader.map("structs");
  for (const KernelConstantFacts& constant : kKernelConstants) {
    table.struct_bytes_[static_cast<std::size_t>(constant.constant)] =
        structs.integer(std::string(constant.type), kBytes);
  }
  YamlReader targets = reader.map("targets");
  for (const Core core : kCores) {
    CoreSizes& sizes = table.cores_[static_cast<std::size_t>(core)];
    YamlReader target = targets.map(std::string(to_string(core)));
    YamlReader kernels = target.map("kernels");
    for (const KernelFacts& kernel : kKernels) {
      sizes.kernels[static_cast<std::size_t>(kernel.function)] =
          kernels.integer(std::string(kernel.name), kBytes);
    }
    if (target.has("shared")) {
      for (YamlReader& shared : target.maps("shared")) {
        sizes.shared.push_back({.kernels = parse_kernels(shared.string("kernels")),
                                .bytes = shared.integer("bytes", kBytes)});
      }
    }
  }
  return table;
}

std::int64_t CodeSizeTable::kernel_bytes(Core core, KernelFunction kernel) const {
  return sizes(core).kernels[static_cast<std::size_t>(kernel)];
}

std::int64_t CodeSizeTable::code_bytes(Core core, const KernelSet& kernels) const {
  std::int64_t bytes = 0;
  for (const KernelFacts& kernel : kKernels) {
    bytes += kernels.contains(kernel.function) ? kernel_bytes(core, kernel.function) : 0;
  }
  for (const SharedCode& shared : sizes(core).shared) {
    bytes += shared.kernels.intersects(kernels) ? shared.bytes : 0;
  }
  return bytes;
}

const CodeSizeTable& measured_code_sizes() {
  static const CodeSizeTable table =
      CodeSizeTable::parse(kCodeSizeYaml, "runtime/code_size.yaml (built in)");
  return table;
}

}  // namespace patchnas
