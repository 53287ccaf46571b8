#include "search/stages/validation_file.h"

#include <sstream>
#include <string>

#include "arch/base/checksum.h"
#include "arch/base/error.h"
#include "search/base/files.h"

namespace patchnas {
namespace {

std::string lines_of(const PartOfImages& part) {
  std::string text;
  for (int i = 0; i < part.size(); ++i) {
    text.append(std::to_string(part.indices()[static_cast<std::size_t>(i)])).append(" ");
    text.append(std::to_string(part.label(i))).append(" ").append(part.name(i)).append("\n");
  }
  return text;
}

}  // namespace

std::string describe(const TrainingData& data) {
  return "# " + std::to_string(data.training->size()) + " training images, checksum " +
         to_hex(crc64(lines_of(*data.training))) + "\n" + lines_of(*data.validation);
}

std::string first_change(const std::string& before, const std::string& now) {
  std::istringstream old_lines(before);
  std::istringstream new_lines(now);
  std::string old_line;
  std::string new_line;
  do {
    old_line = new_line = "nothing";
    std::getline(old_lines, old_line);
    std::getline(new_lines, new_line);
  } while (old_line == new_line && old_lines && new_lines);
  return "'" + old_line + "' became '" + new_line + "'";
}

void keep_or_compare(const std::filesystem::path& file, const std::string& description) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    write_file(file, description);
    return;
  }
  const std::string before = read_file(file);
  if (before != description) {
    throw InputError(file.string() + ": the data set changed since the run began: " +
                     first_change(before, description) + "; bring it back, or begin another run");
  }
}

}  // namespace patchnas
