#include "search/report/verification.h"

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "search/base/text.h"
#include "search/report/report_schema.h"

namespace patchnas {
namespace {

std::int64_t linked_sram(const PackageFigures& figures) {
  return figures.arena_bytes + figures.static_bytes;
}

nlohmann::ordered_json origin_json(const PackageFigures& figures) {
  return {{"package", figures.package},
          {"target", to_string(figures.target)},
          {"rounding", to_string(figures.rounding)}};
}

nlohmann::ordered_json linked_json(const PackageFigures& figures) {
  nlohmann::ordered_json json{{"arena_bytes", figures.arena_bytes},
                              {"static_bytes", figures.static_bytes},
                              {"stack_bytes", figures.stack_bytes},
                              {"flash_bytes", figures.flash_bytes}};
  if (figures.instructions) {
    json["instructions"] = *figures.instructions;
  }
  return json;
}

nlohmann::ordered_json verification_json(const Verification& v) {
  nlohmann::ordered_json json = origin_json(v.figures);
  json["images"] = v.images;
  json["identical"] = !v.first_difference.has_value();
  json["sram_bytes"] = linked_sram(v.figures);
  json["estimated_sram_bytes"] = v.estimated_sram_bytes;
  json.update(linked_json(v.figures));
  if (v.estimated_flash_bytes) {
    json["estimated_flash_bytes"] = *v.estimated_flash_bytes;
  }
  if (v.macs) {
    json["macs"] = *v.macs;
    json["estimated_macs"] = v.estimated_macs;
  }
  for (const LayerInstructions& layer : v.layers) {
    json["layers"].push_back({{"name", layer.layer}, {"instructions", layer.instructions}});
  }
  return json;
}

}  // namespace

bool Verification::holds() const {
  return !first_difference && linked_sram(figures) == estimated_sram_bytes &&
         macs.value_or(estimated_macs) == estimated_macs &&
         figures.stack_bytes <= allowed_stack_bytes.value_or(figures.stack_bytes);
}

std::string table(const PackageFigures& figures) {
  nlohmann::ordered_json json = origin_json(figures);
  json.update(linked_json(figures));
  std::string text;
  for (const auto& [key, value] : json.items()) {
    text += fmt::format(
        "{:<16}{}\n", key,
        value.is_number() ? with_separators(value.get<std::int64_t>()) : value.get<std::string>());
  }
  return text;
}

std::string table(const Verification& v) {
  const PackageFigures& figures = v.figures;
  std::string text =
      fmt::format("{} on {}, {}, {} rounding\n", figures.package, to_string(figures.target),
                  counted(v.images, "image"), to_string(figures.rounding));
  text +=
      v.first_difference
          ? fmt::format("  outputs       differ: image {}, byte {} is {}, the reference has {}\n",
                        v.first_difference->image, v.first_difference->byte,
                        v.first_difference->actual, v.first_difference->expected)
          : "  outputs       identical with the integer reference's\n";
  text +=
      fmt::format("  SRAM          {:>12} bytes linked ({} arena, {} other), estimated {}\n",
                  with_separators(linked_sram(figures)), with_separators(figures.arena_bytes),
                  with_separators(figures.static_bytes), with_separators(v.estimated_sram_bytes));
  text += fmt::format(
      "  stack         {:>12} bytes{}\n", with_separators(figures.stack_bytes),
      v.allowed_stack_bytes ? ", allowed " + with_separators(*v.allowed_stack_bytes) : "");
  text += fmt::format("  flash         {:>12} bytes linked", with_separators(figures.flash_bytes));
  if (v.estimated_flash_bytes) {
    text += fmt::format(", estimated {} ({:+.2f} %)", with_separators(*v.estimated_flash_bytes),
                        100.0 * (static_cast<double>(*v.estimated_flash_bytes) /
                                     static_cast<double>(figures.flash_bytes) -
                                 1.0));
  }
  text += "\n";
  if (v.macs) {
    text += fmt::format("  MACs          {:>12} executed for an image, estimated {}\n",
                        with_separators(*v.macs), with_separators(v.estimated_macs));
  }
  if (figures.instructions) {
    const std::int64_t all = *figures.instructions;
    text += fmt::format("  instructions  {:>12} an inference\n", with_separators(all));
    for (const LayerInstructions& layer : v.layers) {
      text += fmt::format(
          "    {:>12}  {:5.1f} %  {}\n", with_separators(layer.instructions),
          100.0 * static_cast<double>(layer.instructions) / static_cast<double>(all), layer.layer);
    }
  }
  return text;
}

std::string figures_report(const PackageFigures& figures) {
  nlohmann::ordered_json report = new_report();
  report.update(origin_json(figures));
  report.update(linked_json(figures));
  return report_text(report);
}

std::string verification_report(const Verification& verification) {
  nlohmann::ordered_json report = new_report();
  report.update(verification_json(verification));
  return report_text(report);
}

void add_to_report(const std::filesystem::path& file, const Verification& verification) {
  nlohmann::ordered_json report = parse_report(read_file(file), file.string());
  if (!has_schema(report)) {
    throw InputError(file.string() +
                     ": of a version that had no schema; export or schedule writes it anew");
  }
  const PackageFigures& figures = verification.figures;
  const std::string key = std::string(to_string(figures.target)) +
                          (figures.rounding == Rounding::kSingle ? "-single-rounding" : "");
  report["verified"][key] = verification_json(verification);
  write_file(file, report_text(report));
}

}  // namespace patchnas
