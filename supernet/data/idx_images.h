#pragma once

// Data sets in the four files of MNIST: train-images-idx3-ubyte, train-labels-idx1-ubyte,
// t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with or without ".gz".

#include <filesystem>

#include "supernet/data/image_set.h"

namespace patchnas {

enum class IdxPart { kTraining, kTest };

/// Grey images.
/// @throws InputError naming the file: missing, cut short, wrong magic number, counts that differ,
///         a label that is not in [0, classes), or a class without images.
ImageSet read_idx_images(const std::filesystem::path& folder, IdxPart part, int classes);

/// Reads the headers and the labels of both parts: all four files exist, have the right magic
/// numbers and agree, and every class has images.
/// @throws InputError naming the file.
void check_idx_files(const std::filesystem::path& folder, int classes);

}  // namespace patchnas
