#pragma once

// The supernet of a run, and its subnets with weights that they share.

#include <optional>

#include "search/stages/torch_images.h"
#include "supernet/network/supernet.h"

namespace patchnas {

/// Kept while the process runs, so that the stages that need it one after another share it.
class TrainedSupernet {
 public:
  /// `images` must outlive it.
  TrainedSupernet(const TorchContext& context, RunImages& images)
      : context_(context), images_(images) {}

  /// Trains the largest subnet alone, for hours perhaps; from a checkpoint on, where there is one,
  /// and not at all if that is the last. All ranks together.
  void train_largest();
  /// Trains all subnets together, likewise, after train_largest() if that has to be.
  void train_all();

  /// The rest only reads, after train_all(), and each rank for itself.
  [[nodiscard]] Subnet extract(const Architecture& architecture) const;
  /// With statistics of its own, of the same images for every candidate: a fair comparison.
  [[nodiscard]] Subnet extract_recalibrated(const Architecture& architecture) const;

 private:
  TorchContext context_;
  RunImages& images_;
  std::optional<Supernet> supernet_;
  std::optional<StageId> trained_;  ///< the training that supernet_ has behind it
};

}  // namespace patchnas
