#include "arch/architecture.h"

#include "arch/base/yaml_reader.h"

namespace patchnas {

std::string_view to_string(BlockActivation activation) {
  return activation == BlockActivation::kRelu6 ? "relu6" : "hard_swish";
}

std::string_view to_string(SqueezeExcitation squeeze_excitation) {
  return squeeze_excitation == SqueezeExcitation::kPresent ? "true" : "false";
}

std::string to_json(const Architecture& architecture) {
  std::string text = "{\"resolution\":" + std::to_string(architecture.resolution) + ",\"stages\":[";
  for (std::size_t s = 0; s < architecture.stages.size(); ++s) {
    text += s == 0 ? "[" : ",[";
    for (std::size_t b = 0; b < architecture.stages[s].size(); ++b) {
      const BlockChoice& block = architecture.stages[s][b];
      text += b == 0 ? "" : ",";
      text += "{\"kernel\":" + std::to_string(block.kernel_size) +
              ",\"expand\":" + std::to_string(block.expand_ratio) +
              ",\"width\":" + std::to_string(block.width);
      if (block.activation != BlockActivation::kRelu6) {
        text.append(",\"activation\":\"").append(to_string(block.activation)).append("\"");
      }
      if (block.squeeze_excitation == SqueezeExcitation::kPresent) {
        text += ",\"squeeze_excitation\":true";
      }
      text += "}";
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
      const int kernel_size = block.integer("kernel", {1, 15});
      const int expand_ratio = block.integer("expand", {1, 64});
      const int width = block.integer("width", {1, 65536});
      const std::size_t activation =
          block.choice("activation", {"relu6", "hard_swish"}, std::size_t{0});
      const bool is_excited = block.boolean("squeeze_excitation", false);
      blocks.push_back({.kernel_size = kernel_size,
                        .expand_ratio = expand_ratio,
                        .width = width,
                        .activation = static_cast<BlockActivation>(activation),
                        .squeeze_excitation = static_cast<SqueezeExcitation>(is_excited)});
      block.finish();
    }
  }
  reader.finish();
  return architecture;
}

}  // namespace patchnas
