#pragma once

// validation.txt of a run directory: which images decide the search.
//
//   # 50000 training images, checksum 0123456789abcdef
//   17 3 horse/00017.jpg                    place in the training files, label, name

#include <filesystem>

#include "supernet/data_source.h"

namespace patchnas {

/// Writes the file, or compares with the one that an earlier process of the run wrote.
/// @throws InputError if the data set is not what it was.
void keep_or_compare(const std::filesystem::path& file, const TrainingData& data);

}  // namespace patchnas
