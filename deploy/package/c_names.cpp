#include "deploy/package/c_names.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>

namespace patchnas {
namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

}  // namespace

std::string c_identifier(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (is_letter_or_digit(c) && (!result.empty() || is_letter(c))) {
      result += c;
    } else if (!result.empty() && result.back() != '_') {
      result += '_';
    }
  }
  if (!result.empty() && result.back() == '_') {
    result.pop_back();
  }
  return result;
}

std::string upper_case(std::string_view identifier) {
  std::string result(identifier);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

std::vector<std::string> layer_identifiers(const Network& network) {
  constexpr std::size_t kLongest = 40;
  std::vector<std::string> result;
  std::map<std::string, int> uses;
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    result.push_back(c_identifier(network.layer_name(layer)));
    ++uses[result.back()];
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i].empty() || result[i].size() > kLongest || uses[result[i]] > 1 ||
        result[i].starts_with("layer")) {
      result[i] = "layer" + std::to_string(i);
    }
  }
  return result;
}

std::string comment_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool is_plain = std::isprint(static_cast<unsigned char>(c)) != 0 && c != '\\' &&
                          c != '|' && c != '`' && c != '"' && c != '?';
    const bool is_comment_mark = !result.empty() && ((c == '/' && result.back() == '*') ||
                                                     (c == '*' && result.back() == '/'));
    result += is_plain && !is_comment_mark ? c : '_';
  }
  return result;
}

std::string c_float(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));
  std::string result = text;
  if (result.find_first_of(".e") == std::string::npos) {
    result += ".0";
  }
  return result + "f";
}

std::string extents(const TensorShape& shape) {
  return std::to_string(shape.height) + "x" + std::to_string(shape.width) + "x" +
         std::to_string(shape.channels);
}

}  // namespace patchnas
