#pragma once

// What person detection needs of COCO's annotation files (https://cocodataset.org/#format-data).
// They have some 450 MB and are read without being held in memory.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace patchnas {

struct CocoImage {
  std::int64_t id = 0;
  int height = 0;
  int width = 0;
  std::string file_name;
};

struct CocoAnnotation {
  std::int64_t image_id = 0;
  std::int64_t category_id = 0;
  double area = 0.0;  ///< of the object's outline, in pixels
};

struct CocoAnnotations {
  std::vector<CocoImage> images;
  std::vector<CocoAnnotation> annotations;
  std::map<std::string, std::int64_t> category_ids;
};

/// @throws InputError naming the file: unreadable, not JSON (with the place), no images, categories
/// or annotations, an entry that lacks a field, or an image of no size.
CocoAnnotations read_coco_annotations(const std::filesystem::path& file);

}  // namespace patchnas
