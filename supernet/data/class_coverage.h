#pragma once

// Whether every class has images.

#include <cstdint>
#include <span>
#include <string>

namespace patchnas {

class ImageStore;

/// "2 of the 12 classes have no training images, the first is class 10"; "" if all have some.
/// @param labels each in [0, classes)
/// @param what "training images"
std::string missing_classes(std::span<const std::int32_t> labels, int classes,
                            const std::string& what);
std::string missing_classes(const ImageStore& images, const std::string& what);

}  // namespace patchnas
