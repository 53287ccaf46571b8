#include "supernet/data_source.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>
#include <vector>

#include "arch/error.h"
#include "arch/random.h"
#include "supernet/idx_file.h"

namespace patchnas {
namespace {

struct FilePair {
  const char* images;
  const char* labels;
};
constexpr FilePair kTrainingFiles{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"};
constexpr FilePair kTestFiles{"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

std::filesystem::path folder_of(const DataConfig& config) {
  if (!config.path.empty()) {
    return config.path;
  }
  if (config.kind == DataKind::kFashionMnist) {
    return "/usr/share/datasets/fashion-mnist";
  }
  throw InputError("data.path: missing; data.kind idx needs the folder of its four files");
}

struct PathPair {
  std::filesystem::path images;
  std::filesystem::path labels;
};

PathPair find(const DataConfig& config, const FilePair& files) {
  const std::filesystem::path folder = folder_of(config);
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw InputError(folder.string() + ": no such folder" +
                     (config.kind == DataKind::kFashionMnist
                          ? "; install Debian's dataset-fashion-mnist or set data.path"
                          : "; data.path must name the folder of the four IDX files"));
  }
  return {find_idx_file(folder, files.images), find_idx_file(folder, files.labels)};
}

void check_counts(const PathPair& paths, const IdxHeader& images, const IdxHeader& labels) {
  if (images.extents[0] != labels.extents[0]) {
    throw InputError(paths.images.string() + ": " + std::to_string(images.extents[0]) +
                     " images, but " + paths.labels.string() + " has " +
                     std::to_string(labels.extents[0]) + " labels");
  }
}

IdxHeader check_headers(const PathPair& paths) {
  const IdxHeader images = read_idx_header(paths.images, IdxContent::kImages);
  check_counts(paths, images, read_idx_header(paths.labels, IdxContent::kLabels));
  return images;
}

ImageSet read_pair(const PathPair& paths, int classes) {
  IdxFile images = read_idx_file(paths.images, IdxContent::kImages);
  const IdxFile labels = read_idx_file(paths.labels, IdxContent::kLabels);
  check_counts(paths, images.header, labels.header);
  for (std::size_t i = 0; i < labels.bytes.size(); ++i) {
    if (labels.bytes[i] >= classes) {
      throw InputError(paths.labels.string() + ": label " + std::to_string(labels.bytes[i]) +
                       " at index " + std::to_string(i) + "; allowed are 0 to " +
                       std::to_string(classes - 1));
    }
  }
  ImageSet set;
  set.height = images.header.extents[1];
  set.width = images.header.extents[2];
  set.channels = 1;
  set.classes = classes;
  set.pixels = std::move(images.bytes);
  set.labels.assign(labels.bytes.begin(), labels.bytes.end());
  return set;
}

// Splits `total` among classes in proportion to `sizes`, exactly: largest remainders first.
std::vector<int> shares(const std::vector<std::vector<int>>& classes, int total) {
  std::int64_t all = 0;
  for (const auto& members : classes) {
    all += static_cast<std::int64_t>(members.size());
  }
  std::vector<int> share;
  std::vector<std::int64_t> remainder;
  for (const auto& members : classes) {
    const std::int64_t product = static_cast<std::int64_t>(members.size()) * total;
    share.push_back(static_cast<int>(product / all));
    remainder.push_back(product % all);
  }
  std::vector<std::size_t> order(classes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  const int missing = total - std::accumulate(share.begin(), share.end(), 0);
  for (int i = 0; i < missing; ++i) {
    ++share[order[static_cast<std::size_t>(i)]];
  }
  return share;
}

// Takes a proportional number from the end of every class; the result is in ascending order.
std::vector<int> take(std::vector<std::vector<int>>& classes, int total) {
  const std::vector<int> share = shares(classes, total);
  std::vector<int> taken;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto from = classes[c].end() - share[c];
    taken.insert(taken.end(), from, classes[c].end());
    classes[c].erase(from, classes[c].end());
  }
  std::sort(taken.begin(), taken.end());
  return taken;
}

}  // namespace

TrainingData load_training_data(const DataConfig& config, std::uint64_t seed) {
  const PathPair paths = find(config, kTrainingFiles);
  const ImageSet all = read_pair(paths, config.classes);
  const int needed = config.validation_images + std::max(1, config.limit_training_images);
  if (all.size() < needed) {
    throw InputError(paths.images.string() + ": " + std::to_string(all.size()) +
                     " images; validation_images and limit_training_images need " +
                     std::to_string(needed));
  }
  std::vector<std::vector<int>> classes(static_cast<std::size_t>(config.classes));
  for (int i = 0; i < all.size(); ++i) {
    classes[static_cast<std::size_t>(all.labels[static_cast<std::size_t>(i)])].push_back(i);
  }
  RandomStream stream(seed, "data/split");
  for (std::vector<int>& members : classes) {
    stream.shuffle(std::span(members));
  }
  const std::vector<int> validation = take(classes, config.validation_images);
  const int rest = all.size() - config.validation_images;
  const std::vector<int> training =
      take(classes, config.limit_training_images == 0 ? rest : config.limit_training_images);
  return {subset(all, training), subset(all, validation)};
}

ImageSet load_test_images(const DataConfig& config) {
  ImageSet all = read_pair(find(config, kTestFiles), config.classes);
  if (config.limit_test_images == 0 || config.limit_test_images >= all.size()) {
    return all;
  }
  std::vector<int> first(static_cast<std::size_t>(config.limit_test_images));
  std::iota(first.begin(), first.end(), 0);
  return subset(all, first);
}

void check_data_files(const DataConfig& config) {
  const PathPair test = find(config, kTestFiles);
  const IdxHeader training_header = check_headers(find(config, kTrainingFiles));
  const IdxHeader test_header = check_headers(test);
  for (const std::size_t axis : {1U, 2U}) {
    if (training_header.extents[axis] != test_header.extents[axis]) {
      throw InputError(test.images.string() + ": images of another size than the training images");
    }
  }
}

}  // namespace patchnas
