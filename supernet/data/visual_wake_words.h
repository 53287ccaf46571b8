#pragma once

// Visual Wake Words (Chowdhery et al., 2019, arXiv:1906.05721): is there a person in the image?
// Made of COCO as its authors do (tensorflow/models, slim's build_visualwakewords_data; pyvww): the
// label is 1 where one annotation of category "person", crowds included, has an area of more than
// 0.5 % of the image, else 0. Training images are those of COCO's training and validation parts
// (2014's, or 2017's: the same images dealt out anew) except the 8,059 of mscoco_minival_ids.txt,
// which are what accuracies are quoted on: our test images.

#include <filesystem>
#include <string>
#include <vector>

#include "supernet/data/image_files.h"

namespace patchnas {

/// Where COCO lies; empty members are looked for under the names that COCO itself uses.
struct CocoPlaces {
  std::filesystem::path path;
  std::vector<std::string> annotations;  ///< files, relative to the path
  std::vector<std::string> folders;      ///< of images, relative to the path
  std::string test_ids;                  ///< file of image ids, relative to the path
};

enum class WakeWordsPart { kTraining, kTest };

/// The images of one part, in the order of the annotation files.
/// @throws InputError in one line: a file or folder that is missing, and where COCO's project has
///         it; an image that is not in any folder, or listed twice; annotations of images or
///         categories that are not listed; a test id that no annotation file has; a part without
///         images or with one class only.
ImageList list_visual_wake_words(const CocoPlaces& places, WakeWordsPart part,
                                 const DataObserver& observer);

/// Compares height and width of some images with the annotations.
/// @throws InputError naming the first image that differs.
void check_visual_wake_words(const CocoPlaces& places, const DataObserver& observer);

}  // namespace patchnas
