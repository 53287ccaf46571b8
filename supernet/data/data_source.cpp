#include "supernet/data/data_source.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "arch/base/error.h"
#include "arch/base/random.h"
#include "supernet/data/cifar_file.h"
#include "supernet/data/class_coverage.h"
#include "supernet/data/class_folders.h"
#include "supernet/data/data_split.h"
#include "supernet/data/idx_images.h"
#include "supernet/data/image_cache.h"
#include "supernet/data/image_decoder.h"
#include "supernet/data/image_header.h"
#include "supernet/data/visual_wake_words.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

enum class Part { kTraining, kTest };

/// The configured folder, which is there.
fs::path folder_of(const DataConfig& config) {
  const std::string kind(kDataKindNames[static_cast<std::size_t>(config.kind)]);
  fs::path folder = config.path;
  if (folder.empty() && config.kind == DataKind::kFashionMnist) {
    folder = "/usr/share/datasets/fashion-mnist";
  }
  if (folder.empty()) {
    throw InputError("data.path: missing; data.kind " + kind + " needs a folder");
  }
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw InputError(folder.string() + ": no such folder" +
                     (config.kind == DataKind::kFashionMnist
                          ? "; install Debian's dataset-fashion-mnist or set data.path"
                          : "; data.path must name the one of data.kind " + kind));
  }
  return folder;
}

CifarKind cifar_kind(const DataConfig& config) {
  return config.kind == DataKind::kCifar10 ? CifarKind::kCifar10 : CifarKind::kCifar100;
}

std::vector<fs::path> cifar_files(const DataConfig& config, Part part) {
  const fs::path folder = folder_of(config);
  std::vector<fs::path> files;
  if (config.kind == DataKind::kCifar100) {
    files = {folder / (part == Part::kTraining ? "train.bin" : "test.bin")};
  } else if (part == Part::kTest) {
    files = {folder / "test_batch.bin"};
  } else {
    for (int i = 1; i <= 5; ++i) {
      files.push_back(folder / ("data_batch_" + std::to_string(i) + ".bin"));
    }
  }
  for (const fs::path& file : files) {
    check_cifar_file(file, cifar_kind(config));
  }
  return files;
}

CocoPlaces coco_places(const DataConfig& config) {
  return {folder_of(config), config.annotations, config.image_folders, config.test_ids};
}

/// The folder of a part of an image_folder: the one that is named, or one of the usual names that
/// has class folders.
fs::path part_folder(const DataConfig& config, Part part) {
  const fs::path root = folder_of(config);
  const bool is_training = part == Part::kTraining;
  const std::string& named = is_training ? config.training_folder : config.test_folder;
  if (!named.empty()) {
    return root / named;
  }
  const std::vector<std::string> usual =
      is_training ? std::vector<std::string>{"train", "training"}
                  : std::vector<std::string>{"test", "val", "validation"};
  for (const std::string& name : usual) {
    std::error_code ignored;
    if (fs::is_directory(root / name, ignored) && !folders_in(root / name).empty()) {
      return root / name;
    }
  }
  throw InputError(root.string() + ": has no folder " +
                   (is_training ? "train or training" : "test, val or validation") +
                   " with class folders in it; data." +
                   (is_training ? "training_folder" : "test_folder") + " must name one");
}

ImageList list_image_folder(const DataConfig& config, Part part, const DataObserver& observer) {
  const fs::path training = part_folder(config, Part::kTraining);
  if (part == Part::kTraining) {
    return list_class_folders(training, {}, observer);
  }
  const fs::path test = part_folder(config, Part::kTest);
  std::error_code ignored;
  if (fs::equivalent(training, test, ignored)) {
    throw InputError(test.string() +
                     ": is the folder of the training images; data.test_folder must name another");
  }
  return list_class_folders(test, folders_in(training), observer);
}

ImageList list_files(const DataConfig& config, Part part, const DataObserver& observer) {
  if (config.kind == DataKind::kImageFolder) {
    return list_image_folder(config, part, observer);
  }
  return list_visual_wake_words(
      coco_places(config),
      part == Part::kTraining ? WakeWordsPart::kTraining : WakeWordsPart::kTest, observer);
}

/// So large that neither the evaluation's crop nor a random crop of mean area is enlarged.
int stored_side(const DataConfig& config) {
  double factor = 1.0 / config.crop_ratio;
  if (const std::optional<CropRange>& crop = config.augmentation.random_crop) {
    factor = std::max(factor, 1.0 / std::sqrt((crop->min_scale + crop->max_scale) / 2.0));
  }
  return static_cast<int>(std::ceil(config.largest_resolution * factor));
}

std::shared_ptr<const ImageStore> open_files(const DataConfig& config, ImageList list,
                                             const DataObserver& observer) {
  const CacheFormat format{config.channels, stored_side(config)};
  auto corrupt = std::make_shared<CorruptImages>(config.max_corrupt_images, observer);
  const std::int64_t needed = estimated_cache_bytes(list, format);
  constexpr std::int64_t kMib = std::int64_t{1} << 20;
  std::string why;
  if (needed <= config.cache_bytes && config.cache_bytes > 0) {
    const CacheFolders folders{config.cache,
                               {config.finished_caches.begin(), config.finished_caches.end()}};
    if (auto images = open_image_cache(list, format, folders, corrupt, observer)) {
      return images;
    }
    why = "there is no cache of them, and none can be written";
  } else {
    why = "a cache of them needs " + std::to_string(needed / kMib + 1) +
          " MiB, data.cache_size is " + std::to_string(config.cache_bytes / kMib) + " MiB";
  }
  observer.say(list.folder.string() + ": images are decoded at every access; " + why);
  return std::make_shared<ImageFiles>(std::move(list), config.channels, std::move(corrupt));
}

std::shared_ptr<const ImageStore> in_memory(ImageSet images, const fs::path& source) {
  return std::make_shared<MemoryImages>(std::move(images), source.string());
}

void require_fit(const DataConfig& config, int classes, int channels) {
  if (classes != config.classes) {
    throw InputError("space.classes: " + std::to_string(config.classes) + ", but the images have " +
                     std::to_string(classes) + " classes");
  }
  if (channels != config.channels) {
    throw InputError("space.input_channels: " + std::to_string(config.channels) +
                     ", but the images have " + std::to_string(channels));
  }
}

std::shared_ptr<const ImageStore> open_part(const DataConfig& config, Part part,
                                            const DataObserver& observer) {
  const char* const name = part == Part::kTraining ? "training" : "test";
  std::shared_ptr<const ImageStore> images;
  switch (config.kind) {
    case DataKind::kFashionMnist:
    case DataKind::kIdx:
      images =
          in_memory(read_idx_images(folder_of(config),
                                    part == Part::kTraining ? IdxPart::kTraining : IdxPart::kTest,
                                    config.classes),
                    name);
      break;
    case DataKind::kCifar10:
    case DataKind::kCifar100:
      images = in_memory(
          read_cifar_files(cifar_files(config, part), cifar_kind(config), config.channels), name);
      break;
    case DataKind::kImageFolder:
    case DataKind::kVisualWakeWords: {
      ImageList list = list_files(config, part, observer);
      require_fit(config, static_cast<int>(list.class_names.size()), config.channels);
      return open_files(config, std::move(list), observer);
    }
  }
  require_fit(config, images->classes(), images->channels());
  return images;
}

/// One image of each class is what it says.
void check_some_images(const ImageList& list) {
  std::vector<bool> is_checked(list.class_names.size());
  for (int i = 0; i < list.size(); ++i) {
    const auto label = static_cast<std::size_t>(list.labels[static_cast<std::size_t>(i)]);
    if (is_checked[label]) {
      continue;
    }
    const std::string path = list.path(i).string();
    try {
      read_image_header(read_bytes(path), path);
      is_checked[label] = true;
    } catch (const CorruptImageError&) {
      const auto next = static_cast<std::size_t>(i) + 1;
      if (next == list.labels.size() || list.labels[next] != list.labels[next - 1]) {
        throw;  // the last one of the class, and none was readable
      }
    }
  }
}

/// Every class has files; which of them are chosen is the user's affair.
void say_missing_classes(const ImageStore& images, const std::string& what, const std::string& key,
                         const DataObserver& observer) {
  if (const std::string missing = missing_classes(images, what); !missing.empty()) {
    observer.say(missing + "; data." + key + " decides how many there are");
  }
}

}  // namespace

TrainingData load_training_data(const DataConfig& config, std::uint64_t seed,
                                const DataObserver& observer) {
  const std::shared_ptr<const ImageStore> all = open_part(config, Part::kTraining, observer);
  const int needed = config.validation_images + std::max(1, config.limit_training_images);
  if (all->size() < needed) {
    throw InputError(folder_of(config).string() + ": " + std::to_string(all->size()) +
                     " training images; validation_images and limit_training_images need " +
                     std::to_string(needed));
  }
  std::vector<std::int32_t> labels;
  for (int i = 0; i < all->size(); ++i) {
    labels.push_back(all->label(i));
  }
  RandomStream stream(seed, "data/split");
  DataSplit split = stratified_split(labels, config.classes, config.validation_images,
                                     config.limit_training_images, stream);
  std::vector<int> both;
  std::ranges::merge(split.training, split.validation, std::back_inserter(both));
  TrainingData data{.training = std::make_unique<PartOfImages>(all, std::move(split.training)),
                    .validation = std::make_unique<PartOfImages>(all, std::move(split.validation)),
                    .both = std::make_unique<PartOfImages>(all, std::move(both))};
  say_missing_classes(*data.training, "training images", "limit_training_images", observer);
  say_missing_classes(*data.validation, "validation images", "validation_images", observer);
  return data;
}

std::unique_ptr<const PartOfImages> load_test_images(const DataConfig& config,
                                                     const DataObserver& observer) {
  const std::shared_ptr<const ImageStore> all = open_part(config, Part::kTest, observer);
  // Files come in the order of their classes: a limited part is spread over all of them.
  const int count =
      config.limit_test_images == 0 ? all->size() : std::min(all->size(), config.limit_test_images);
  std::vector<int> indices;
  for (int i = 0; i < count; ++i) {
    indices.push_back(
        has_image_files(config.kind) ? static_cast<int>(std::int64_t{all->size()} * i / count) : i);
  }
  auto images = std::make_unique<PartOfImages>(all, std::move(indices));
  say_missing_classes(*images, "test images", "limit_test_images", observer);
  return images;
}

std::vector<std::string> class_names(const DataConfig& config) {
  switch (config.kind) {
    case DataKind::kFashionMnist:
      return {"T-shirt", "trouser", "pullover", "dress", "coat",
              "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};
    case DataKind::kCifar10:
      return {"airplane", "automobile", "bird",  "cat",  "deer",
              "dog",      "frog",       "horse", "ship", "truck"};
    case DataKind::kVisualWakeWords:
      return {"no person", "person"};
    case DataKind::kImageFolder:
      return folders_in(part_folder(config, Part::kTraining));
    case DataKind::kIdx:
    case DataKind::kCifar100:
      break;
  }
  std::vector<std::string> numbers;
  for (int i = 0; i < config.classes; ++i) {
    numbers.push_back(std::to_string(i));
  }
  return numbers;
}

void check_data_files(const DataConfig& config, const DataObserver& observer) {
  switch (config.kind) {
    case DataKind::kFashionMnist:
    case DataKind::kIdx:
      check_idx_files(folder_of(config), config.classes);
      return;
    case DataKind::kCifar10:
    case DataKind::kCifar100:
      require_fit(config, static_cast<int>(cifar_kind(config)), config.channels);
      for (const Part part : {Part::kTraining, Part::kTest}) {
        check_cifar_labels(cifar_files(config, part), cifar_kind(config));
      }
      return;
    case DataKind::kVisualWakeWords:
      require_fit(config, 2, config.channels);
      check_visual_wake_words(coco_places(config), observer);
      return;
    case DataKind::kImageFolder: {
      const ImageList training = list_image_folder(config, Part::kTraining, observer);
      require_fit(config, static_cast<int>(training.class_names.size()), config.channels);
      const ImageList test = list_image_folder(config, Part::kTest, observer);
      require_no_common_files(training, test);
      check_some_images(training);
      check_some_images(test);
      return;
    }
  }
}

}  // namespace patchnas
