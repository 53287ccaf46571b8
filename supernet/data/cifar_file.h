#pragma once

// The "binary version" of CIFAR-10 and CIFAR-100: records of one label byte (two for CIFAR-100:
// coarse, fine), then a 32x32 image as three planes, red, green and blue.
// https://www.cs.toronto.edu/~kriz/cifar.html

#include <filesystem>
#include <vector>

#include "supernet/data/image_set.h"

namespace patchnas {

enum class CifarKind { kCifar10 = 10, kCifar100 = 100 };

/// The files' images one after the other, with the fine labels.
/// @param channels 3 (RGB), or 1 for their grey
/// @throws InputError naming the file: unreadable, empty, not a whole number of records, a label
/// out of range, or a class without images.
ImageSet read_cifar_files(const std::vector<std::filesystem::path>& files, CifarKind kind,
                          int channels);

/// @throws InputError naming the file: missing, empty or not a whole number of records.
void check_cifar_file(const std::filesystem::path& file, CifarKind kind);

/// Of all files of a part. @throws InputError as read_cifar_files.
void check_cifar_labels(const std::vector<std::filesystem::path>& files, CifarKind kind);

}  // namespace patchnas
