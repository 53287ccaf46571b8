#include "search/package/verify_package.h"

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "deploy/package/c_package.h"
#include "deploy/reference/reference_executor.h"
#include "search/base/files.h"
#include "search/base/sealed_json.h"
#include "search/base/stop_signal.h"
#include "search/base/text.h"

namespace patchnas {
namespace {

std::optional<Difference> first_difference(const std::vector<std::int8_t>& expected,
                                           const std::vector<std::int8_t>& actual,
                                           std::int64_t output_bytes) {
  const auto [e, a] = std::mismatch(expected.begin(), expected.end(), actual.begin());
  if (e == expected.end()) {
    return std::nullopt;
  }
  const std::int64_t index = std::distance(expected.begin(), e);
  return Difference{static_cast<int>(index / output_bytes), static_cast<int>(index % output_bytes),
                    *e, *a};
}

std::vector<std::int8_t> reference_outputs(const QuantizedNetwork& network,
                                           std::span<const std::int8_t> images,
                                           std::size_t image_bytes, Rounding rounding) {
  constexpr std::size_t kImagesAtATime = 64;
  std::vector<std::int8_t> outputs;
  for (std::size_t begin = 0; begin < images.size();) {
    if (stop_requested()) {
      throw_interrupted();
    }
    const std::size_t bytes = std::min(kImagesAtATime * image_bytes, images.size() - begin);
    const std::vector<std::int8_t> some =
        run_images(network, images.subspan(begin, bytes), arithmetic_of(rounding));
    outputs.insert(outputs.end(), some.begin(), some.end());
    begin += bytes;
  }
  return outputs;
}

// Of a run of one image.
std::vector<LayerInstructions> per_layer(const PackageFolder& package, const PackageRun& run) {
  std::vector<LayerInstructions> layers;
  for (std::size_t i = 0; i < run.layer_instructions.size(); ++i) {
    layers.push_back(
        {i < package.layers.size() ? package.layers[i] : "(before, between and after the layers)",
         run.layer_instructions[i]});
  }
  return layers;
}

}  // namespace

bool Verification::holds() const {
  return !first_difference && arena_bytes + static_bytes == estimated_sram_bytes &&
         macs.value_or(estimated_macs) == estimated_macs &&
         (target == RunTarget::kHost || stack_bytes <= kStackAllowanceBytes);
}

Verification verify_package(const PackageFolder& package, const QuantizedNetwork& network,
                            RunTarget target, Rounding rounding,
                            std::span<const std::int8_t> images) {
  const Network& shapes = network.network;
  if (shapes.input.elements() != package.input_bytes ||
      shapes.output().elements() != package.output_bytes ||
      shapes.layers.size() != package.layers.size()) {
    throw InputError(package.path.string() + ": is not a package of the model beside it");
  }
  const PackageRunner runner(package, target, rounding, Profiling::kOff);
  const PackageRun run = runner.run(images);
  const int count = static_cast<int>(images.size() / static_cast<std::size_t>(package.input_bytes));
  Verification result{
      .package = package.name,
      .target = target,
      .rounding = rounding,
      .images = count,
      .first_difference = first_difference(
          reference_outputs(network, images, static_cast<std::size_t>(package.input_bytes),
                            rounding),
          run.outputs, package.output_bytes),
      .estimated_sram_bytes =
          memory_report(shapes, package.schedule, MemoryModel::kDeployed, package.input)
              .peak_sram_bytes,
      .arena_bytes = runner.arena_bytes(),
      .static_bytes = runner.static_bytes(),
      .stack_bytes = run.stack_bytes,
      .estimated_flash_bytes = {},
      .flash_bytes = runner.flash_bytes(),
      .instructions = {},
      .layers = {},
      .estimated_macs = scheduled_macs(shapes, package.schedule),
      .macs = {}};
  const auto first = images.first(static_cast<std::size_t>(package.input_bytes));
  if (const std::optional<Core> core = core_of(target)) {
    result.estimated_flash_bytes =
        flash_report(shapes, ExecutionPlan(shapes, package.schedule, package.input), *core)
            .total_bytes();
    result.instructions = *run.instructions / count;
    const PackageRunner profiled(package, target, rounding, Profiling::kLayers);
    result.layers = per_layer(package, profiled.run(first));
  } else {
    result.macs = PackageRunner(package, target, rounding, Profiling::kMacs).run(first).macs;
  }
  return result;
}

std::string table(const Verification& v) {
  std::string text = fmt::format("{} on {}, {}, {} rounding\n", v.package, to_string(v.target),
                                 counted(v.images, "image"), to_string(v.rounding));
  text +=
      v.first_difference
          ? fmt::format("  outputs       differ: image {}, byte {} is {}, the reference has {}\n",
                        v.first_difference->image, v.first_difference->byte,
                        v.first_difference->actual, v.first_difference->expected)
          : "  outputs       identical with the integer reference's\n";
  text +=
      fmt::format("  SRAM          {:>12} bytes linked ({} arena, {} other), estimated {}\n",
                  with_separators(v.arena_bytes + v.static_bytes), with_separators(v.arena_bytes),
                  with_separators(v.static_bytes), with_separators(v.estimated_sram_bytes));
  text += fmt::format(
      "  stack         {:>12} bytes{}\n", with_separators(v.stack_bytes),
      v.target == RunTarget::kHost ? "" : ", allowed " + with_separators(kStackAllowanceBytes));
  text += fmt::format("  flash         {:>12} bytes linked", with_separators(v.flash_bytes));
  if (v.estimated_flash_bytes) {
    text += fmt::format(", estimated {} ({:+.2f} %)", with_separators(*v.estimated_flash_bytes),
                        100.0 * (static_cast<double>(*v.estimated_flash_bytes) /
                                     static_cast<double>(v.flash_bytes) -
                                 1.0));
  }
  text += "\n";
  if (v.macs) {
    text += fmt::format("  MACs          {:>12} executed for an image, estimated {}\n",
                        with_separators(*v.macs), with_separators(v.estimated_macs));
  }
  if (v.instructions) {
    text += fmt::format("  instructions  {:>12} an inference\n", with_separators(*v.instructions));
    for (const LayerInstructions& layer : v.layers) {
      text += fmt::format(
          "    {:>12}  {:5.1f} %  {}\n", with_separators(layer.instructions),
          100.0 * static_cast<double>(layer.instructions) / static_cast<double>(*v.instructions),
          layer.layer);
    }
  }
  return text;
}

nlohmann::ordered_json verification_json(const Verification& v) {
  nlohmann::ordered_json json{{"images", v.images},
                              {"rounding", to_string(v.rounding)},
                              {"identical", !v.first_difference.has_value()},
                              {"sram_bytes", v.arena_bytes + v.static_bytes},
                              {"estimated_sram_bytes", v.estimated_sram_bytes},
                              {"arena_bytes", v.arena_bytes},
                              {"static_bytes", v.static_bytes},
                              {"stack_bytes", v.stack_bytes},
                              {"flash_bytes", v.flash_bytes}};
  if (v.estimated_flash_bytes) {
    json["estimated_flash_bytes"] = *v.estimated_flash_bytes;
  }
  if (v.macs) {
    json["macs"] = *v.macs;
    json["estimated_macs"] = v.estimated_macs;
  }
  if (v.instructions) {
    json["instructions"] = *v.instructions;
    for (const LayerInstructions& layer : v.layers) {
      json["layers"].push_back({{"layer", layer.layer}, {"instructions", layer.instructions}});
    }
  }
  return json;
}

void add_to_report(const std::filesystem::path& file, const Verification& verification) {
  const std::string text = read_file(file);
  require_shallow_json(text, file.string());
  try {
    auto report = nlohmann::ordered_json::parse(text);
    const std::string key = std::string(to_string(verification.target)) +
                            (verification.rounding == Rounding::kSingle ? "-single-rounding" : "");
    report["verified"][key] = verification_json(verification);
    write_file(file, report.dump(2) + "\n");
  } catch (const nlohmann::json::exception& damage) {
    throw InputError(file.string() + ": not a report: " + damage.what());
  }
}

}  // namespace patchnas
