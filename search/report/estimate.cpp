#include "search/report/estimate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "arch/tile_geometry.h"
#include "search/base/text.h"
#include "search/engine/latency_file.h"

namespace patchnas {
namespace {

std::string shape_text(const TensorShape& shape) {
  return fmt::format("{}x{}x{}", shape.height, shape.width, shape.channels);
}

nlohmann::ordered_json shape_json(const TensorShape& shape) {
  return {shape.height, shape.width, shape.channels};
}

// Of the layers that run as patches, each executed once.
std::int64_t macs_of_patch_stage(const Network& network, const PatchSchedule& schedule) {
  std::int64_t macs = 0;
  for (const Segment& segment : schedule.segments) {
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      macs += layer_macs(network, layer);
    }
  }
  return macs;
}

std::string what_of_the_image(MemoryModel model, InputMode input) {
  switch (model) {
    case MemoryModel::kDeployed:
      return "input " + std::string(to_string(input));
    case MemoryModel::kMcunetV2:
      return "image not counted";
    case MemoryModel::kTflm:
      return "image counted";
  }
  return "";
}

// Of the table's first column. Converters make names out of everything that they fused.
std::size_t width_of_names(const Network& network) {
  constexpr std::size_t kNarrowest = 26;
  constexpr std::size_t kWidest = 56;
  std::size_t longest = kNarrowest;
  for (int i = 0; i < network.layer_count(); ++i) {
    longest = std::max(longest, network.layer_name(i).size());
  }
  return std::min(longest, kWidest);
}

}  // namespace

NetworkEstimate::NetworkEstimate(Network network_, PatchSchedule schedule_, const Target& target_,
                                 const LatencyModel* latency_model)
    : network(std::move(network_)), schedule(std::move(schedule_)), target(target_) {
  validate(network, schedule);
  layer_macs = scheduled_layer_macs(network, schedule);
  for (const MemoryModel model : kMemoryModels) {
    memory.emplace(model, memory_report(network, schedule, model, target.input));
  }
  const ExecutionPlan plan(network, schedule, target.input);
  flash = flash_report(network, plan, target.core);
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    layer_flash_bytes.push_back(
        step_flash(network, plan, target.core, plan.step_of_layer(layer)).total_bytes());
  }
  if (latency_model != nullptr) {
    latency = latency_report(network, plan, *latency_model);
    latency_unit = latency_model->unit();
  }
}

std::int64_t NetworkEstimate::macs() const {
  return std::accumulate(layer_macs.begin(), layer_macs.end(), std::int64_t{0});
}

nlohmann::ordered_json schedule_json(const Network& network, const PatchSchedule& schedule) {
  const TileGrid grid = schedule.leading_grid();
  const int split_layer = schedule.split_layer();
  nlohmann::ordered_json json{
      {"patches_h", grid.rows}, {"patches_w", grid.cols}, {"split_layer", split_layer}};
  if (const int blocks = split_layer > 0 ? split_block(network, split_layer) : -1; blocks >= 0) {
    json["split_block"] = blocks;
  }
  return json;
}

nlohmann::ordered_json flash_json(const FlashReport& flash) {
  return {{"total", flash.total_bytes()},
          {"weights", flash.weights_bytes},
          {"biases", flash.biases_bytes},
          {"requantisation", flash.requantisation_bytes},
          {"layer_parameters", flash.layer_parameters_bytes},
          {"schedule_tables", flash.schedule_tables_bytes},
          {"program", flash.program_bytes},
          {"code", flash.code_bytes}};
}

std::string describe(const Network& network, const PatchSchedule& schedule) {
  const int split_layer = schedule.split_layer();
  if (split_layer == 0) {
    return "layer by layer";
  }
  const TileGrid grid = schedule.leading_grid();
  const int blocks = split_block(network, split_layer);
  std::string where = fmt::format("the first {} of {} layers", split_layer, network.layer_count());
  if (blocks == 0) {
    where = "the stem";
  } else if (blocks > 0) {
    where = fmt::format("the stem and the first {} ({} of {} layers)",
                        blocks == 1 ? "block" : fmt::format("{} blocks", blocks), split_layer,
                        network.layer_count());
  }
  return fmt::format("{} x {} patches over {}", grid.rows, grid.cols, where);
}

nlohmann::ordered_json NetworkEstimate::json() const {
  nlohmann::ordered_json json{{"macs", macs()},
                              {"macs_layer_by_layer", network_macs(network)},
                              {"macs_unclipped", unclipped_macs(network, schedule)},
                              {"params", parameter_count(network)},
                              {"flash_bytes", flash.total_bytes()},
                              {"flash", flash_json(flash)},
                              {"core", to_string(target.core)},
                              {"input", to_string(target.input)}};
  if (latency) {
    json["latency"] = latency_json(*latency, latency_unit, target);
  }
  for (const auto& [model, report] : memory) {
    json["peak_sram_bytes"][std::string(to_string(model))] = report.peak_sram_bytes;
  }
  json["schedule"] = schedule_json(network, schedule);
  for (int i = 0; i < network.layer_count(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    const Layer& layer = network.layers[index];
    nlohmann::ordered_json entry{{"name", network.layer_name(i)},
                                 {"kind", to_string(layer.kind)},
                                 {"input", shape_json(network.shape(layer.inputs[0]))},
                                 {"output", shape_json(layer.output)},
                                 {"macs", layer_macs[index]},
                                 {"macs_layer_by_layer", patchnas::layer_macs(network, i)},
                                 {"flash_bytes", layer_flash_bytes[index]}};
    if (latency) {
      entry["latency"] = latency->layers[index].cost;
      entry["latency_predicted"] = latency->layers[index].predicted;
    }
    for (const auto& [model, report] : memory) {
      entry["sram_bytes"][std::string(to_string(model))] = report.layer_bytes[index];
    }
    json["layers"].push_back(std::move(entry));
  }
  return json;
}

std::string NetworkEstimate::table() const {
  const std::size_t name_width = width_of_names(network);
  std::string text = fmt::format("{:<{}} {:<18} {:>13} {:>13} {:>14}", "layer", name_width, "kind",
                                 "input", "output", "MACs");
  for (const auto& [model, report] : memory) {
    text += fmt::format(" {:>12}", std::string(to_string(model)) + " B");
  }
  text += fmt::format(" {:>11}", "flash B");
  if (latency) {
    text += fmt::format(" {:>14} ", latency_unit);
  }
  text += "\n";
  for (int i = 0; i < network.layer_count(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    const Layer& layer = network.layers[index];
    text +=
        fmt::format("{:<{}.{}} {:<18} {:>13} {:>13} {:>14}", network.layer_name(i), name_width,
                    name_width, to_string(layer.kind), shape_text(network.shape(layer.inputs[0])),
                    shape_text(layer.output), with_separators(layer_macs[index]));
    for (const auto& [model, report] : memory) {
      text += fmt::format(" {:>12}", with_separators(report.layer_bytes[index]));
    }
    text += fmt::format(" {:>11}", with_separators(layer_flash_bytes[index]));
    if (latency) {
      const LayerLatency& of_layer = latency->layers[index];
      text += fmt::format(" {:>14}{}", with_separators(std::llround(of_layer.cost)),
                          of_layer.predicted > 0.0 ? "~" : " ");
    }
    text += i + 1 == schedule.split_layer() ? "  <- end of the patches\n" : "\n";
  }
  const std::int64_t plain_macs = network_macs(network);
  const auto overhead = [plain_macs](std::int64_t macs, std::int64_t once) {
    return 100.0 * static_cast<double>(macs - plain_macs) / static_cast<double>(once);
  };
  text += fmt::format("\nschedule       {}\nMACs           {} ({:+.1f} % against layer by layer)\n",
                      describe(network, schedule), with_separators(macs()),
                      overhead(macs(), plain_macs));
  if (const std::int64_t once = macs_of_patch_stage(network, schedule); once > 0) {
    const std::int64_t unclipped = unclipped_macs(network, schedule);
    text += fmt::format(
        "               {:+.1f} % of the patch stage; with every patch as large as an inner one "
        "{:+.1f} "
        "%, {:+.1f} % of the network\n",
        overhead(macs(), once), overhead(unclipped, once), overhead(unclipped, plain_macs));
  }
  text += fmt::format("parameters     {}\n", with_separators(parameter_count(network)));
  text += fmt::format(
      "flash          {} bytes: weights {}, biases {}, requantisation {}, layer parameters "
      "{}, schedule tables {}, program {}, {} kernels {}\n",
      with_separators(flash.total_bytes()), with_separators(flash.weights_bytes),
      with_separators(flash.biases_bytes), with_separators(flash.requantisation_bytes),
      with_separators(flash.layer_parameters_bytes), with_separators(flash.schedule_tables_bytes),
      with_separators(flash.program_bytes), to_string(target.core),
      with_separators(flash.code_bytes));
  if (latency) {
    text += fmt::format("latency        {}; {:.1f} % of it predicted (~), not measured\n",
                        latency_text(latency->total, latency_unit, target),
                        100.0 * latency->predicted / latency->total);
  }
  for (const auto& [model, report] : memory) {
    text += fmt::format("peak SRAM      {} bytes ({}) by {}, {}, at {}\n",
                        with_separators(report.peak_sram_bytes), kib_text(report.peak_sram_bytes),
                        to_string(model), what_of_the_image(model, target.input),
                        network.layer_name(report.peak_layer));
  }
  return text;
}

}  // namespace patchnas
