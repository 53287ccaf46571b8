#include "search/report/report.h"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "search/base/text.h"
#include "search/engine/latency_file.h"
#include "search/report/report_schema.h"

namespace patchnas {
namespace {

/// "[############........]  62.5 % of the limit"
std::string limit_bar(std::int64_t used, std::int64_t limit) {
  constexpr int kWidth = 24;
  const double share = static_cast<double>(used) / static_cast<double>(limit);
  const auto filled =
      static_cast<std::size_t>(std::clamp(static_cast<int>(share * kWidth), 0, kWidth));
  std::string bar("[");
  bar.append(filled, '#').append(kWidth - filled, '.').append("]");
  return fmt::format("{} {:5.1f} % of {}", bar, 100.0 * share, kib_text(limit));
}

std::string search_line(const nlohmann::ordered_json& search) {
  const auto architectures = search.at("architectures").get<std::string>();
  return fmt::format(
      "{} in the space: {} drawn, {} rejected, {} evaluated",
      architectures == "1" ? counted(1, "architecture") : architectures + " architectures",
      with_separators(search.at("sampled")), with_separators(search.at("rejected")),
      with_separators(search.at("evaluated")));
}

/// What the last screen reads, in a report of a version that had no schema.
void bring_up_to_date(nlohmann::ordered_json& report) {
  const nlohmann::ordered_json old = report;
  const auto& limits = old.at("limits");
  report["memory_model"] = limits.at("memory_model");
  report["input"] = limits.at("input");
  if (limits.contains("max_macs")) {
    report["limits"]["macs"] = limits.at("max_macs");
  }
  report["flash_bytes"] = old.at("flash_bytes").at("total");
  const auto& plain = old.at("layer_by_layer");
  report["macs_layer_by_layer"] = plain.at("macs");
  report["peak_sram_bytes_layer_by_layer"] = plain.at("peak_sram_bytes");
}

/// Nothing where nothing was.
void add_folded(nlohmann::ordered_json& report, const FoldedParts& folded) {
  if (!folded.empty()) {
    report["folded"] = {{"channels", folded.channels},
                        {"layers", folded.layers},
                        {"macs", folded.macs},
                        {"weights", folded.weights},
                        {"text", folded_text(folded)}};
  }
}

/// What `verify` measured, a line for each target.
std::string verified_lines(const nlohmann::ordered_json& report) {
  std::string text;
  const auto verified = report.value("verified", nlohmann::ordered_json::object());
  for (const auto& [target, v] : verified.items()) {
    text += fmt::format("  {}on {}: {}, {}; linked {} bytes SRAM, {} flash, {} stack{}\n",
                        text.empty() ? "verified       " : "               ", target,
                        counted(v.at("images"), "image"),
                        v.at("identical").get<bool>() ? "the same bits" : "OTHER BITS",
                        with_separators(v.at("sram_bytes")), with_separators(v.at("flash_bytes")),
                        with_separators(v.at("stack_bytes")),
                        v.contains("instructions") ? "; " + millions_text(v.at("instructions")) +
                                                         " instructions an inference"
                                                   : "");
  }
  return text;
}

}  // namespace

std::string estimate_report(const NetworkEstimate& estimate, const EstimateExtras& extras) {
  nlohmann::ordered_json report = new_report();
  add_folded(report, extras.folded);
  report.update(estimate.json());
  if (!extras.assumption.empty()) {
    report["assumption"] = extras.assumption;
  }
  if (extras.pareto) {
    report["pareto"] = tradeoff_json(*extras.pareto);
  }
  if (extras.every_schedule) {
    report["schedules"] = tradeoff_json(*extras.every_schedule);
  }
  return report_text(report);
}

namespace {
double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}
}  // namespace

std::string folded_text(const FoldedParts& folded) {
  return counted(folded.channels, "channel") + ", " +
         counted(static_cast<std::int64_t>(folded.layers.size()), "layer") +
         fmt::format("; {:.1f} % of the MACs, {:.1f} % of the weights",
                     percent(folded.macs, folded.all_macs),
                     percent(folded.weights, folded.all_weights));
}

std::string package_report(const NetworkEstimate& estimate, const FoldedParts& folded,
                           const std::string& package) {
  nlohmann::ordered_json report = new_report();
  report["package"] = package;
  add_folded(report, folded);
  report.update(estimate.json());
  return report_text(report);
}

std::string make_report(const ReportInputs& inputs) {
  const Config& config = inputs.config;
  const Candidate& candidate = inputs.candidate;
  const std::unique_ptr<LatencyModel> latency = latency_model_for(config.target);
  const NetworkEstimate estimate(inputs.network, candidate.schedule, config.target, latency.get());
  nlohmann::ordered_json report = new_report();
  report["name"] = config.name;
  report["seed"] = config.seed;
  report["candidate"] = {
      {"id", candidate.id()},
      {"architecture", nlohmann::ordered_json::parse(to_json(candidate.architecture))}};
  report["finetuned"] = inputs.finetuned;
  add_folded(report, inputs.folded);
  if (inputs.accuracies.validation_search) {
    report["accuracy"]["validation_search"] = *inputs.accuracies.validation_search;
  }
  if (inputs.accuracies.validation_exported) {
    report["accuracy"]["validation_exported"] = *inputs.accuracies.validation_exported;
  }
  report["accuracy"]["test_float"] = inputs.accuracies.test_float;
  report["accuracy"]["test_int8"] = inputs.accuracies.test_int8;
  report["accuracy"]["test_images"] = inputs.accuracies.test_images;
  report["executed_in_arena"] = {{"arena_bytes", inputs.arena_check.arena_bytes},
                                 {"identical_images", inputs.arena_check.images}};
  report["tflite_bytes"] = inputs.tflite_bytes;
  if (inputs.counts) {
    report["search"] = {{"architectures", count_architectures(config.space)},
                        {"sampled", inputs.counts->sampled},
                        {"duplicates", inputs.counts->duplicates},
                        {"rejected", inputs.counts->rejected},
                        {"evaluated", inputs.counts->evaluated}};
  }
  report.update(estimate.json());
  return report_text(report);
}

std::string last_screen(std::string_view report, const std::string& source,
                        const std::filesystem::path& folder) {
  nlohmann::ordered_json json = parse_report(report, source);
  try {
    if (!has_schema(json)) {
      bring_up_to_date(json);
    }
    const auto& accuracy = json.at("accuracy");
    const auto& limits = json.at("limits");
    const auto model = json.at("memory_model").get<std::string>();
    const auto sram = json.at("peak_sram_bytes").at(model).get<std::int64_t>();
    const auto flash = json.at("flash_bytes").get<std::int64_t>();
    const auto macs = json.at("macs").get<std::int64_t>();
    const auto plain_sram = json.at("peak_sram_bytes_layer_by_layer").at(model).get<std::int64_t>();
    const auto plain_macs = json.at("macs_layer_by_layer").get<std::int64_t>();

    std::string text = fmt::format("\n{}: candidate {}\n", json.at("name").get<std::string>(),
                                   json.at("candidate").at("id").get<std::string>());
    text += fmt::format(
        "  test accuracy  {} int8, {} float, on {}{}\n", percent_text(accuracy.at("test_int8")),
        percent_text(accuracy.at("test_float")), counted(accuracy.at("test_images"), "image"),
        json.at("finetuned").get<bool>() ? "" : " (supernet weights, not fine-tuned)");
    text += fmt::format("  SRAM           {:>10}  {}\n", kib_text(sram),
                        limit_bar(sram, limits.at("sram_bytes")));
    text += fmt::format("  flash          {:>10}  {}\n", kib_text(flash),
                        limit_bar(flash, limits.at("flash_bytes")));
    text += fmt::format(
        "  MACs           {:>10}  {:+.1f} % against layer by layer{}\n", millions_text(macs),
        100.0 * (static_cast<double>(macs) / static_cast<double>(plain_macs) - 1.0),
        limits.contains("macs")
            ? ", the limit is " + millions_text(limits.at("macs").get<std::int64_t>())
            : "");
    if (json.contains("latency")) {
      text += fmt::format("  latency        {}, estimated\n",
                          json.at("latency").at("text").get<std::string>());
    }
    text += fmt::format("  schedule       {}\n", json.at("schedule_text").get<std::string>());
    if (json.contains("folded")) {
      text += fmt::format("  folded         {}\n", json.at("folded").at("text").get<std::string>());
    }
    const auto& executed = json.at("executed_in_arena");
    text += fmt::format("  executed       in an arena of {} bytes: {}, the same bits\n",
                        with_separators(executed.at("arena_bytes")),
                        counted(executed.at("identical_images"), "image"));
    text += verified_lines(json);
    text += fmt::format("  without it     {} SRAM, {} MACs\n", kib_text(plain_sram),
                        millions_text(plain_macs));
    text +=
        fmt::format("  counted by     {}, input {}\n", model, json.at("input").get<std::string>());
    if (json.contains("search")) {
      text += "  search         " + search_line(json.at("search")) + "\n";
    }
    text += fmt::format("  files          {}\n                 {}\n                 {}\n",
                        (folder / "model.tflite").string(), (folder / "c").string(),
                        (folder / "report.json").string());
    return text;
  } catch (const nlohmann::json::exception& error) {
    throw InputError(source + ": not a report: " + error.what());
  }
}

}  // namespace patchnas
