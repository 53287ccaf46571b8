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
#include <vector>

#include "supernet/data/data_config.h"
#include "supernet/data/image_files.h"
#include "supernet/data/image_store.h"

namespace patchnas {

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

/// What the labels are called, in their order: folders, where the images are in such, or what the
/// data set calls them; numbers where that is not known.
/// @throws InputError like load_training_data, where there are no such folders.
std::vector<std::string> class_names(const DataConfig& config);

/// What can be known without decoding images: all files are there and fit each other and the
/// search space. @throws InputError naming the file.
void check_data_files(const DataConfig& config, const DataObserver& observer = {});

}  // namespace patchnas
