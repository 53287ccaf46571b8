#include "arch/architecture.h"

#include "arch/base/yaml_reader.h"

namespace patchnas {

std::string to_json(const Architecture& architecture) {
  std::string text = "{\"resolution\":" + std::to_string(architecture.resolution) + ",\"stages\":[";
  for (std::size_t s = 0; s < architecture.stages.size(); ++s) {
    text += s == 0 ? "[" : ",[";
    for (std::size_t b = 0; b < architecture.stages[s].size(); ++b) {
      const BlockChoice& block = architecture.stages[s][b];
      text += b == 0 ? "" : ",";
      text += "{\"kernel\":" + std::to_string(block.kernel_size) +
              ",\"expand\":" + std::to_string(block.expand_ratio) +
              ",\"width\":" + std::to_string(block.width) + "}";
    }
    text += "]";
  }
  return text + "]}";
}

Architecture parse_architecture(std::string_view json, const std::string& source) {
  YamlReader reader = YamlReader::parse_text(json, source);
  Architecture architecture;
  architecture.resolution = reader.integer("resolution", {1, 4096});
  for (std::vector<YamlReader>& stage : reader.nested_maps("stages")) {
    std::vector<BlockChoice>& blocks = architecture.stages.emplace_back();
    for (YamlReader& block : stage) {
      blocks.push_back({.kernel_size = block.integer("kernel", {1, 15}),
                        .expand_ratio = block.integer("expand", {1, 64}),
                        .width = block.integer("width", {1, 65536})});
      block.finish();
    }
  }
  reader.finish();
  return architecture;
}

}  // namespace patchnas
