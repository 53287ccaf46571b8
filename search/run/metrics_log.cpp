#include "search/run/metrics_log.h"

#include <algorithm>
#include <sstream>

#include <nlohmann/json.hpp>

#include "arch/base/error.h"
#include "search/base/sealed_json.h"

namespace patchnas {
namespace {

/// @throws InputError if it is damaged.
nlohmann::json record_of(const std::string& line, const std::string& source,
                         const std::string& run) {
  require_shallow_json(line, source);
  const auto record = nlohmann::json::parse(unseal_json(line, source, run), nullptr,
                                            /*allow_exceptions=*/false);
  if (!record.is_object() || !record.contains("stage") || !record["stage"].is_string() ||
      !record.contains("step") || !record["step"].is_number_integer()) {
    throw InputError(source + ": no record with a stage and a step");
  }
  return record;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

MetricsLog::MetricsLog(std::filesystem::path path, std::string run)
    : path_(std::move(path)), run_(std::move(run)), file_(std::make_unique<AppendFile>(path_)) {
  const std::string text = read_file(path_);
  std::string intact;
  int number = 0;
  for (const std::string& line : lines_of(text)) {
    const std::string source = path_.string() + ":" + std::to_string(++number);
    try {
      record_of(line, source, run_);
      intact.append(line).push_back('\n');
    } catch (const InputError& error) {
      const bool is_torn = intact.size() + line.size() == text.size() && warning_.empty();
      if (!is_torn) {
        warning_ = std::string(error.what()) + "; damaged records are dropped";
      }
    }
  }
  if (intact != text) {
    replace(intact);
  }
}

void MetricsLog::replace(const std::string& text) {
  file_.reset();
  write_file(path_, text);
  file_ = std::make_unique<AppendFile>(path_);
}

void MetricsLog::rewind(std::string_view stage, std::int64_t step) {
  if (!file_) {
    return;
  }
  const std::string text = read_file(path_);
  std::string kept;
  for (const std::string& line : lines_of(text)) {
    const nlohmann::json record = record_of(line, path_.string(), run_);
    if (record["stage"] != stage || record["step"] <= step) {
      kept += line + "\n";
    }
  }
  if (kept != text) {
    replace(kept);
  }
}

void MetricsLog::arrange(std::span<const StageId> stages) {
  const std::string text = read_file(path_);
  const std::vector<std::string> lines = lines_of(text);
  std::string arranged;
  for (const StageId stage : stages) {
    for (const std::string& line : lines) {
      if (record_of(line, path_.string(), run_)["stage"] == to_string(stage)) {
        arranged += line + "\n";
      }
    }
  }
  if (arranged != text) {
    replace(arranged);
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
  file_->append(seal_json(record.dump(), run_) + "\n", Durability::kWritten);
}

}  // namespace patchnas
