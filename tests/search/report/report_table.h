#pragma once

// The table of docs/reports.md, and reports held against it.
//
//   const ReportTable table(read_file("docs/reports.md"));
//   for (const std::string& complaint : table.complaints("estimate", report)) ...

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace patchnas::testing {

struct ReportKey {
  std::string path;  ///< "layers[].macs"
  std::string type;
  std::set<std::string> always;     ///< in these reports, where the object is that it belongs to
  std::set<std::string> sometimes;  ///< in these
};

class ReportTable {
 public:
  /// @throws std::runtime_error if there is no table in the text, or a row is damaged.
  explicit ReportTable(std::string_view page);

  [[nodiscard]] const std::vector<ReportKey>& keys() const { return keys_; }

  /// What in `report` is not as the table says: unknown keys, other types, keys that are missing.
  /// @param kind "estimate", "schedule", "export", "verify", "run"
  [[nodiscard]] std::vector<std::string> complaints(const std::string& kind,
                                                    const nlohmann::ordered_json& report) const;

 private:
  std::vector<ReportKey> keys_;
};

/// "macs" of "layers[].macs".
std::string last_name(const std::string& path);

}  // namespace patchnas::testing
