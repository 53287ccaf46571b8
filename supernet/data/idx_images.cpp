#include "supernet/data/idx_images.h"

#include <string>
#include <utility>
#include <vector>

#include "arch/base/error.h"
#include "supernet/data/class_coverage.h"
#include "supernet/data/idx_file.h"

namespace patchnas {
namespace {

struct Paths {
  std::filesystem::path images;
  std::filesystem::path labels;
};

Paths find(const std::filesystem::path& folder, IdxPart part) {
  const std::string prefix = part == IdxPart::kTraining ? "train" : "t10k";
  return {find_idx_file(folder, prefix + "-images-idx3-ubyte"),
          find_idx_file(folder, prefix + "-labels-idx1-ubyte")};
}

void check_counts(const Paths& paths, const IdxHeader& images, const IdxHeader& labels) {
  if (images.extents[0] != labels.extents[0]) {
    throw InputError(paths.images.string() + ": " + std::to_string(images.extents[0]) +
                     " images, but " + paths.labels.string() + " has " +
                     std::to_string(labels.extents[0]) + " labels");
  }
}

/// Every class has images.
std::vector<std::int32_t> read_labels(const Paths& paths, const IdxHeader& images, int classes) {
  const IdxFile file = read_idx_file(paths.labels, IdxContent::kLabels);
  check_counts(paths, images, file.header);
  for (std::size_t i = 0; i < file.bytes.size(); ++i) {
    if (file.bytes[i] >= classes) {
      throw InputError(paths.labels.string() + ": label " + std::to_string(file.bytes[i]) +
                       " at index " + std::to_string(i) + "; allowed are 0 to " +
                       std::to_string(classes - 1));
    }
  }
  std::vector<std::int32_t> labels(file.bytes.begin(), file.bytes.end());
  if (const std::string missing = missing_classes(labels, classes, "images"); !missing.empty()) {
    throw InputError(paths.labels.string() + ": " + missing + "; every class needs some");
  }
  return labels;
}

IdxHeader check(const Paths& paths, int classes) {
  IdxHeader images = read_idx_header(paths.images, IdxContent::kImages);
  read_labels(paths, images, classes);
  return images;
}

}  // namespace

ImageSet read_idx_images(const std::filesystem::path& folder, IdxPart part, int classes) {
  const Paths paths = find(folder, part);
  IdxFile images = read_idx_file(paths.images, IdxContent::kImages);
  ImageSet set;
  set.labels = read_labels(paths, images.header, classes);
  set.height = images.header.extents[1];
  set.width = images.header.extents[2];
  set.channels = 1;
  set.classes = classes;
  set.pixels = std::move(images.bytes);
  return set;
}

void check_idx_files(const std::filesystem::path& folder, int classes) {
  const Paths test = find(folder, IdxPart::kTest);
  const IdxHeader training_header = check(find(folder, IdxPart::kTraining), classes);
  const IdxHeader test_header = check(test, classes);
  for (const std::size_t axis : {1U, 2U}) {
    if (training_header.extents[axis] != test_header.extents[axis]) {
      throw InputError(test.images.string() + ": images of another size than the training images");
    }
  }
}

}  // namespace patchnas
