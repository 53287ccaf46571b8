#pragma once

// Data sets whose classes are folders of JPEG and PNG files, as ImageNet's:
// FOLDER/CLASS/anything/below/image.jpg

#include <filesystem>
#include <string>
#include <vector>

#include "supernet/image_files.h"

namespace patchnas {

/// Whether a file's name ends as those of JPEG and PNG files do.
bool has_image_extension(const std::filesystem::path& file);

/// The names of the folders in `folder` that are not hidden, sorted.
/// @throws InputError if it cannot be read.
std::vector<std::string> folders_in(const std::filesystem::path& folder);

/// All images below the class folders, sorted by class and path; other files are ignored, and
/// counted in the log.
/// @param class_names folders that may be there, in the order of their labels; empty: those that
///        are there, which are then classes with at least one image
/// @throws InputError naming the folder: missing, without classes or images, a single class, a
///         folder that is none of `class_names`.
ImageList list_class_folders(const std::filesystem::path& folder,
                             std::vector<std::string> class_names, const DataObserver& observer);

}  // namespace patchnas
