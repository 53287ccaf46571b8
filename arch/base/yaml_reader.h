#pragma once

// Strict reading of YAML and JSON (which is YAML): range-checked getters, defaults where they are
// read, and unknown keys reported with the nearest known one. Every error names file, line and
// column.
//
//   YamlReader config = YamlReader::parse_file("vww.yaml");
//   config.assign("search.population=50");                       // --set
//   YamlReader search = config.map("search");
//   const int population = search.integer("population", {2, 100000}, 100);
//   search.finish();                                             // unknown keys are errors

#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace YAML {
class Node;
}

namespace patchnas {

template <typename T>
struct Allowed {
  T min = std::numeric_limits<T>::lowest();
  T max = std::numeric_limits<T>::max();
};

class YamlReader {
 public:
  /// @throws InputError if the file cannot be read or is not YAML with a mapping at the top.
  static YamlReader parse_file(const std::filesystem::path& path);
  static YamlReader parse_text(std::string_view text, const std::string& source);

  /// Overrides one value: "a.b.c=value", the value in YAML. A key unknown to the readers is
  /// reported by finish().
  void assign(const std::string& assignment);

  [[nodiscard]] bool has(const std::string& key) const;
  /// has(), and not null.
  [[nodiscard]] bool has_value(const std::string& key) const;

  // Getters of a mapping. Without a fallback the key is required.
  int integer(const std::string& key, Allowed<int> allowed = {}, std::optional<int> fallback = {});
  double number(const std::string& key, Allowed<double> allowed = {},
                std::optional<double> fallback = {});
  bool boolean(const std::string& key, std::optional<bool> fallback = {});
  std::string string(const std::string& key, std::optional<std::string> fallback = {});
  /// Index of the value within `options`.
  std::size_t choice(const std::string& key, const std::vector<std::string>& options,
                     std::optional<std::size_t> fallback = {});
  /// A non-empty sequence.
  std::vector<int> integers(const std::string& key, Allowed<int> allowed = {},
                            std::optional<std::vector<int>> fallback = {});
  std::vector<double> numbers(const std::string& key, Allowed<double> allowed = {},
                              std::optional<std::vector<double>> fallback = {});
  /// The scalars of a non-empty sequence as they are written.
  std::vector<std::string> strings(const std::string& key,
                                   std::optional<std::vector<std::string>> fallback = {});
  /// Bytes: a plain integer, or one with the suffix B, KiB, MiB or GiB.
  std::int64_t bytes(const std::string& key, Allowed<std::int64_t> allowed = {},
                     std::optional<std::int64_t> fallback = {});
  /// A nested mapping; an absent optional one reads as empty.
  YamlReader map(const std::string& key);
  YamlReader optional_map(const std::string& key);
  /// A sequence of mappings, perhaps empty.
  std::vector<YamlReader> maps(const std::string& key);
  /// A sequence of sequences of mappings, perhaps empty.
  std::vector<std::vector<YamlReader>> nested_maps(const std::string& key);

  /// @throws InputError for the first key that no getter has asked for.
  void finish() const;

  /// Throws InputError "file:line:column: key: message" at the value of `key` (at the mapping
  /// itself where absent).
  [[noreturn]] void fail(const std::string& key, const std::string& message) const;

 private:
  struct Document;
  YamlReader(std::shared_ptr<Document> document, const YAML::Node& node, std::string path);

  YAML::Node find(const std::string& key);
  YAML::Node require(const std::string& key);
  [[nodiscard]] std::string location(const std::string& key, const YAML::Node& node) const;
  [[nodiscard]] std::string full_key(const std::string& key) const;
  [[noreturn]] void fail_at(const YAML::Node& node, const std::string& key,
                            const std::string& message) const;
  YamlReader child(const YAML::Node& node, const std::string& key) const;
  template <typename T>
  T scalar(const YAML::Node& node, const std::string& key, Allowed<T> allowed,
           const char* type_name) const;
  template <typename T>
  std::vector<T> sequence(const std::string& key, Allowed<T> allowed,
                          std::optional<std::vector<T>> fallback, const char* type_name);

  std::shared_ptr<Document> document_;
  std::shared_ptr<YAML::Node> node_;
  std::string path_;
  std::vector<std::string> known_;
};

/// The candidate nearest to `word` by edit distance if it is plausibly a misspelling of it, else
/// "".
std::string nearest_word(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace patchnas
