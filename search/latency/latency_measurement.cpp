#include "search/latency/latency_measurement.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "arch/base/error.h"
#include "search/latency/latency_firmware.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

Measurement summary(std::vector<std::int64_t> costs) {
  std::sort(costs.begin(), costs.end());
  return {.cost = std::max<std::int64_t>(1, costs[costs.size() / 2]),
          .spread = costs.back() - costs.front()};
}

// Everything that makes measurements comparable.
std::string identity(const LatencyOrigin& origin) {
  return origin.target + ", " + origin.unit + ", kernels " + origin.kernels + ", " +
         origin.compiler + ", " + origin.flags;
}

}  // namespace

LatencyMeasurement::LatencyMeasurement(fs::path file, const LatencyOrigin& origin)
    : file_(std::move(file)) {
  std::error_code error;
  if (fs::exists(file_, error)) {
    if (!fs::is_regular_file(file_, error)) {
      throw InputError(file_.string() + ": is no file that a table could be continued in");
    }
    table_ = LatencyTable::parse(read_file(file_), file_.string());
    if (identity(table_.origin) != identity(origin)) {
      throw InputError(file_.string() + ": was measured on " + identity(table_.origin) +
                       "; this is " + identity(origin) + "; give another file");
    }
  }
  table_.origin = origin;
  read_journal();
  journal_ = std::make_unique<AppendFile>(journal_file());
  if (fs::file_size(journal_file(), error) == 0) {
    journal_->append(identity(origin) + "\n", Durability::kSynced);
  }
}

fs::path LatencyMeasurement::journal_file() const { return file_.string() + ".journal"; }

void LatencyMeasurement::read_journal() {
  std::error_code error;
  if (!fs::exists(journal_file(), error)) {
    return;
  }
  const std::string text = read_file(journal_file());
  // A kill may have cut off the last line.
  const std::size_t end = text.rfind('\n');
  if (end == std::string::npos && identity(table_.origin).starts_with(text)) {
    fs::remove(journal_file(), error);
    return;
  }
  const std::size_t first = text.find('\n');
  if (text.substr(0, first) != identity(table_.origin)) {
    throw InputError(journal_file().string() + ": was measured on " + text.substr(0, first) +
                     "; this is " + identity(table_.origin) + "; remove it or give another file");
  }
  int line = 1;
  for (std::size_t begin = first + 1; begin < end;) {
    const std::size_t next = text.find('\n', begin);
    const std::string where = journal_file().string() + ":" + std::to_string(++line);
    const auto [key, measurement] = parse_measurement(text.substr(begin, next - begin), where);
    table_.measurements.insert_or_assign(key, measurement);
    begin = next + 1;
  }
  if (end + 1 != text.size()) {
    write_file(journal_file(), text.substr(0, end + 1));
  }
}

bool LatencyMeasurement::measure(MeasuringLine& line, const OperatorKey& key) {
  if (has(key)) {
    return true;
  }
  const std::vector<std::int64_t> costs = line.run(key, table_.origin.repeats);
  if (costs.empty()) {
    return false;
  }
  const Measurement measurement = summary(costs);
  journal_->append(to_string(key, measurement) + "\n", Durability::kWritten);
  table_.measurements.emplace(key, measurement);
  return true;
}

void LatencyMeasurement::measure_overheads(MeasuringLine& line) {
  std::vector<OverheadSample> samples;
  const Network& network = overhead_programs().network;
  for (std::size_t i = 0; i < overhead_programs().schedules.size(); ++i) {
    const PatchSchedule& schedule = overhead_programs().schedules[i];
    OverheadSample sample{.layers = network.layer_count(), .patches = 0, .patch_layers = 0};
    for (const Segment& segment : schedule.segments) {
      const int layers = segment.end_layer - segment.first_layer;
      const int patches = segment.grid.rows * segment.grid.cols;
      sample.layers -= layers;
      sample.patches += patches;
      sample.patch_layers += std::int64_t{patches} * layers;
    }
    double operators = 0.0;
    for (const OperatorUse& use :
         operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
      if (!measure(line, use.key)) {
        throw Error(
            "the network that overheads are measured with does not fit the target's memory");
      }
      operators += static_cast<double>(use.count * table_.find(use.key)->cost);
    }
    const Measurement whole = summary(line.run_package(static_cast<int>(i), table_.origin.repeats));
    sample.rest = static_cast<double>(whole.cost) - operators;
    samples.push_back(sample);
  }
  table_.overheads = fit_overheads(samples);
}

void LatencyMeasurement::save() {
  write_file(file_, table_.text());
  std::error_code error;
  journal_.reset();
  fs::remove(journal_file(), error);
}

}  // namespace patchnas
