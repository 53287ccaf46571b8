#pragma once

// Data sets in the four files of MNIST: train-images-idx3-ubyte, train-labels-idx1-ubyte,
// t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with or without ".gz".

#include <filesystem>

#include "supernet/image_set.h"

namespace patchnas {

enum class IdxPart { kTraining, kTest };

/// Grey images.
/// @throws InputError naming the file: missing, cut short, wrong magic number, counts that differ,
///         or a label that is not in [0, classes).
ImageSet read_idx_images(const std::filesystem::path& folder, IdxPart part, int classes);

/// Reads the headers of all four files: they exist, have the right magic numbers and agree.
/// @throws InputError naming the file.
void check_idx_files(const std::filesystem::path& folder);

}  // namespace patchnas
