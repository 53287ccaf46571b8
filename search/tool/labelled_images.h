#pragma once

// The images that commands give to a network, with the names of their classes: from a folder that
// somebody names, or from the data set of a configuration.
//
//   const LabelledImages images = images_of_folder("photos", {}, shape.channels, 10);
//   const std::vector<int> some = stratified_sample(*images.store, 100, seed);
//   const ImageSet pixels = evaluation_images(*images.store, some, shape, ImageFit{});

#include <memory>
#include <string>
#include <vector>

#include "supernet/data/data_config.h"
#include "supernet/data/image_store.h"

namespace patchnas {

struct LabelledImages {
  std::shared_ptr<const ImageStore> store;  ///< labels are indices of class_names
  std::vector<std::string> class_names;
  std::string from;  ///< for people
};

/// One name a line, in the order of labels; blanks at the ends of lines do not count.
/// @throws InputError naming the line: an empty one, a name that is there twice; fewer than two.
std::vector<std::string> read_class_names(const std::string& file);

/// Class folders; what is said of them goes to the console.
/// @param class_names in the order of labels, some may have no images; empty: the folders, sorted,
///        each of which has some
/// @param channels 1 (grey) or 3 (RGB)
/// @param max_corrupt_images that may be met and left out when the store is read, as the option
///        --max-corrupt-images says
/// @throws InputError as list_class_folders(), and if there are no images.
LabelledImages images_of_folder(const std::string& folder,
                                const std::vector<std::string>& class_names, int channels,
                                int max_corrupt_images);

/// Its test images.
/// @param name of the configuration or run, for people
/// @throws InputError as load_test_images(), and if they have other channels.
LabelledImages images_of_data_set(const DataConfig& data, const std::string& name, int channels);

}  // namespace patchnas
