#include "arch/base/yaml_reader.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "arch/base/byte_size.h"
#include "arch/base/error.h"
#include "arch/base/input_file.h"

namespace patchnas {

struct YamlReader::Document {
  std::string source;
  YAML::Node root;
  std::map<std::string, std::string> assignments;  // dotted key -> the text that made or set it
};

namespace {

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

// A text of the file within a message: one line, not endless.
std::string quotable(const std::string& text) {
  constexpr std::size_t kLongest = 80;
  std::string result = text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return result;
}

std::string number_text(double value) {
  std::ostringstream stream;
  stream << value;
  return stream.str();
}
std::string number_text(int value) { return std::to_string(value); }
std::string number_text(std::int64_t value) { return std::to_string(value); }

template <typename T>
std::string describe(const Allowed<T>& allowed) {
  const bool bounded_below = allowed.min > std::numeric_limits<T>::lowest();
  const bool bounded_above = allowed.max < std::numeric_limits<T>::max();
  if (bounded_below && bounded_above) {
    return number_text(allowed.min) + " to " + number_text(allowed.max);
  }
  return bounded_below ? number_text(allowed.min) + " or more"
                       : number_text(allowed.max) + " or less";
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row.back();
}

std::string position(const std::string& source, const YAML::Mark& mark) {
  if (mark.is_null()) {
    return source;
  }
  return source + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
}

// Where a document begins, and whether there is anything in it.
class DocumentProbe : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { begin_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { found(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string&) override {
    found(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    found(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    found(mark);
  }
  void OnMapEnd() override {}

  [[nodiscard]] bool is_empty() const { return is_empty_; }
  [[nodiscard]] const YAML::Mark& begin() const { return begin_; }

 private:
  void found(const YAML::Mark& mark) {
    begin_ = is_empty_ ? mark : begin_;
    is_empty_ = false;
  }

  YAML::Mark begin_ = YAML::Mark::null_mark();
  bool is_empty_ = true;
};

// The one document of a text. YAML allows several; what stands in the others would be lost, and so
// would what yaml-cpp cannot place behind the first. (YAML::LoadAll never comes to an end there.)
YAML::Node load(std::string_view text, const std::string& source) {
  const std::string copy(text);
  std::istringstream stream(copy);
  YAML::Parser parser(stream);
  DocumentProbe first;
  DocumentProbe second;
  if (parser.HandleNextDocument(first) && parser.HandleNextDocument(second) &&
      (!second.is_empty() || parser)) {
    throw InputError(position(source, second.begin()) +
                     (second.is_empty() ? ": nothing may stand behind the document's end"
                                        : ": a second YAML document begins here; allowed: one"));
  }
  return YAML::Load(copy);
}

}  // namespace

std::string nearest_word(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = word.size() / 3 + 2;  // further away is another word, not a slip
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

YamlReader::YamlReader(std::shared_ptr<Document> document, const YAML::Node& node, std::string path)
    : document_(std::move(document)),
      node_(std::make_shared<YAML::Node>(node)),
      path_(std::move(path)) {}

YamlReader YamlReader::parse_file(const std::filesystem::path& path) {
  return parse_text(read_input(path), path.string());
}

YamlReader YamlReader::parse_text(std::string_view text, const std::string& source) {
  auto document = std::make_shared<Document>();
  document->source = source;
  try {
    document->root = load(text, source);
  } catch (const YAML::Exception& e) {
    throw InputError(position(source, e.mark) + ": not valid YAML: " + quotable(e.msg));
  }
  if (!document->root.IsMap()) {
    throw InputError(source + ": must be a mapping of keys to values");
  }
  const YAML::Node root = document->root;
  return {std::move(document), root, ""};
}

void YamlReader::assign(const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  const std::string origin = "--set " + assignment;
  if (equals == std::string::npos || equals == 0) {
    throw InputError(origin + ": must have the form key=value, for example search.population=50");
  }
  const std::string key = assignment.substr(0, equals);
  YAML::Node value;
  try {
    value = load(assignment.substr(equals + 1), origin);
  } catch (const YAML::Exception& e) {
    throw InputError(origin + ": not a YAML value: " + quotable(e.msg));
  }
  YAML::Node node = *node_;
  std::istringstream parts(key);
  std::vector<std::string> names;
  for (std::string part; std::getline(parts, part, '.');) {
    names.push_back(part);
  }
  std::string path;
  for (std::size_t i = 0; i < names.size(); ++i) {
    path += (i == 0 ? "" : ".") + names[i];
    if (names[i].empty() || !node.IsMap()) {
      throw InputError(origin + ": there is no key '" + key + "'");
    }
    if (i + 1 == names.size()) {
      node[names[i]] = value;
      break;
    }
    if (!node[names[i]]) {
      node[names[i]] = YAML::Node(YAML::NodeType::Map);
      document_->assignments[path] = origin;
    }
    node.reset(node[names[i]]);
  }
  document_->assignments[key] = origin;
}

std::string YamlReader::full_key(const std::string& key) const {
  return path_.empty() ? key : key.empty() ? path_ : path_ + "." + key;
}

std::string YamlReader::location(const std::string& key, const YAML::Node& node) const {
  std::string prefix = full_key(key);
  for (;;) {
    const auto found = document_->assignments.find(prefix);
    if (found != document_->assignments.end()) {
      return found->second;
    }
    const std::size_t end = prefix.find_last_of(".[");
    if (end == std::string::npos) {
      break;
    }
    prefix.resize(end);
  }
  return position(document_->source, node.Mark());
}

void YamlReader::fail_at(const YAML::Node& node, const std::string& key,
                         const std::string& message) const {
  throw InputError(location(key, node) + ": " + full_key(key) + ": " + message);
}

void YamlReader::fail(const std::string& key, const std::string& message) const {
  const YAML::Node& map = *node_;
  const YAML::Node value = map.IsMap() ? map[key] : YAML::Node(YAML::NodeType::Undefined);
  fail_at(value.IsDefined() ? value : map, key, message);
}

bool YamlReader::has(const std::string& key) const {
  const YAML::Node& map = *node_;
  return map.IsMap() && map[key].IsDefined();
}

bool YamlReader::has_value(const std::string& key) const {
  return has(key) && !(*node_)[key].IsNull();
}

YAML::Node YamlReader::find(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
    known_.push_back(key);
  }
  const YAML::Node& map = *node_;
  return map.IsMap() ? map[key] : YAML::Node(YAML::NodeType::Undefined);
}

YAML::Node YamlReader::require(const std::string& key) {
  YAML::Node node = find(key);
  if (!node.IsDefined()) {
    fail_at(*node_, key, "is missing");
  }
  return node;
}

template <typename T>
T YamlReader::scalar(const YAML::Node& node, const std::string& key, Allowed<T> allowed,
                     const char* type_name) const {
  T value{};
  if (!node.IsScalar() || !YAML::convert<T>::decode(node, value)) {
    fail_at(node, key,
            "must be " + std::string(type_name) +
                (node.IsScalar() ? ", not '" + quotable(node.Scalar()) + "'" : ""));
  }
  if (!(value >= allowed.min && value <= allowed.max)) {
    fail_at(node, key, quotable(node.Scalar()) + " is out of range; allowed: " + describe(allowed));
  }
  return value;
}

template <typename T>
std::vector<T> YamlReader::sequence(const std::string& key, Allowed<T> allowed,
                                    std::optional<std::vector<T>> fallback, const char* type_name) {
  if (fallback && !has(key)) {
    find(key);
    return *fallback;
  }
  const YAML::Node node = require(key);
  if (!node.IsSequence() || node.size() == 0) {
    fail_at(node, key, "must be a list with at least one element");
  }
  std::vector<T> values;
  for (std::size_t i = 0; i < node.size(); ++i) {
    values.push_back(scalar<T>(node[i], key + "[" + std::to_string(i) + "]", allowed, type_name));
  }
  return values;
}

int YamlReader::integer(const std::string& key, Allowed<int> allowed, std::optional<int> fallback) {
  if (fallback && !has(key)) {
    find(key);
    return *fallback;
  }
  return scalar<int>(require(key), key, allowed, "a whole number");
}

double YamlReader::number(const std::string& key, Allowed<double> allowed,
                          std::optional<double> fallback) {
  if (fallback && !has(key)) {
    find(key);
    return *fallback;
  }
  return scalar<double>(require(key), key, allowed, "a number");
}

bool YamlReader::boolean(const std::string& key, std::optional<bool> fallback) {
  if (fallback && !has(key)) {
    find(key);
    return *fallback;
  }
  const YAML::Node node = require(key);
  bool value = false;
  if (!node.IsScalar() || !YAML::convert<bool>::decode(node, value)) {
    fail_at(node, key, "must be true or false");
  }
  return value;
}

std::string YamlReader::string(const std::string& key, std::optional<std::string> fallback) {
  if (fallback && !has(key)) {
    find(key);
    return *fallback;
  }
  const YAML::Node node = require(key);
  if (!node.IsScalar()) {
    fail_at(node, key, "must be a text");
  }
  return node.Scalar();
}

std::size_t YamlReader::choice(const std::string& key, const std::vector<std::string>& options,
                               std::optional<std::size_t> fallback) {
  if (fallback && !has(key)) {
    find(key);
    return *fallback;
  }
  const YAML::Node node = require(key);
  const auto found =
      node.IsScalar() ? std::find(options.begin(), options.end(), node.Scalar()) : options.end();
  if (found == options.end()) {
    fail_at(node, key,
            (node.IsScalar() ? "'" + quotable(node.Scalar()) + "' is unknown; allowed: "
                             : "must be one of: ") +
                join(options));
  }
  return static_cast<std::size_t>(found - options.begin());
}

std::vector<int> YamlReader::integers(const std::string& key, Allowed<int> allowed,
                                      std::optional<std::vector<int>> fallback) {
  return sequence<int>(key, allowed, std::move(fallback), "a whole number");
}

std::vector<double> YamlReader::numbers(const std::string& key, Allowed<double> allowed,
                                        std::optional<std::vector<double>> fallback) {
  return sequence<double>(key, allowed, std::move(fallback), "a number");
}

std::vector<std::string> YamlReader::strings(const std::string& key,
                                             std::optional<std::vector<std::string>> fallback) {
  if (fallback && !has(key)) {
    find(key);
    return *fallback;
  }
  const YAML::Node node = require(key);
  const bool is_list = node.IsSequence() && node.size() > 0;
  std::vector<std::string> values;
  for (std::size_t i = 0; is_list && i < node.size() && node[i].IsScalar(); ++i) {
    values.push_back(node[i].Scalar());
  }
  if (!is_list || values.size() < node.size()) {
    fail_at(node, key, "must be a list with at least one element, all of them plain values");
  }
  return values;
}

std::int64_t YamlReader::bytes(const std::string& key, Allowed<std::int64_t> allowed,
                               std::optional<std::int64_t> fallback) {
  if (fallback && !has(key)) {
    find(key);
    return *fallback;
  }
  const YAML::Node node = require(key);
  const std::string form(kByteSizeForm);
  if (!node.IsScalar()) {
    fail_at(node, key, form);
  }
  const std::string& text = node.Scalar();
  const std::optional<std::int64_t> size = parse_byte_size(text);
  if (!size) {
    fail_at(node, key, form + ", not '" + quotable(text) + "'");
  }
  const std::int64_t value = *size;
  if (value < allowed.min || value > allowed.max) {
    fail_at(node, key, quotable(text) + " is out of range; allowed in bytes: " + describe(allowed));
  }
  return value;
}

YamlReader YamlReader::child(const YAML::Node& node, const std::string& key) const {
  if (!node.IsMap()) {
    fail_at(node, key, "must be a mapping of keys to values");
  }
  return {document_, node, full_key(key)};
}

YamlReader YamlReader::map(const std::string& key) { return child(require(key), key); }

YamlReader YamlReader::optional_map(const std::string& key) {
  const YAML::Node node = find(key);
  return node.IsDefined() && !node.IsNull() ? child(node, key)
                                            : child(YAML::Node(YAML::NodeType::Map), key);
}

std::vector<YamlReader> YamlReader::maps(const std::string& key) {
  const YAML::Node node = require(key);
  if (!node.IsSequence()) {
    fail_at(node, key, "must be a list");
  }
  std::vector<YamlReader> readers;
  for (std::size_t i = 0; i < node.size(); ++i) {
    readers.push_back(child(node[i], key + "[" + std::to_string(i) + "]"));
  }
  return readers;
}

std::vector<std::vector<YamlReader>> YamlReader::nested_maps(const std::string& key) {
  const YAML::Node node = require(key);
  if (!node.IsSequence()) {
    fail_at(node, key, "must be a list");
  }
  std::vector<std::vector<YamlReader>> readers;
  for (std::size_t i = 0; i < node.size(); ++i) {
    const std::string outer = key + "[" + std::to_string(i) + "]";
    if (!node[i].IsSequence()) {
      fail_at(node[i], outer, "must be a list");
    }
    std::vector<YamlReader>& list = readers.emplace_back();
    for (std::size_t j = 0; j < node[i].size(); ++j) {
      list.push_back(child(node[i][j], outer + "[" + std::to_string(j) + "]"));
    }
  }
  return readers;
}

void YamlReader::finish() const {
  std::vector<std::string> seen;
  for (const auto& entry : *node_) {
    const std::string key = entry.first.IsScalar() ? quotable(entry.first.Scalar()) : "?";
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      const std::string near = nearest_word(key, known_);
      fail_at(entry.first, key,
              "unknown key" +
                  (near.empty() ? "; allowed: " + join(known_) : "; did you mean '" + near + "'?"));
    }
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      fail_at(entry.first, key, "is given twice");
    }
    seen.push_back(key);
  }
}

}  // namespace patchnas
