#include "search/report/report_schema.h"

#include <nlohmann/json.hpp>

#include "arch/base/error.h"
#include "search/base/sealed_json.h"

namespace patchnas {
namespace {

constexpr const char* kSchemaKey = "schema";

}  // namespace

nlohmann::ordered_json new_report() { return {{kSchemaKey, kReportSchema}}; }

std::string report_text(const nlohmann::ordered_json& report) { return report.dump(2) + "\n"; }

nlohmann::ordered_json parse_report(std::string_view text, const std::string& source) {
  require_shallow_json(text, source);
  nlohmann::ordered_json report;
  try {
    report = nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw InputError(source + ": not a report: " + error.what());
  }
  if (!report.is_object()) {
    throw InputError(source + ": not a report: no JSON object");
  }
  if (has_schema(report) && report.at(kSchemaKey) != kReportSchema) {
    throw InputError(source + ": a report of schema " + report.at(kSchemaKey).dump() +
                     "; this version reads " + std::to_string(kReportSchema));
  }
  return report;
}

bool has_schema(const nlohmann::ordered_json& report) { return report.contains(kSchemaKey); }

}  // namespace patchnas
