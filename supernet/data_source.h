#pragma once

// Where images come from.
//
//   DataConfig config{.kind = DataKind::kFashionMnist, .validation_images = 5000};
//   check_data_files(config);                                      // fails early, reads headers
//   only TrainingData data = load_training_data(config, seed);
//   ...
//   ImageSet test = load_test_images(config);                      // once, at the very end

#include <cstdint>
#include <string>
#include <string_view>

#include "arch/float_network.h"
#include "supernet/image_set.h"

namespace patchnas {

/// `idx`: a folder with the four files of MNIST, train-images-idx3-ubyte, train-labels-idx1-ubyte,
/// t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with or without ".gz".
/// `fashion_mnist`: the same, 10 classes, looked for where Debian's dataset-fashion-mnist puts it
/// unless `path` names another folder.
enum class DataKind { kFashionMnist, kIdx };
inline constexpr std::string_view kDataKindNames[] = {"fashion_mnist", "idx"};

struct DataConfig {
  DataKind kind = DataKind::kFashionMnist;
  std::string path;               ///< folder; empty for the kind's own place
  int classes = 10;               ///< labels are 0 to classes - 1
  int validation_images = 5000;   ///< held out of the training set for the search
  int limit_training_images = 0;  ///< of what remains, use only so many; 0 for all
  int limit_test_images = 0;      ///< use only the first so many; 0 for all
  PixelNormalisation normalisation;
  int shift_pixels = 2;  ///< augmentation: shift by up to so many pixels
  bool flip = true;      ///< augmentation: mirror half of the images
  bool operator==(const DataConfig&) const = default;
};

struct TrainingData {
  ImageSet training;
  ImageSet validation;
};

/// Splits the training files. The validation images (and a limited training set) are a random
/// sample of every class in proportion to its size, drawn from stream "data/split"; both keep the
/// files' order. The test files are not opened.
/// @throws InputError naming the file: missing, cut short, wrong magic number, counts that differ,
///         label out of range, or fewer images than asked for.
TrainingData load_training_data(const DataConfig& config, std::uint64_t seed);

/// @throws InputError like load_training_data.
ImageSet load_test_images(const DataConfig& config);

/// Reads the headers of all four files: they exist, have the right magic numbers and agree.
/// @throws InputError naming the file.
void check_data_files(const DataConfig& config);

}  // namespace patchnas
