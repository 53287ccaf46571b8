#pragma once

// Data sets whose classes are folders of JPEG and PNG files, as ImageNet's:
// FOLDER/CLASS/anything/below/image.jpg

#include <filesystem>
#include <string>
#include <vector>

#include "supernet/data/image_files.h"

namespace patchnas {

/// Whether a file's name ends as those of JPEG and PNG files do.
bool has_image_extension(const std::filesystem::path& file);

/// The names of the folders in `folder` that are not hidden, sorted.
/// @throws InputError if it cannot be read.
std::vector<std::string> folders_in(const std::filesystem::path& folder);

/// Whether a class may have no images: where networks are trained and tested, none may.
enum class EmptyClasses { kRefused, kAllowed };

/// All images below the class folders, sorted by class and path. Links are followed, and a file
/// counts once by whatever number of links it is reached: it must not be among the training and the
/// validation images. Hidden files and folders are left out, files with other endings are ignored;
/// the log has the counts.
/// @param class_names of the folders that may be there, in the order of their labels; empty: those
///        that are there
/// @throws InputError naming the folder or file: missing, without class folders, a single class, a
///         folder that is none of `class_names`, a class without images where that is refused, an
///         image of two classes, something with the name of an image that is no file.
ImageList list_class_folders(const std::filesystem::path& folder,
                             std::vector<std::string> class_names, const DataObserver& observer,
                             EmptyClasses empty = EmptyClasses::kRefused);

/// @throws InputError with their number and the first, if test images are training images too.
void require_no_common_files(const ImageList& training, const ImageList& test);

}  // namespace patchnas
