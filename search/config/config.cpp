#include "search/config/config.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>
#include <tuple>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "arch/base/checksum.h"
#include "arch/base/error.h"
#include "search/base/files.h"
#include "search/base/shipped_files.h"
#include "search/config/data_config.h"
#include "search/config/yaml_section.h"

namespace patchnas {
namespace {

constexpr int kMany = std::numeric_limits<int>::max();
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 40;

const std::vector<std::string> kDeviceNames = {"auto", "cpu", "cuda"};

std::vector<std::string> calibration_method_names() {
  return {std::begin(kCalibrationMethodNames), std::end(kCalibrationMethodNames)};
}

std::vector<std::string> memory_model_names() {
  std::vector<std::string> names;
  for (const MemoryModel model : kMemoryModels) {
    names.emplace_back(to_string(model));
  }
  return names;
}

std::vector<std::string> input_mode_names() {
  return {std::string(to_string(InputMode::kResident)),
          std::string(to_string(InputMode::kStreamed))};
}

std::vector<std::string> core_names() {
  std::vector<std::string> names;
  for (const Core core : kCores) {
    names.emplace_back(to_string(core));
  }
  return names;
}

// What a microcontroller has: the keys that the files in configs/targets/ and a `target` share.
void parse_device(YamlReader& reader, std::optional<Target> known, Target& target) {
  const auto fallback = [&](auto member) {
    return known ? std::optional((*known).*member) : std::nullopt;
  };
  target.sram_bytes = reader.bytes("sram_bytes", {1, kMaxBytes}, fallback(&Target::sram_bytes));
  target.flash_bytes = reader.bytes("flash_bytes", {1, kMaxBytes}, fallback(&Target::flash_bytes));
  const Target defaults = known.value_or(Target{});
  target.core =
      kCores[reader.choice("core", core_names(), static_cast<std::size_t>(defaults.core))];
  target.clock_mhz = reader.number("clock_mhz", {0.0, 1e5}, defaults.clock_mhz);
  target.instructions_per_cycle =
      reader.number("instructions_per_cycle", {0.01, 100.0}, defaults.instructions_per_cycle);
}

/// A positive number and the unit behind it, as "24M" or "50 ms"; nothing if it is none.
struct Quantity {
  double value = 0.0;
  std::string_view unit;
};
std::optional<Quantity> parse_quantity(std::string_view text) {
  Quantity quantity;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, quantity.value);
  quantity.unit = std::string_view(end, static_cast<std::size_t>(last - end));
  if (quantity.unit.starts_with(' ')) {
    quantity.unit.remove_prefix(1);
  }
  return error == std::errc() && quantity.value > 0.0 ? std::optional(quantity) : std::nullopt;
}

// A number, as "24000000" or "24M"; nothing if it is none.
std::optional<double> in_ones(const std::optional<Quantity>& quantity) {
  if (!quantity || (quantity->unit != "" && quantity->unit != "M")) {
    return std::nullopt;
  }
  return quantity->unit == "M" ? quantity->value * 1e6 : quantity->value;
}

// "50ms", or a cost in the unit of the latency table, as "24000000" or "24M".
double parse_latency(YamlReader& reader, const Target& target) {
  const std::string text = reader.string("latency", "");
  if (text.empty()) {
    return std::numeric_limits<double>::infinity();
  }
  const std::optional<Quantity> quantity = parse_quantity(text);
  if (const std::optional<double> cost = in_ones(quantity)) {
    return *cost;
  }
  if (!quantity || quantity->unit != "ms") {
    reader.fail("latency", "'" + text + "' is no latency; allowed: as 50ms, 24000000 or 24M");
  }
  if (target.clock_mhz == 0.0) {
    reader.fail("latency", "milliseconds need the clock: give device, or clock_mhz");
  }
  return quantity->value * target.clock_mhz * 1e3 * target.instructions_per_cycle;
}

std::int64_t parse_max_macs(YamlReader& reader) {
  const std::string text = reader.string("max_macs", "");
  if (text.empty()) {
    return kNoLimit;
  }
  const std::optional<double> macs = in_ones(parse_quantity(text));
  if (!macs || *macs < 1.0 || *macs > 1e15) {
    reader.fail("max_macs", "'" + text + "' is no number of MACs; allowed: as 4400000 or 4.4M");
  }
  return std::llround(*macs);
}

std::optional<Target> known_device(const YamlReader& reader, const std::string& name) {
  if (name.empty()) {
    return std::nullopt;
  }
  try {
    return read_device(name);
  } catch (const InputError& error) {
    reader.fail("device", error.what());
  }
}

Target parse_target(YamlReader reader) {
  Target target;
  const std::string device = reader.string("device", "");
  parse_device(reader, known_device(reader, device), target);
  target.memory_model = kMemoryModels[reader.choice("memory_model", memory_model_names(), 0)];
  target.input = static_cast<InputMode>(reader.choice("input", input_mode_names(), 0));
  target.max_macs = parse_max_macs(reader);
  target.latency = parse_latency(reader, target);
  const bool has_limit = std::isfinite(target.latency);
  target.latency_table =
      reader.string("latency_table", has_limit ? std::string(to_string(target.core)) : "");
  if (has_limit && target.latency_table.empty()) {
    reader.fail("latency_table", "a limit of latency needs a table");
  }
  reader.finish();
  return target;
}

SearchSpace parse_trainable_space(YamlReader reader) {
  SearchSpace space = parse_search_space(reader);
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    if (const int groups = space.stages[s].groups; groups != 1) {
      reader.maps("stages")[s].fail(
          "groups", fmt::format("{} can be estimated, not trained; allowed: 1", groups));
    }
  }
  return space;
}

void parse_search(YamlReader reader, Config& config) {
  EvolutionSettings& search = config.search;
  search.population = reader.integer("population", {1, 1000000}, search.population);
  search.parents = reader.integer("parents", {1, 1000000}, search.parents);
  search.crossover = reader.integer("crossover", {0, 1000000}, search.crossover);
  search.mutation = reader.integer("mutation", {0, 1000000}, search.mutation);
  search.mutation_rate = reader.number("mutation_rate", {0.0, 1.0}, search.mutation_rate);
  search.iterations = reader.integer("iterations", {0, 1000000}, search.iterations);
  search.max_attempts = reader.integer("max_attempts", {1, 100000000}, search.max_attempts);
  YamlReader recalibration = reader.optional_map("recalibration");
  config.recalibration.batches =
      recalibration.integer("batches", {1, 100000}, config.recalibration.batches);
  config.recalibration.batch_size =
      recalibration.integer("batch_size", {2, 100000}, config.recalibration.batch_size);
  recalibration.finish();
  reader.finish();
}

CalibrationSettings parse_calibration(YamlReader reader) {
  CalibrationSettings calibration;
  calibration.images = reader.integer("images", {1, kMany}, calibration.images);
  calibration.rule.method =
      static_cast<CalibrationMethod>(reader.choice("method", calibration_method_names(), 0));
  calibration.rule.percentile =
      reader.number("percentile", {50.0, 100.0}, calibration.rule.percentile);
  reader.finish();
  return calibration;
}

void check_precision(YamlReader& reader, const Config& config) {
  if (config.training.precision == Precision::kMixed && config.device == DeviceChoice::kCpu) {
    reader.optional_map("training")
        .fail("precision", "mixed needs a CUDA device; allowed on the CPU: float32");
  }
}

void check_name(const YamlReader& reader, const std::string& name) {
  const bool plain = !name.empty() && name.front() != '.' &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
                     });
  if (!plain) {
    reader.fail(
        "name",
        "'" + name +
            "' cannot name a folder; allowed: letters, digits, '_', '-' and '.', not first");
  }
}

}  // namespace

Target read_device(const std::string& name) {
  const std::filesystem::path file = find_shipped_file(name, ShippedKind::kDevice);
  YamlReader reader = YamlReader::parse_text(read_file(file), file.string());
  Target device;
  parse_device(reader, std::nullopt, device);
  reader.string("description", "");
  reader.finish();
  return device;
}

std::string_view to_string(DeviceChoice device) {
  return kDeviceNames[static_cast<std::size_t>(device)];
}

Config parse_config(YamlReader reader, const std::string& default_name) {
  Config config;
  config.name = reader.string("name", default_name);
  check_name(reader, config.name);
  config.seed = static_cast<std::uint64_t>(reader.integer("seed", {0, kMany}, 1));
  config.threads = reader.integer("threads", {0, 4096}, config.threads);
  config.device = static_cast<DeviceChoice>(reader.choice("device", kDeviceNames, 0));
  config.output = reader.string("output", config.output);
  config.data = parse_data_config(reader.map("data"), config.output);
  config.space = parse_trainable_space(reader.map("space"));
  config.data.classes = config.space.classes;
  config.data.channels = config.space.input_channels;
  config.data.largest_resolution =
      *std::max_element(config.space.resolutions.begin(), config.space.resolutions.end());
  config.target = parse_target(reader.map("target"));
  config.training = parse_training_plan(reader.optional_map("training"), config.space);
  check_precision(reader, config);
  parse_search(reader.optional_map("search"), config);
  config.calibration = parse_calibration(reader.optional_map("calibration"));
  YamlReader checkpoint = reader.optional_map("checkpoint");
  config.checkpoint_every_seconds =
      checkpoint.number("every_seconds", {0.0, 1e6}, config.checkpoint_every_seconds);
  checkpoint.finish();
  reader.finish();
  return config;
}

std::string to_yaml(const Config& config) {
  std::string text =
      fmt::format("name: {}\nseed: {}\nthreads: {}\ndevice: {}\noutput: {}\n", quoted(config.name),
                  config.seed, config.threads, to_string(config.device), quoted(config.output));
  text += to_yaml(config.data);
  text += "space:\n" + to_yaml(config.space, 2);
  YamlSection(text, 2, "target")
      .line("sram_bytes", bytes_text(config.target.sram_bytes))
      .line("flash_bytes", bytes_text(config.target.flash_bytes))
      .line("memory_model", std::string(to_string(config.target.memory_model)))
      .line("input", std::string(to_string(config.target.input)))
      .line("core", std::string(to_string(config.target.core)))
      .line("clock_mhz", config.target.clock_mhz)
      .line("instructions_per_cycle", config.target.instructions_per_cycle)
      .line("max_macs", config.target.max_macs == kNoLimit ? quoted("")
                                                           : std::to_string(config.target.max_macs))
      .line("latency",
            std::isfinite(config.target.latency) ? number_text(config.target.latency) : quoted(""))
      .line("latency_table", quoted(config.target.latency_table));
  text += to_yaml(config.training);
  YamlSection(text, 2, "search")
      .line("population", config.search.population)
      .line("parents", config.search.parents)
      .line("crossover", config.search.crossover)
      .line("mutation", config.search.mutation)
      .line("mutation_rate", config.search.mutation_rate)
      .line("iterations", config.search.iterations)
      .line("max_attempts", config.search.max_attempts);
  YamlSection(text, 4, "recalibration")
      .line("batches", config.recalibration.batches)
      .line("batch_size", config.recalibration.batch_size);
  YamlSection(text, 2, "calibration")
      .line("images", config.calibration.images)
      .line("method",
            std::string(
                kCalibrationMethodNames[static_cast<std::size_t>(config.calibration.rule.method)]))
      .line("percentile", config.calibration.rule.percentile);
  YamlSection(text, 2, "checkpoint").line("every_seconds", config.checkpoint_every_seconds);
  return text;
}

std::string run_identity(const Config& config) {
  const Config defaults;
  Config decisive = config;
  decisive.name = defaults.name;
  decisive.output = defaults.output;
  decisive.device = defaults.device;
  decisive.threads = defaults.threads;
  decisive.data.path = defaults.data.path;
  decisive.data.cache = defaults.data.cache;
  return to_hex(crc64(to_yaml(decisive)));
}

std::string first_difference(const Config& a, const Config& b) {
  std::istringstream lines_a(to_yaml(a));
  std::istringstream lines_b(to_yaml(b));
  std::vector<std::string> path;  // of the section that the lines are in
  for (std::string line_a, line_b;
       std::getline(lines_a, line_a) && std::getline(lines_b, line_b);) {
    const auto split = [](const std::string& line) {
      const std::size_t start = line.find_first_not_of(' ');
      const std::size_t colon = line.find(':', start);
      const std::string value =
          colon == std::string::npos ? "" : line.substr(std::min(colon + 2, line.size()));
      return std::tuple(start, line.substr(start, colon - start), value);
    };
    const auto [indent, key, value_a] = split(line_a);
    const auto [indent_b, key_b, value_b] = split(line_b);
    path.resize(std::min(path.size(), indent / 2));
    if (!key.starts_with('-')) {  // an element belongs to the list above it
      path.push_back(key);
    }
    if (line_a != line_b) {
      std::string where;
      for (const std::string& part : path) {
        where += (where.empty() ? "" : ".") + part;
      }
      const bool same_key = key == key_b && !key.starts_with('-');
      return where + ": " +
             (same_key ? value_a + " and " + value_b
                       : line_a.substr(indent) + " and " + line_b.substr(indent_b));
    }
  }
  return "";
}

}  // namespace patchnas
