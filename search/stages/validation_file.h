#pragma once

// validation.txt of a run directory: which images decide the search.
//
//   # 50000 training images, checksum 0123456789abcdef
//   17 3 horse/00017.jpg                    place in the training files, label, name

#include <filesystem>
#include <string>

#include "supernet/data/data_source.h"

namespace patchnas {

/// The file's content.
std::string describe(const TrainingData& data);
/// Writes the file, or compares with the one that an earlier process of the run wrote.
/// @throws InputError if the data set is not what it was.
void keep_or_compare(const std::filesystem::path& file, const std::string& description);
/// "'17 3 horse/00017.jpg' became '17 4 horse/00017.jpg'": the first line that differs.
std::string first_change(const std::string& before, const std::string& now);

}  // namespace patchnas
