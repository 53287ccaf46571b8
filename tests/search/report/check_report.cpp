// check_report REPORTS.md KIND REPORT.json: whether a report is as the page says; for the tests of
// commands.

#include <iostream>

#include <nlohmann/json.hpp>

#include "search/base/files.h"
#include "tests/search/report/report_table.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: check_report REPORTS.md KIND REPORT.json\n";
    return 2;
  }
  try {
    const patchnas::testing::ReportTable table(patchnas::read_file(argv[1]));
    const auto complaints =
        table.complaints(argv[2], nlohmann::ordered_json::parse(patchnas::read_file(argv[3])));
    for (const std::string& complaint : complaints) {
      std::cout << argv[3] << ": " << complaint << "\n";
    }
    return complaints.empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << argv[3] << ": " << error.what() << "\n";
    return 2;
  }
}
