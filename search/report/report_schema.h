#pragma once

// What all reports have in common. docs/reports.md has their keys, and a test holds every report
// against it.
//
//   nlohmann::ordered_json report = new_report();  // {"schema":1}
//   report["macs"] = 9526464;
//   std::cout << report_text(report);

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace patchnas {

/// One more whenever a key goes away or changes its type or its meaning; a new key changes nothing.
inline constexpr int kReportSchema = 1;

/// With nothing but the schema, as every report begins.
nlohmann::ordered_json new_report();

/// As reports are printed and written: indented, with a newline at the end.
std::string report_text(const nlohmann::ordered_json& report);

/// @throws InputError with `source` if the text is no report of this schema, or of none at all:
/// those of versions that had no schema.
nlohmann::ordered_json parse_report(std::string_view text, const std::string& source);

/// Whether it says its schema, which then is kReportSchema.
bool has_schema(const nlohmann::ordered_json& report);

}  // namespace patchnas
