// A linker for text. It relies on how runtime/ is written: patchnas_NAME is in NAME.c, what
// HEADER.h declares beside kernels is in HEADER.c, and headers are included by their path from the
// repository root.

#include "deploy/package/runtime_sources.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <stdexcept>
#include <string>

namespace patchnas {
namespace {

const SourceFile* find_source(std::string_view path) {
  const std::span<const SourceFile> all = runtime_sources();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const SourceFile& file) { return file.path == path; });
  return found == all.end() ? nullptr : &*found;
}

// NAME for every "patchnas_NAME(" in the text.
std::vector<std::string> called_functions(std::string_view text) {
  constexpr std::string_view kPrefix = "patchnas_";
  const auto is_in_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  std::vector<std::string> result;
  for (std::size_t at = text.find(kPrefix); at != std::string_view::npos;
       at = text.find(kPrefix, at + 1)) {
    const std::size_t begin = at + kPrefix.size();
    const auto* const end = std::find_if_not(text.begin() + begin, text.end(), is_in_name);
    if (end != text.end() && *end == '(' && (at == 0 || !is_in_name(text[at - 1]))) {
      result.emplace_back(text.begin() + begin, end);
    }
  }
  return result;
}

std::vector<std::string_view> included_headers(std::string_view text) {
  constexpr std::string_view kInclude = "#include \"";
  std::vector<std::string_view> result;
  for (std::size_t at = text.find(kInclude); at != std::string_view::npos;
       at = text.find(kInclude, at + 1)) {
    const std::size_t begin = at + kInclude.size();
    result.push_back(text.substr(begin, text.find('"', begin) - begin));
  }
  return result;
}

}  // namespace

std::vector<SourceFile> linked_runtime_sources(std::string_view program) {
  std::map<std::string_view, SourceFile> needed;
  std::vector<std::string_view> pending;
  const auto need = [&](const SourceFile* file) {
    if (file != nullptr && needed.emplace(file->path, *file).second) {
      pending.push_back(file->text);
    }
  };
  const auto need_headers = [&](std::string_view text) {
    for (const std::string_view path : included_headers(text)) {
      need(find_source(path));
      need(find_source(std::string(path.substr(0, path.size() - 2)) + ".c"));
    }
  };
  for (const std::string& function : called_functions(program)) {
    const SourceFile* const source = find_source("runtime/" + function + ".c");
    if (source == nullptr) {
      throw std::logic_error("runtime/ has no " + function + ".c");
    }
    need(source);
  }
  need_headers(program);
  while (!pending.empty()) {
    const std::string_view text = pending.back();
    pending.pop_back();
    need_headers(text);
  }
  std::vector<SourceFile> result;
  for (const auto& [path, file] : needed) {
    result.push_back(file);
  }
  return result;
}

}  // namespace patchnas
