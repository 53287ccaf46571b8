#include "latency_models/latency_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <Eigen/Dense>

#include "arch/base/error.h"

namespace patchnas {
namespace {

constexpr std::string_view kFirstLine = "patchnas latency table, format 1";
constexpr std::string_view kRowsBegin = "operators:";
// kernel window stride padding input output cost spread
constexpr int kKeyWords = 6;
constexpr std::array<std::string_view, 3> kUnits = {"instructions", "cycles", "nanoseconds"};

template <typename Number>
bool parse_whole(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return error == std::errc() ? std::string(buffer.data(), end) : "nan";
}

class Lines {
 public:
  Lines(std::string_view text, const std::string& source) : left_(text), source_(source) {}

  [[nodiscard]] bool done() const { return left_.empty(); }
  std::string_view next() {
    const std::size_t end = left_.find('\n');
    if (end == std::string_view::npos) {
      ++number_;
      fail("the line is cut off");
    }
    const std::string_view line = left_.substr(0, end);
    left_.remove_prefix(end + 1);
    ++number_;
    return line;
  }
  /// The value of "key: value".
  std::string_view value(std::string_view key) {
    const std::string_view line = done() ? std::string_view() : next();
    const std::string start = std::string(key) + ": ";
    if (line.substr(0, start.size()) != start || line.size() == start.size()) {
      fail("'" + start + "…' is missing here");
    }
    return line.substr(start.size());
  }
  std::int64_t integer(std::string_view key, std::int64_t least) {
    std::int64_t value_of_key = 0;
    if (!parse_whole(value(key), value_of_key) || value_of_key < least) {
      fail(std::string(key) + " must be an integer of at least " + std::to_string(least));
    }
    return value_of_key;
  }
  double number(std::string_view key) {
    double value_of_key = 0.0;
    if (!parse_whole(value(key), value_of_key) || !std::isfinite(value_of_key) ||
        value_of_key < 0.0) {
      fail(std::string(key) + " must be a number of at least 0");
    }
    return value_of_key;
  }

  [[nodiscard]] std::string where() const { return source_ + ":" + std::to_string(number_); }
  [[noreturn]] void fail(const std::string& what) const { throw InputError(where() + ": " + what); }

 private:
  std::string_view left_;
  std::string source_;
  int number_ = 0;
};

}  // namespace

LatencyOverheads fit_overheads(const std::vector<OverheadSample>& samples) {
  const auto rows = static_cast<Eigen::Index>(samples.size());
  Eigen::MatrixXd a(rows, 3);
  Eigen::VectorXd b(rows);
  for (Eigen::Index i = 0; i < rows; ++i) {
    const OverheadSample& sample = samples[static_cast<std::size_t>(i)];
    a.row(i) << static_cast<double>(sample.layers), static_cast<double>(sample.patches),
        static_cast<double>(sample.patch_layers);
    b(i) = sample.rest;
  }
  const Eigen::Vector3d fitted = a.completeOrthogonalDecomposition().solve(b).cwiseMax(0.0);
  return {.per_layer = fitted(0), .per_patch = fitted(1), .per_patch_layer = fitted(2)};
}

std::string to_string(const OperatorKey& key, const Measurement& measurement) {
  return to_string(key)
      .append(" ")
      .append(std::to_string(measurement.cost))
      .append(" ")
      .append(std::to_string(measurement.spread));
}

std::pair<OperatorKey, Measurement> parse_measurement(std::string_view row,
                                                      const std::string& source) {
  std::size_t end_of_key = 0;
  for (int word = 0; word < kKeyWords && end_of_key != std::string_view::npos; ++word) {
    end_of_key = row.find(' ', word == 0 ? 0 : end_of_key + 1);
  }
  Measurement m;
  if (end_of_key == std::string_view::npos) {
    throw InputError(source + ": a row is an operator, its cost and its spread");
  }
  const std::string_view costs = row.substr(end_of_key + 1);
  const std::size_t space = costs.find(' ');
  if (space == std::string_view::npos || !parse_whole(costs.substr(0, space), m.cost) ||
      !parse_whole(costs.substr(space + 1), m.spread)) {
    throw InputError(source + ": cost and spread must be two integers, not '" + std::string(costs) +
                     "'");
  }
  if (m.cost <= 0 || m.spread < 0) {
    throw InputError(source + ": a cost must be positive and a spread not negative");
  }
  return {parse_operator_key(row.substr(0, end_of_key), source), m};
}

LatencyTable LatencyTable::parse(std::string_view text, const std::string& source) {
  Lines lines(text, source);
  if (lines.done() || text.substr(0, kFirstLine.size() + 1) != std::string(kFirstLine) + "\n") {
    throw InputError(source + ":1: not a latency table of this version, which begins with '" +
                     std::string(kFirstLine) + "'");
  }
  lines.next();
  LatencyTable table;
  LatencyOrigin& origin = table.origin;
  origin.target = lines.value("target");
  origin.unit = lines.value("unit");
  if (std::find(kUnits.begin(), kUnits.end(), origin.unit) == kUnits.end()) {
    lines.fail("unit must be instructions, cycles or nanoseconds");
  }
  origin.kernels = lines.value("kernels");
  origin.compiler = lines.value("compiler");
  origin.flags = lines.value("flags");
  origin.clock_hz = lines.integer("clock_hz", 0);
  origin.repeats = static_cast<int>(std::min<std::int64_t>(lines.integer("repeats", 1), 1 << 20));
  origin.date = lines.value("date");
  origin.command = lines.value("command");
  table.overheads.per_layer = lines.number("overhead_per_layer");
  table.overheads.per_patch = lines.number("overhead_per_patch");
  table.overheads.per_patch_layer = lines.number("overhead_per_patch_layer");
  if (lines.done() || lines.next() != kRowsBegin) {
    lines.fail("'" + std::string(kRowsBegin) + "' is missing here");
  }
  while (!lines.done()) {
    const std::string_view row = lines.next();
    const auto [key, measurement] = parse_measurement(row, lines.where());
    if (!table.measurements.emplace(key, measurement).second) {
      lines.fail("'" + to_string(key) + "' is there twice");
    }
  }
  return table;
}

std::string LatencyTable::text() const {
  std::string text(kFirstLine);
  const auto add = [&](std::string_view key, const std::string& value) {
    text.append("\n").append(key).append(": ").append(value);
  };
  add("target", origin.target);
  add("unit", origin.unit);
  add("kernels", origin.kernels);
  add("compiler", origin.compiler);
  add("flags", origin.flags);
  add("clock_hz", std::to_string(origin.clock_hz));
  add("repeats", std::to_string(origin.repeats));
  add("date", origin.date);
  add("command", origin.command);
  add("overhead_per_layer", number_text(overheads.per_layer));
  add("overhead_per_patch", number_text(overheads.per_patch));
  add("overhead_per_patch_layer", number_text(overheads.per_patch_layer));
  text.append("\n").append(kRowsBegin).append("\n");
  for (const auto& [key, measurement] : measurements) {
    text.append(to_string(key, measurement)).append("\n");
  }
  return text;
}

const Measurement* LatencyTable::find(const OperatorKey& key) const {
  const auto found = measurements.find(key);
  return found == measurements.end() ? nullptr : &found->second;
}

void require_origin(const LatencyTable& table, std::string_view target, std::string_view kernels,
                    const std::string& source) {
  if (table.origin.target != target) {
    throw InputError(source + ": measured on " + table.origin.target + ", not on " +
                     std::string(target));
  }
  if (table.origin.kernels != kernels) {
    throw InputError(source + ": measured with other kernels (" + table.origin.kernels +
                     ") than these (" + std::string(kernels) +
                     "); measure again: " + table.origin.command);
  }
}

}  // namespace patchnas
