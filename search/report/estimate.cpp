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
#include "search/engine/schedule_chooser.h"
#include "search/report/report_schema.h"

namespace patchnas {
namespace {

std::string shape_text(const TensorShape& shape) {
  return fmt::format("{}x{}x{}", shape.height, shape.width, shape.channels);
}

nlohmann::ordered_json shape_json(const TensorShape& shape) {
  return {shape.height, shape.width, shape.channels};
}

// The items of flash_bytes.
nlohmann::ordered_json flash_json(const FlashReport& flash) {
  return {{"weights", flash.weights_bytes},
          {"biases", flash.biases_bytes},
          {"requantisation", flash.requantisation_bytes},
          {"layer_parameters", flash.layer_parameters_bytes},
          {"schedule_tables", flash.schedule_tables_bytes},
          {"program", flash.program_bytes},
          {"code", flash.code_bytes}};
}

// Those that there are.
nlohmann::ordered_json limits_json(const Target& target) {
  nlohmann::ordered_json json;
  if (target.sram_bytes < kNoLimit) {
    json["sram_bytes"] = target.sram_bytes;
  }
  if (target.flash_bytes < kNoLimit) {
    json["flash_bytes"] = target.flash_bytes;
  }
  if (target.max_macs < kNoLimit) {
    json["macs"] = target.max_macs;
  }
  if (std::isfinite(target.latency)) {
    json["latency"] = {{"total", target.latency}};
  }
  return json;
}

// Of the whole network: milliseconds where the clock is known.
nlohmann::ordered_json latency_json(const LatencyReport& report, const std::string& unit,
                                    const Target& target) {
  nlohmann::ordered_json json{{"total", std::llround(report.total)},
                              {"unit", unit},
                              {"predicted", report.predicted / report.total}};
  if (const double ms = milliseconds(report.total, unit, target); ms > 0.0) {
    json["ms"] = ms;
    if (unit != "nanoseconds") {
      json["clock_mhz"] = target.clock_mhz;
    }
    if (unit == "instructions") {
      json["instructions_per_cycle"] = target.instructions_per_cycle;
    }
  }
  json["text"] = latency_text(report.total, unit, target);
  return json;
}

nlohmann::ordered_json layer_json(const NetworkEstimate& estimate, int i) {
  const auto index = static_cast<std::size_t>(i);
  const Network& network = estimate.network;
  const Layer& layer = network.layers[index];
  nlohmann::ordered_json json{{"name", network.layer_name(i)},
                              {"kind", to_string(layer.kind)},
                              {"input_shape", shape_json(network.shape(layer.inputs[0]))},
                              {"output_shape", shape_json(layer.output)},
                              {"macs", estimate.layer_macs[index]},
                              {"macs_layer_by_layer", layer_macs(network, i)},
                              {"flash_bytes", estimate.layer_flash_bytes[index]}};
  if (estimate.latency) {
    const LayerLatency& latency = estimate.latency->layers[index];
    json["latency"] = {{"total", latency.cost},
                       {"predicted", latency.cost > 0.0 ? latency.predicted / latency.cost : 0.0}};
  }
  for (const auto& [model, report] : estimate.memory) {
    json["peak_sram_bytes"][std::string(to_string(model))] = report.layer_bytes[index];
  }
  return json;
}

// Behind the line of a layer that begins or ends a segment.
std::string segment_mark(const PatchSchedule& schedule, int layer) {
  std::string text;
  for (const Segment& segment : schedule.segments) {
    const bool by_rows = segment.halo() == HaloPolicy::kCache;
    const bool is_leading = segment.first_layer == 0;
    if (segment.first_layer == layer && by_rows) {
      text += fmt::format("  <- begin, {} a step, {}", counted(segment.step_rows, "row"),
                          counted(segment.grid.cols, "strip"));
    } else if (segment.first_layer == layer && !is_leading) {
      text += fmt::format("  <- begin of {} x {} tiles", segment.grid.rows, segment.grid.cols);
    }
    if (segment.end_layer == layer + 1) {
      text += by_rows      ? "  <- end of the rows"
              : is_leading ? "  <- end of the patches"
                           : "  <- end of the tiles";
    }
  }
  return text;
}

// Of the layers in segments, each executed once.
std::int64_t macs_of_segments(const Network& network, const PatchSchedule& schedule) {
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

CandidateCosts NetworkEstimate::costs() const {
  return {.macs = macs(),
          .sram_bytes = memory.at(target.memory_model).peak_sram_bytes,
          .flash_bytes = flash.total_bytes(),
          .latency = latency ? std::optional(latency->total) : std::nullopt};
}

nlohmann::ordered_json NetworkEstimate::json() const {
  nlohmann::ordered_json json = new_report();
  json.update({{"macs", macs()},
               {"macs_layer_by_layer", network_macs(network)},
               {"macs_unclipped", unclipped_macs(network, schedule)},
               {"params", parameter_count(network)},
               {"flash_bytes", flash.total_bytes()},
               {"flash", flash_json(flash)},
               {"core", to_string(target.core)},
               {"input", to_string(target.input)},
               {"memory_model", to_string(target.memory_model)}});
  if (latency) {
    json["latency"] = latency_json(*latency, latency_unit, target);
  }
  for (const auto& [model, report] : memory) {
    json["peak_sram_bytes"][std::string(to_string(model))] = report.peak_sram_bytes;
  }
  for (const MemoryModel model : kMemoryModels) {
    json["peak_sram_bytes_layer_by_layer"][std::string(to_string(model))] =
        memory_report(network, PatchSchedule::layer_by_layer(), model, target.input)
            .peak_sram_bytes;
  }
  json["schedule"] = schedule_json(schedule);
  json["schedule_text"] = describe(network, schedule);
  if (has_limits(target)) {
    json["limits"] = limits_json(target);
    json["fits"] = meets_limits(costs(), target);
  }
  for (int i = 0; i < network.layer_count(); ++i) {
    json["layers"].push_back(layer_json(*this, i));
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
    text += segment_mark(schedule, i) + "\n";
  }
  const std::int64_t plain_macs = network_macs(network);
  const auto overhead = [plain_macs](std::int64_t macs, std::int64_t once) {
    return 100.0 * static_cast<double>(macs - plain_macs) / static_cast<double>(once);
  };
  text += fmt::format("\nschedule       {}\nMACs           {} ({:+.1f} % against layer by layer)\n",
                      describe(network, schedule), with_separators(macs()),
                      overhead(macs(), plain_macs));
  if (const std::int64_t once = macs_of_segments(network, schedule); once > 0) {
    const std::int64_t unclipped = unclipped_macs(network, schedule);
    const bool is_leading = schedule.segments.size() == 1 && schedule.split_layer() > 0;
    text += fmt::format(
        "               {:+.1f} % of {}; with every {} as large as an inner one {:+.1f} %, {:+.1f} "
        "% "
        "of the network\n",
        overhead(macs(), once), is_leading ? "the patch stage" : "the segments",
        is_leading ? "patch" : "tile", overhead(unclipped, once), overhead(unclipped, plain_macs));
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
