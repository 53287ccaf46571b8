#include "search/base/listed_folder.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include <nlohmann/json.hpp>

#include "arch/base/error.h"
#include "search/base/files.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kFiles = "files";
constexpr const char* kSources = "sources";  // what packages listed before they listed all files

std::optional<Json> read_list(const ListedFolder& folder) {
  std::error_code error;
  const fs::path file = folder.path / folder.list;
  if (!fs::is_regular_file(file, error)) {
    return std::nullopt;
  }
  Json json = Json::parse(read_file(file), nullptr, false);
  return json.is_object() && json.contains(folder.mark) ? std::optional(std::move(json))
                                                        : std::nullopt;
}

bool stays_inside(const fs::path& path) {
  return path.is_relative() && std::find(path.begin(), path.end(), "..") == path.end();
}

}  // namespace

void ListedFolder::require_ours() const {
  std::error_code error;
  if (fs::is_directory(path, error) && !fs::is_empty(path, error) && !read_list(*this)) {
    throw InputError(path.string() + ": this folder has other content (no " + list +
                     " of ours); nothing was written; choose another folder");
  }
}

std::vector<std::string> ListedFolder::listed() const {
  std::vector<std::string> names;
  const std::optional<Json> json = read_list(*this);
  for (const char* const key : {kFiles, kSources}) {
    if (json && json->contains(key) && json->at(key).is_array()) {
      for (const Json& name : json->at(key)) {
        if (name.is_string() && stays_inside(name.get<std::string>())) {
          names.push_back(name.get<std::string>());
        }
      }
    }
  }
  return names;
}

void ListedFolder::replace(const std::map<std::string, std::string>& files) const {
  std::vector<std::string> names;
  for (const auto& [name, content] : files) {
    names.push_back(name);
  }
  const std::vector<std::string> before = listed();
  std::vector<std::string> either = names;
  std::copy_if(before.begin(), before.end(), std::back_inserter(either),
               [&](const std::string& name) { return !files.contains(name); });
  Json json = Json::parse(files.at(list));
  make_directory(path);
  write_file(path / list, Json{{mark, json.at(mark)}, {kFiles, either}}.dump(2) + "\n");
  for (const std::string& name : before) {
    std::error_code ignored;  // it may be gone already
    if (!files.contains(name) && !fs::is_directory(path / name, ignored)) {
      fs::remove(path / name, ignored);
    }
  }
  for (const auto& [name, content] : files) {
    if (name != list) {
      make_directory((path / name).parent_path());
      write_file(path / name, content);
    }
  }
  json[kFiles] = names;
  write_file(path / list, json.dump(2) + "\n");
}

}  // namespace patchnas
