#include "search/metrics_log.h"

#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

namespace patchnas {

MetricsLog::MetricsLog(std::filesystem::path path)
    : path_(std::move(path)), file_(std::make_unique<AppendFile>(path_)) {}

void MetricsLog::rewind(std::string_view stage, std::int64_t step) {
  if (!file_) {
    return;
  }
  const std::string text = read_file(path_);
  std::istringstream lines(text);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const auto record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object() ||
        (record.value("stage", "") == stage && record.value("step", std::int64_t{0}) > step)) {
      continue;
    }
    kept += line + "\n";
  }
  if (kept != text) {
    file_.reset();
    write_file(path_, kept);
    file_ = std::make_unique<AppendFile>(path_);
  }
}

void MetricsLog::write(std::string_view stage, std::int64_t step, const Values& values) {
  if (!file_) {
    return;
  }
  nlohmann::ordered_json record{{"stage", stage}, {"step", step}};
  for (const auto& [key, value] : values) {
    record[std::string(key)] = value;
  }
  file_->append(record.dump() + "\n", Durability::kWritten);
}

}  // namespace patchnas
