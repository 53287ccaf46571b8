#include "search/config/data_config.h"

#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "search/config/yaml_section.h"

namespace patchnas {
namespace {

constexpr int kMany = std::numeric_limits<int>::max();
constexpr std::int64_t kMaxCacheBytes = std::int64_t{1} << 50;

std::vector<std::string> data_kind_names() {
  return {std::begin(kDataKindNames), std::end(kDataKindNames)};
}

/// Two numbers in ascending order.
std::pair<double, double> parse_range(YamlReader& reader, const std::string& key,
                                      Allowed<double> allowed, std::pair<double, double> fallback) {
  const std::vector<double> range =
      reader.numbers(key, allowed, std::vector<double>{fallback.first, fallback.second});
  if (range.size() != 2 || range[0] > range[1]) {
    reader.fail(key, "must be two numbers, as [0.5, 1], the smaller one first");
  }
  return {range[0], range[1]};
}

Augmentation parse_augmentation(YamlReader reader, const Augmentation& usual) {
  Augmentation augmentation;
  augmentation.shift_pixels = reader.integer("shift_pixels", {0, 1024}, usual.shift_pixels);
  augmentation.flip = reader.boolean("flip", usual.flip);
  if (reader.boolean("random_resized_crop", usual.random_crop.has_value())) {
    CropRange crop = usual.random_crop.value_or(CropRange{});
    std::tie(crop.min_scale, crop.max_scale) =
        parse_range(reader, "crop_scale", {0.001, 1.0}, {crop.min_scale, crop.max_scale});
    std::tie(crop.min_aspect, crop.max_aspect) =
        parse_range(reader, "crop_aspect", {0.1, 10.0}, {crop.min_aspect, crop.max_aspect});
    augmentation.random_crop = crop;
  }
  augmentation.brightness = reader.number("brightness", {0.0, 1.0}, usual.brightness);
  augmentation.contrast = reader.number("contrast", {0.0, 1.0}, usual.contrast);
  augmentation.saturation = reader.number("saturation", {0.0, 1.0}, usual.saturation);
  augmentation.cutout_pixels = reader.integer("cutout_pixels", {0, 4096}, usual.cutout_pixels);
  reader.finish();
  return augmentation;
}

/// Keys that only some kinds have.
void parse_places(YamlReader& reader, DataConfig& data) {
  if (data.kind == DataKind::kImageFolder) {
    data.training_folder = reader.string("training_folder", data.training_folder);
    data.test_folder = reader.string("test_folder", data.test_folder);
  }
  if (data.kind == DataKind::kVisualWakeWords) {
    data.annotations = reader.strings("annotations", data.annotations);
    data.image_folders = reader.strings("image_folders", data.image_folders);
    data.test_ids = reader.string("test_ids", data.test_ids);
  }
}

std::string list_text(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    text.append(text.empty() ? "[" : ", ").append(quoted(item));
  }
  return text.append("]");
}

void append_augmentation(std::string& text, const Augmentation& augmentation) {
  YamlSection section(text, 4, "augmentation");
  section.line("shift_pixels", augmentation.shift_pixels)
      .line("flip", augmentation.flip ? "true" : "false")
      .line("random_resized_crop", augmentation.random_crop ? "true" : "false");
  if (const std::optional<CropRange>& crop = augmentation.random_crop) {
    section.line("crop_scale", fmt::format("[{}, {}]", crop->min_scale, crop->max_scale))
        .line("crop_aspect", fmt::format("[{}, {}]", crop->min_aspect, crop->max_aspect));
  }
  section.line("brightness", augmentation.brightness)
      .line("contrast", augmentation.contrast)
      .line("saturation", augmentation.saturation)
      .line("cutout_pixels", augmentation.cutout_pixels);
}

}  // namespace

std::string default_cache(const std::string& output) { return output + "/cache"; }

DataConfig parse_data_config(YamlReader reader, const std::string& output) {
  DataConfig data;
  data.kind = static_cast<DataKind>(reader.choice("kind", data_kind_names()));
  data.path = reader.string("path", data.path);
  parse_places(reader, data);
  data.validation_images = reader.integer("validation_images", {1, kMany}, data.validation_images);
  data.limit_training_images =
      reader.integer("limit_training_images", {0, kMany}, data.limit_training_images);
  data.limit_test_images = reader.integer("limit_test_images", {0, kMany}, data.limit_test_images);
  data.normalisation.mean = reader.integer("mean", {0, 255}, data.normalisation.mean);
  data.normalisation.stddev = reader.number("stddev", {0.5, 1000.0}, data.normalisation.stddev);
  data.crop_ratio = reader.number("crop_ratio", {0.1, 1.0}, default_crop_ratio(data.kind));
  data.augmentation =
      parse_augmentation(reader.optional_map("augmentation"), default_augmentation(data.kind));
  data.cache = reader.string("cache", default_cache(output));
  data.cache_bytes = reader.bytes("cache_size", {0, kMaxCacheBytes}, data.cache_bytes);
  data.max_corrupt_images =
      reader.integer("max_corrupt_images", {0, kMany}, data.max_corrupt_images);
  data.workers = reader.integer("workers", {0, 1024}, default_workers(data.kind));
  reader.finish();
  return data;
}

std::string to_yaml(const DataConfig& data) {
  std::string text;
  YamlSection section(text, 2, "data");
  section.line("kind", std::string(kDataKindNames[static_cast<std::size_t>(data.kind)]))
      .line("path", quoted(data.path));
  if (data.kind == DataKind::kImageFolder) {
    section.line("training_folder", quoted(data.training_folder))
        .line("test_folder", quoted(data.test_folder));
  }
  if (!data.annotations.empty()) {
    section.line("annotations", list_text(data.annotations));
  }
  if (!data.image_folders.empty()) {
    section.line("image_folders", list_text(data.image_folders));
  }
  if (data.kind == DataKind::kVisualWakeWords) {
    section.line("test_ids", quoted(data.test_ids));
  }
  section.line("validation_images", data.validation_images)
      .line("limit_training_images", data.limit_training_images)
      .line("limit_test_images", data.limit_test_images)
      .line("mean", data.normalisation.mean)
      .line("stddev", data.normalisation.stddev)
      .line("crop_ratio", data.crop_ratio)
      .line("cache", quoted(data.cache))
      .line("cache_size", bytes_text(data.cache_bytes))
      .line("max_corrupt_images", data.max_corrupt_images)
      .line("workers", data.workers);
  append_augmentation(text, data.augmentation);
  return text;
}

}  // namespace patchnas
