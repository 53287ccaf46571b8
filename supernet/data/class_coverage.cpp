#include "supernet/data/class_coverage.h"

#include <algorithm>
#include <vector>

#include "supernet/data/image_store.h"

namespace patchnas {

std::string missing_classes(std::span<const std::int32_t> labels, int classes,
                            const std::string& what) {
  std::vector<bool> has_images(static_cast<std::size_t>(classes));
  for (const std::int32_t label : labels) {
    has_images[static_cast<std::size_t>(label)] = true;
  }
  const auto first = std::find(has_images.begin(), has_images.end(), false);
  return first == has_images.end()
             ? ""
             : std::to_string(std::count(first, has_images.end(), false)) + " of the " +
                   std::to_string(classes) + " classes have no " + what + ", the first is class " +
                   std::to_string(first - has_images.begin());
}

std::string missing_classes(const ImageStore& images, const std::string& what) {
  std::vector<std::int32_t> labels;
  for (int i = 0; i < images.size(); ++i) {
    labels.push_back(images.label(i));
  }
  return missing_classes(labels, images.classes(), what);
}

}  // namespace patchnas
