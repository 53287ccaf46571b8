#pragma once

// The images of a run, but for its test images (torch_export.h). They are read when they are first
// asked for, which decodes files into the cache if that has not been done.
//
//   RunImages images(context);
//   images.read();                     // on all ranks together; so does what follows, if need be
//   train(images.training());

#include <map>
#include <optional>

#include "search/stages/torch_context.h"
#include "supernet/data/data_source.h"
#include "supernet/data/image_set.h"

namespace patchnas {

class RunImages {
 public:
  explicit RunImages(const TorchContext& context) : context_(context) {}

  /// Rank 0 first, the others then find the cache. Nothing the second time.
  /// @throws InputError as load_training_data(), and if they are others than the run began with, or
  /// than rank 0's.
  void read();

  /// What the supernet is trained on.
  const ImageStore& training();
  /// What the winner is trained on.
  const ImageStore& finetuning();
  /// The validation images at a network's resolution.
  const ImageSet& validation(int resolution);
  /// At most so many of them, evenly spaced.
  ImageSet some_validation(int resolution, int most);
  /// A sample of the training images, the same in every process of a run.
  ImageSet calibration(int resolution);

 private:
  TorchContext context_;
  std::optional<TrainingData> data_;
  std::map<int, ImageSet> validation_;  ///< by resolution
};

}  // namespace patchnas
