#pragma once

// Samples of a labelled set that keep its classes in proportion.

#include <cstdint>
#include <span>
#include <vector>

#include "arch/base/random.h"
#include "supernet/data/image_store.h"

namespace patchnas {

struct DataSplit {
  std::vector<int> training;    ///< ascending
  std::vector<int> validation;  ///< ascending, disjoint from training
};

/// Draws `validation` of the images, and `training` of the rest (0: all of it); of every class in
/// proportion to its size. @param labels each in [0, classes); at least as many as asked for
DataSplit stratified_split(std::span<const std::int32_t> labels, int classes, int validation,
                           int training, RandomStream& stream);

/// Indices of `count` of the images, ascending: of every class in proportion to its size, drawn
/// from stream "data/sample". All of them if there are no more, or `count` is 0.
std::vector<int> stratified_sample(const ImageStore& images, int count, std::uint64_t seed);

}  // namespace patchnas
