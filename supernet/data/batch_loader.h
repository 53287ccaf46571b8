#pragma once

// Batches of augmented images, made by worker threads ahead of the training that takes them.
//
//   BatchLoader loader(images, Augmenter(normalisation, augmentation, 1.0), seed, /*workers=*/2);
//   loader.request({.indices = {5, 3}, .resolution = 96, .stream = "train/image/0/0"});
//   loader.request({.indices = {8, 1}, .resolution = 64, .stream = "train/image/0/1"});
//   const Batch first = loader.take();     // in the order of the requests
//
// Image i of a batch draws from stream "<stream>/<first + i>", so a batch depends on nothing but
// its request: neither on the number of threads nor on what was requested before. In the place of a
// corrupt image stands the next one of the store that is not.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "supernet/data/augmentation.h"
#include "supernet/data/batch.h"
#include "supernet/data/image_store.h"

namespace patchnas {

struct BatchRequest {
  std::vector<int> indices = {};  ///< of the images
  int resolution = 0;
  std::string stream;      ///< name of the batch's random streams
  std::int64_t first = 0;  ///< number of the first image, of a part of a batch
};

class BatchLoader {
 public:
  /// How many requested batches are worked on at a time, and so take memory.
  static constexpr int kBatchesAhead = 3;

  /// `images` must outlive the loader. @param workers 0: take() does the work
  BatchLoader(const ImageStore& images, Augmenter augmenter, std::uint64_t seed, int workers);
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;
  /// Waits for the images in work, and drops the rest.
  ~BatchLoader();

  void request(BatchRequest request);
  /// The oldest batch that was requested and not taken yet; helps the workers until it is complete.
  /// There must be one. @throws what an image threw.
  Batch take();
  /// Forgets all requests.
  void clear();
  /// How long take() has waited or worked so far, in seconds.
  [[nodiscard]] double seconds_in_take() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace patchnas
