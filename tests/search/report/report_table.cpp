#include "tests/search/report/report_table.h"

#include <algorithm>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "arch/architecture.h"
#include "arch/base/error.h"
#include "arch/patch_schedule.h"
#include "memory_models/memory_models.h"

namespace patchnas::testing {
namespace {

using Json = nlohmann::ordered_json;

std::string stripped(std::string text) {
  const auto is_border = [](char c) { return c == ' ' || c == '`'; };
  while (!text.empty() && is_border(text.back())) {
    text.pop_back();
  }
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_border));
  return text;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) {
    cells.push_back(stripped(cell));
  }
  return cells;
}

bool reads_back(const Json& value, const std::function<void(const std::string&)>& parse) {
  try {
    parse(value.dump());
    return true;
  } catch (const InputError&) {
    return false;
  }
}

bool is_schedule(const Json& value) {
  return reads_back(value, [&](const std::string& text) {
    if (to_json(parse_patch_schedule(text, "report")) != text) {
      throw InputError("has another form");
    }
  });
}

bool is_architecture(const Json& value) {
  return reads_back(value, [](const std::string& text) { parse_architecture(text, "report"); });
}

bool is_by_model(const Json& value) {
  return value.is_object() && value.size() == std::size(kMemoryModels) &&
         std::all_of(std::begin(kMemoryModels), std::end(kMemoryModels), [&](MemoryModel model) {
           const auto found = value.find(std::string(to_string(model)));
           return found != value.end() && found->is_number_integer();
         });
}

bool is_shape(const Json& value) {
  return value.is_array() && value.size() == 3 &&
         std::all_of(value.begin(), value.end(),
                     [](const Json& extent) { return extent.is_number_integer(); });
}

const std::map<std::string, bool (*)(const Json&)> kTypes{
    {"integer", [](const Json& value) { return value.is_number_integer(); }},
    {"number", [](const Json& value) { return value.is_number(); }},
    {"string", [](const Json& value) { return value.is_string(); }},
    {"boolean", [](const Json& value) { return value.is_boolean(); }},
    {"object", [](const Json& value) { return value.is_object(); }},
    {"list", [](const Json& value) { return value.is_array(); }},
    {"shape", is_shape},
    {"schedule", is_schedule},
    {"architecture", is_architecture},
    {"by model", is_by_model},
    {"by target", [](const Json& value) { return value.is_object(); }},
};

/// One report, held against the table.
class Check {
 public:
  Check(const std::vector<ReportKey>& keys, std::vector<std::string>& complaints)
      : keys_(keys), complaints_(complaints) {}

  /// @param place where in the report the object is, for people
  /// @param prefix of its members in the table
  void object(const std::string& kind, const Json& value, const std::string& place,
              const std::string& prefix, const std::set<std::string>& not_needed = {}) {
    for (const auto& [name, member] : value.items()) {
      const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const ReportKey& k) {
        return k.path == prefix + name && (k.always.contains(kind) || k.sometimes.contains(kind));
      });
      if (key == keys_.end()) {
        complaints_.push_back(place + name + ": is no key of '" + kind + "'");
      } else if (!kTypes.at(key->type)(member)) {
        complaints_.push_back(place + name + ": is no " + key->type + ": " + member.dump());
      } else {
        members(kind, *key, member, place + name);
      }
    }
    for (const ReportKey& key : keys_) {
      const std::string name = last_name(key.path);
      if (key.path == prefix + name && key.always.contains(kind) && !value.contains(name) &&
          !not_needed.contains(name)) {
        complaints_.push_back(place + name + ": is missing");
      }
    }
  }

 private:
  void members(const std::string& kind, const ReportKey& key, const Json& value,
               const std::string& place) {
    if (key.type == "object") {
      object(kind, value, place + ".", key.path + ".");
    } else if (key.type == "list") {
      for (std::size_t i = 0; i < value.size(); ++i) {
        object(kind, value[i], place + "[" + std::to_string(i) + "].", key.path + "[].");
      }
    } else if (key.type == "by target") {
      for (const auto& [target, verification] : value.items()) {
        object("verify", verification, place + "." + target + ".", "", {"schema"});
      }
    }
  }

  const std::vector<ReportKey>& keys_;
  std::vector<std::string>& complaints_;
};

}  // namespace

ReportTable::ReportTable(std::string_view page) {
  std::istringstream lines{std::string(page)};
  std::string line;
  while (line != "| key | type | unit | in | meaning |") {
    if (!std::getline(lines, line)) {
      throw std::runtime_error("no table of keys");
    }
  }
  std::getline(lines, line);  // the rule below the head
  while (std::getline(lines, line) && line.starts_with("|")) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() != 5 || !kTypes.contains(cells[1])) {
      throw std::runtime_error("no row of a key: " + line);
    }
    ReportKey key{.path = cells[0], .type = cells[1], .always = {}, .sometimes = {}};
    std::istringstream kinds(cells[3]);
    for (std::string kind; kinds >> kind;) {
      if (kind.ends_with('?')) {
        key.sometimes.insert(kind.substr(0, kind.size() - 1));
      } else {
        key.always.insert(kind);
      }
    }
    keys_.push_back(std::move(key));
  }
}

std::vector<std::string> ReportTable::complaints(const std::string& kind,
                                                 const nlohmann::ordered_json& report) const {
  std::vector<std::string> complaints;
  Check(keys_, complaints).object(kind, report, "", "");
  return complaints;
}

std::string last_name(const std::string& path) { return path.substr(path.rfind('.') + 1); }

}  // namespace patchnas::testing
