#pragma once

// Where images come from.
//
//   DataConfig config{.kind = DataKind::kImageFolder, .path = "/data/flowers", .classes = 5};
//   check_data_files(config, observer);                   // fails early, decodes nothing
//   const TrainingData data = load_training_data(config, seed, observer);
//   ...
//   const auto test = load_test_images(config, observer);  // once, at the very end

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arch/float_network.h"
#include "supernet/augmentation.h"
#include "supernet/image_files.h"
#include "supernet/image_store.h"

namespace patchnas {

/// `fashion_mnist`, `idx`: idx_images.h; the first is looked for where Debian's
/// dataset-fashion-mnist puts it unless `path` names another folder.
/// `cifar10`, `cifar100`: cifar_file.h. `image_folder`: class_folders.h.
/// `visual_wake_words`: visual_wake_words.h.
enum class DataKind { kFashionMnist, kIdx, kCifar10, kCifar100, kImageFolder, kVisualWakeWords };
inline constexpr std::string_view kDataKindNames[] = {
    "fashion_mnist", "idx", "cifar10", "cifar100", "image_folder", "visual_wake_words"};

/// Whether a kind's images are files of any size, which are decoded, rather than small images of
/// one size, which are held in memory.
constexpr bool has_image_files(DataKind kind) {
  return kind == DataKind::kImageFolder || kind == DataKind::kVisualWakeWords;
}

struct DataConfig {
  DataKind kind = DataKind::kFashionMnist;
  std::string path;             ///< folder; empty for the kind's own place
  int classes = 10;             ///< of the search space
  int channels = 1;             ///< of the search space: 1 grey, 3 RGB
  int largest_resolution = 28;  ///< of the search space

  // image_folder, relative to the path; empty: train or training; test, val or validation
  std::string training_folder;
  std::string test_folder;
  // visual_wake_words, relative to the path; empty: CocoPlaces
  std::vector<std::string> annotations;
  std::vector<std::string> image_folders;
  std::string test_ids;

  int validation_images = 5000;   ///< held out of the training set for the search
  int limit_training_images = 0;  ///< of what remains, use only so many; 0 for all
  int limit_test_images = 0;      ///< use only the first so many; 0 for all
  PixelNormalisation normalisation;
  Augmentation augmentation{.shift_pixels = 2, .flip = true};
  double crop_ratio = 1.0;  ///< centre_crop() that an evaluation sees

  std::string cache = "cache";                       ///< folder of decoded images; empty: none
  std::vector<std::string> finished_caches = {};     ///< folders of caches that are only read
  std::int64_t cache_bytes = std::int64_t{8} << 30;  ///< largest cache file; 0: no cache
  int max_corrupt_images = 10;                       ///< of each part
  int workers = 1;                                   ///< threads that make training images ahead
  bool operator==(const DataConfig&) const = default;
};

/// The augmentation of a kind where a configuration does not choose: crops of random area and shape
/// and flips for image files, shifts and flips for small images.
inline Augmentation default_augmentation(DataKind kind) {
  return has_image_files(kind) ? Augmentation{.flip = true, .random_crop = CropRange{}}
                               : Augmentation{.shift_pixels = 2, .flip = true};
}
constexpr double default_crop_ratio(DataKind kind) { return has_image_files(kind) ? 0.875 : 1.0; }
constexpr int default_workers(DataKind kind) { return has_image_files(kind) ? 2 : 1; }

struct TrainingData {
  std::unique_ptr<const PartOfImages> training;
  std::unique_ptr<const PartOfImages> validation;
  std::unique_ptr<const PartOfImages> both;  ///< in the files' order
};

/// Splits the training files. The validation images (and a limited training set) are a random
/// sample of every class in proportion to its size, drawn from stream "data/split"; both keep the
/// files' order. The test files are not opened.
/// @throws InputError naming the file or folder: missing, cut short, of another form, a label out
///         of range, another number of classes or channels than the search space has, fewer images
///         than asked for.
TrainingData load_training_data(const DataConfig& config, std::uint64_t seed,
                                const DataObserver& observer = {});

/// @throws InputError like load_training_data.
std::unique_ptr<const PartOfImages> load_test_images(const DataConfig& config,
                                                     const DataObserver& observer = {});

/// What can be known without decoding images: all files are there and fit each other and the
/// search space. @throws InputError naming the file.
void check_data_files(const DataConfig& config, const DataObserver& observer = {});

}  // namespace patchnas
