#pragma once

// Front door of supernet/data/: images of every kind of data set, decoded, cropped, augmented, in
// batches. No LibTorch.
//
//   const DataConfig config{.kind = DataKind::kImageFolder, .path = "/data/flowers", .classes = 5};
//   check_data_files(config);
//   const TrainingData data = load_training_data(config, seed);
//   const ImageSet seen = evaluation_images(*data.validation, /*resolution=*/96,
//   config.crop_ratio);
//
// A new form of data is a file of this room that makes an ImageStore, and a DataKind.

#include "supernet/data/augmentation.h"       // IWYU pragma: export
#include "supernet/data/batch_loader.h"       // IWYU pragma: export
#include "supernet/data/data_config.h"        // IWYU pragma: export
#include "supernet/data/data_source.h"        // IWYU pragma: export
#include "supernet/data/evaluation_images.h"  // IWYU pragma: export
