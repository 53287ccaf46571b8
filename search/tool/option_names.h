#pragma once

// Options whose values are the names of an enumeration.
//
//   command.add_option("--input", text)->check(CLI::IsMember(names_of(kInputModes)));
//   target.input = named(kInputModes, text);

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace patchnas {

template <typename Range>
std::vector<std::string> names_of(const Range& values) {
  std::vector<std::string> names;
  for (const auto value : values) {
    names.emplace_back(to_string(value));
  }
  return names;
}

/// The value that is called `name`, which must be one of names_of().
template <typename Range>
auto named(const Range& values, const std::string& name) {
  return *std::find_if(std::begin(values), std::end(values),
                       [&](const auto value) { return to_string(value) == name; });
}

}  // namespace patchnas
