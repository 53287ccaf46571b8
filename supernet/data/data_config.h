#pragma once

// Which images, and how they are seen: what a configuration says of data. It needs no library, so
// that configurations are read without the readers of images.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/float_network.h"

namespace patchnas {

/// Crops of random area and shape (image_crop.h).
struct CropRange {
  double min_scale = 0.08;  ///< share of the image's area
  double max_scale = 1.0;
  double min_aspect = 3.0 / 4.0;  ///< width / height, drawn uniformly in its logarithm
  double max_aspect = 4.0 / 3.0;
  bool operator==(const CropRange&) const = default;
};

struct Augmentation {
  int shift_pixels =
      0;  ///< both axes, uniform in [-n, n]; what comes in from outside is 0 (the pixel mean)
  bool flip = false;  ///< mirror horizontally, every second image on average
  std::optional<CropRange> random_crop = std::nullopt;  ///< none: what an evaluation sees
  // Factors are uniform in [1 - n, 1 + n], applied in this order, rounded to 8 bits once.
  double brightness = 0.0;
  double contrast = 0.0;    ///< about the image's mean grey
  double saturation = 0.0;  ///< about each pixel's grey
  int cutout_pixels = 0;    ///< side of a square of 0 anywhere, cut at the borders (DeVries, 2017)
  bool operator==(const Augmentation&) const = default;
};

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

}  // namespace patchnas
