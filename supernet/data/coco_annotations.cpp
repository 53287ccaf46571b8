#include "supernet/data/coco_annotations.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "arch/base/error.h"
#include "arch/base/input_file.h"

namespace patchnas {
namespace {

using Json = nlohmann::json;

/// Collects one entry of a list at a time: {"images": [{entry}, ...], "annotations": ...}.
class Reader : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}
  CocoAnnotations take() {
    require(!result_.images.empty(), "has no list of images");
    require(!result_.category_ids.empty(), "has no list of categories");
    require(!result_.annotations.empty(), "has no annotations");
    return std::move(result_);
  }

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool number_integer(number_integer_t value) override {
    return number(static_cast<double>(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return number(static_cast<double>(value));
  }
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return number(value);
  }
  bool string(string_t& value) override {
    if (depth_ == kEntryDepth) {
      if (field_ == "file_name" || field_ == "name") {
        text_ = std::move(value);
      }
    }
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) {
      list_ = name;
    } else if (depth_ == kEntryDepth) {
      field_ = name;
    }
    return true;
  }
  bool start_object(std::size_t /*size*/) override {
    if (++depth_ == kEntryDepth) {
      numbers_.clear();
      text_.reset();
    }
    return true;
  }
  bool end_object() override {
    if (depth_-- == kEntryDepth) {
      finish_entry();
    }
    return true;
  }
  bool start_array(std::size_t /*size*/) override {
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const Json::exception& /*error*/) override {
    throw InputError(file_ + ": is no JSON, or cut short: error at byte " +
                     std::to_string(position));
  }

 private:
  static constexpr int kEntryDepth = 3;  // object, list, entry

  bool number(double value) {
    if (depth_ == kEntryDepth) {
      numbers_[field_] = value;
    }
    return true;
  }

  void require(bool holds, const std::string& otherwise) const {
    if (!holds) {
      throw InputError(file_ + ": " + otherwise);
    }
  }

  [[nodiscard]] double field(const char* name) const {
    const auto found = numbers_.find(name);
    require(
        found != numbers_.end(),
        std::string("an entry of ").append(list_).append(" has no number as its ").append(name));
    return found->second;
  }
  [[nodiscard]] std::int64_t whole(const char* name) const {
    const double value = field(name);
    require(value == std::floor(value) && std::abs(value) < 9e15,
            std::string("an entry of ")
                .append(list_)
                .append(" has no whole number as its ")
                .append(name));
    return static_cast<std::int64_t>(value);
  }

  void finish_entry() {
    if (list_ == "images") {
      require(text_.has_value(), "an entry of images has no file_name");
      const std::int64_t height = whole("height");
      const std::int64_t width = whole("width");
      require(height > 0 && width > 0 && height <= std::numeric_limits<std::int32_t>::max() &&
                  width <= std::numeric_limits<std::int32_t>::max(),
              "image " + *text_ + " has no size");
      result_.images.push_back(
          {whole("id"), static_cast<int>(height), static_cast<int>(width), std::move(*text_)});
    } else if (list_ == "annotations") {
      result_.annotations.push_back({whole("image_id"), whole("category_id"), field("area")});
    } else if (list_ == "categories") {
      require(text_.has_value(), "an entry of categories has no name");
      result_.category_ids[*text_] = whole("id");
    }
  }

  std::string file_;
  CocoAnnotations result_;
  int depth_ = 0;
  std::string list_;
  std::string field_;
  std::map<std::string, double> numbers_;
  std::optional<std::string> text_;
};

}  // namespace

CocoAnnotations read_coco_annotations(const std::filesystem::path& file) {
  require_file(file);
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    throw InputError(file.string() + ": cannot be read");
  }
  Reader reader(file.string());
  Json::sax_parse(stream, &reader);
  return reader.take();
}

}  // namespace patchnas
