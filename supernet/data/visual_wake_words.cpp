#include "supernet/data/visual_wake_words.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "arch/base/error.h"
#include "arch/base/input_file.h"
#include "supernet/data/coco_annotations.h"
#include "supernet/data/image_decoder.h"
#include "supernet/data/image_header.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCategory = "person";
constexpr double kLeastShare = 0.005;  ///< of the image, to be more than

constexpr const char* kWhereCocoIs =
    "; https://cocodataset.org/#download has annotations_trainval2014.zip, train2014.zip and "
    "val2014.zip (or 2017)";
constexpr const char* kWhereIdsAre =
    "; the list is research/object_detection/data/mscoco_minival_ids.txt of "
    "github.com/tensorflow/models";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<fs::path> annotation_files(const CocoPlaces& places) {
  std::vector<fs::path> files;
  for (const std::string& name : places.annotations) {
    files.push_back(places.path / name);
  }
  if (!files.empty()) {
    return files;
  }
  const fs::path folder = places.path / "annotations";
  for (const char* year : {"2014", "2017"}) {
    const fs::path train = folder / (std::string("instances_train") + year + ".json");
    const fs::path val = folder / (std::string("instances_val") + year + ".json");
    if (is_there(train) != is_there(val)) {
      throw InputError(
          (is_there(train) ? val : train).string() + ": not found, but its other half " +
          (is_there(train) ? train : val).filename().string() + " is there" + kWhereCocoIs);
    }
    if (is_there(train)) {
      return {train, val};
    }
  }
  throw InputError((folder / "instances_train2014.json").string() +
                   ": not found, nor instances_train2017.json; data.annotations may name others" +
                   kWhereCocoIs);
}

std::vector<fs::path> image_folders(const CocoPlaces& places) {
  std::vector<fs::path> folders;
  for (const std::string& name : places.folders) {
    folders.push_back(places.path / name);
  }
  if (folders.empty()) {
    for (const char* name : {"train2014", "val2014", "train2017", "val2017", "all", "images"}) {
      if (is_there(places.path / name)) {
        folders.push_back(places.path / name);
      }
    }
  }
  if (folders.empty()) {
    throw InputError(places.path.string() +
                     ": has none of the image folders train2014 and val2014, train2017 and "
                     "val2017, all, images; data.image_folders may name others" +
                     kWhereCocoIs);
  }
  return folders;
}

fs::path test_ids_file(const CocoPlaces& places) {
  constexpr const char* kName = "mscoco_minival_ids.txt";
  const fs::path file = places.path / (places.test_ids.empty() ? kName : places.test_ids);
  return places.test_ids.empty() && !is_there(file) ? places.path / "annotations" / kName : file;
}

/// The ids of the test images, in the order of their file.
class TestIds {
 public:
  explicit TestIds(fs::path file) : file_(std::move(file)) {
    require_file(file_);
    std::ifstream stream(file_);
    if (!stream) {
      throw InputError(file_.string() + ": not found; data.test_ids may name another" +
                       kWhereIdsAre);
    }
    for (std::int64_t id = 0; stream >> id;) {
      if (ids_.insert(id).second) {
        order_.push_back(id);
      } else if (repeated_++ == 0) {
        first_repeated_ = id;
      }
    }
    if (!stream.eof() || ids_.empty()) {
      throw InputError(file_.string() + ": is not a list of image ids, one a line; " +
                       std::to_string(ids_.size()) + " could be read");
    }
  }

  [[nodiscard]] bool contains(std::int64_t id) const { return ids_.contains(id); }

  /// @throws InputError with the number of ids that are not among those of the annotations.
  void require_known(const std::unordered_map<std::int64_t, fs::path>& annotated) const {
    const auto is_unknown = [&](std::int64_t id) { return !annotated.contains(id); };
    const auto first = std::find_if(order_.begin(), order_.end(), is_unknown);
    if (first != order_.end()) {
      throw InputError(
          file_.string() + ": " + std::to_string(std::count_if(first, order_.end(), is_unknown)) +
          " of its " + std::to_string(order_.size()) +
          " image ids are in none of the annotation files, the first is " + std::to_string(*first) +
          "; all must be there, since accuracies are quoted on all of them");
    }
  }

  void report(const DataObserver& observer) const {
    if (repeated_ > 0) {
      observer.say(file_.string() + ": " + std::to_string(repeated_) +
                   " image ids are listed again, the first is " + std::to_string(first_repeated_) +
                   "; each counts once");
    }
  }

 private:
  fs::path file_;
  std::vector<std::int64_t> order_;
  std::unordered_set<std::int64_t> ids_;
  int repeated_ = 0;
  std::int64_t first_repeated_ = 0;
};

/// Which folder each image file is in.
class FileFinder {
 public:
  FileFinder(fs::path root, const std::vector<fs::path>& folders) : root_(std::move(root)) {
    for (const fs::path& folder : folders) {
      std::error_code error;
      for (fs::directory_iterator it(folder, error), end; !error && it != end;
           it.increment(error)) {
        folder_of_.emplace(it->path().filename().string(), folder);
      }
      if (error) {
        throw InputError(folder.string() + ": cannot be read: " + error.message());
      }
    }
  }
  /// Relative to the root.
  [[nodiscard]] std::optional<std::string> find(const std::string& name) const {
    const auto found = folder_of_.find(name);
    return found == folder_of_.end()
               ? std::nullopt
               : std::optional((found->second.lexically_relative(root_) / name).string());
  }

 private:
  fs::path root_;
  std::unordered_map<std::string, fs::path> folder_of_;
};

struct LabelledImage {
  CocoImage image;
  bool has_person = false;
};

std::vector<LabelledImage> read_labelled(const fs::path& file) {
  CocoAnnotations coco = read_coco_annotations(file);
  const auto category = coco.category_ids.find(kCategory);
  if (category == coco.category_ids.end()) {
    throw InputError(file.string() + ": has no category " + kCategory);
  }
  std::unordered_set<std::int64_t> categories;
  for (const auto& [name, id] : coco.category_ids) {
    categories.insert(id);
  }
  std::vector<LabelledImage> images;
  std::unordered_map<std::int64_t, std::size_t> place;
  for (CocoImage& image : coco.images) {
    if (!place.emplace(image.id, images.size()).second) {
      throw InputError(file.string() + ": two images have the id " + std::to_string(image.id));
    }
    images.push_back({std::move(image)});
  }
  for (const CocoAnnotation& annotation : coco.annotations) {
    const auto found = place.find(annotation.image_id);
    if (found == place.end()) {
      throw InputError(file.string() + ": an annotation is of image " +
                       std::to_string(annotation.image_id) + ", which is not listed");
    }
    if (!categories.contains(annotation.category_id)) {
      throw InputError(file.string() + ": an annotation is of category " +
                       std::to_string(annotation.category_id) + ", which is not listed");
    }
    LabelledImage& owner = images[found->second];
    const double share =
        annotation.area / (static_cast<double>(owner.image.height) * owner.image.width);
    owner.has_person |= annotation.category_id == category->second && share > kLeastShare;
  }
  return images;
}

struct Listing {
  ImageList list;
  std::vector<CocoImage> images;  ///< of the list
};

/// All images, with the annotation file that each is in.
/// @throws InputError where one is in two: it would be among the training and the validation
/// images.
class AnnotatedImages {
 public:
  explicit AnnotatedImages(const std::vector<fs::path>& files) {
    for (const fs::path& file : files) {
      for (LabelledImage& image : read_labelled(file)) {
        add(file, std::move(image));
      }
    }
  }
  [[nodiscard]] std::vector<LabelledImage>& images() { return images_; }
  [[nodiscard]] const std::unordered_map<std::int64_t, fs::path>& files() const { return files_; }

 private:
  void add(const fs::path& file, LabelledImage image) {
    const auto [known, is_new] = files_.emplace(image.image.id, file);
    if (!is_new) {
      throw InputError(file.string() + ": image " + std::to_string(image.image.id) + " is in " +
                       known->second.string() + " too; each image may be in one " +
                       "annotation file");
    }
    if (!names_.insert(image.image.file_name).second) {
      throw InputError(file.string() + ": two images have the file name " + image.image.file_name);
    }
    images_.push_back(std::move(image));
  }

  std::vector<LabelledImage> images_;
  std::unordered_map<std::int64_t, fs::path> files_;  ///< by the image's id
  std::unordered_set<std::string> names_;
};

Listing list_part(const CocoPlaces& places, WakeWordsPart part, const DataObserver& observer) {
  std::error_code ignored;
  if (!fs::is_directory(places.path, ignored)) {
    throw InputError(places.path.string() + ": no such folder; data.path must name COCO's" +
                     kWhereCocoIs);
  }
  const std::vector<fs::path> files = annotation_files(places);
  const FileFinder finder(places.path, image_folders(places));
  const TestIds ids(test_ids_file(places));
  AnnotatedImages annotated(files);
  ids.require_known(annotated.files());
  if (part == WakeWordsPart::kTest) {
    ids.report(observer);
  }
  Listing listing{{places.path, {}, {}, {"not_person", kCategory}}, {}};
  std::string missing;
  int missing_count = 0;
  for (LabelledImage& image : annotated.images()) {
    if (ids.contains(image.image.id) != (part == WakeWordsPart::kTest)) {
      continue;
    }
    if (std::optional<std::string> path = finder.find(image.image.file_name)) {
      require_file(places.path / *path);
      listing.list.files.push_back(std::move(*path));
      listing.list.labels.push_back(image.has_person ? 1 : 0);
      listing.images.push_back(std::move(image.image));
    } else if (missing_count++ == 0) {
      missing = image.image.file_name;
    }
  }
  if (missing_count > 0) {
    throw InputError(places.path.string() + ": " + std::to_string(missing_count) +
                     " images of the annotations are in none of the image folders, the first is " +
                     missing + kWhereCocoIs);
  }
  const std::int64_t persons =
      std::count(listing.list.labels.begin(), listing.list.labels.end(), 1);
  if (persons == 0 || persons == listing.list.size()) {
    throw InputError(places.path.string() + ": " + std::to_string(persons) + " of the " +
                     std::to_string(listing.list.size()) + " " +
                     (part == WakeWordsPart::kTest ? "test" : "training") +
                     " images show a person; needed are both classes");
  }
  return listing;
}

void check_sizes(const Listing& listing) {
  constexpr int kSamples = 100;
  const int count = listing.list.size();
  for (int sample = 0; sample < std::min(kSamples, count); ++sample) {
    const auto i = static_cast<int>(std::int64_t{count} * sample / std::min(kSamples, count));
    const CocoImage& image = listing.images[static_cast<std::size_t>(i)];
    const std::string path = listing.list.path(i).string();
    ImageHeader header;
    try {
      header = read_image_header(read_bytes(path), path);
    } catch (const CorruptImageError&) {
      continue;  // counted when it is decoded
    }
    if (header.height != image.height || header.width != image.width) {
      throw InputError(path + ": has " + std::to_string(header.height) + "x" +
                       std::to_string(header.width) + " pixels, but the annotations say " +
                       std::to_string(image.height) + "x" + std::to_string(image.width));
    }
  }
}

}  // namespace

ImageList list_visual_wake_words(const CocoPlaces& places, WakeWordsPart part,
                                 const DataObserver& observer) {
  return list_part(places, part, observer).list;
}

void check_visual_wake_words(const CocoPlaces& places, const DataObserver& observer) {
  check_sizes(list_part(places, WakeWordsPart::kTraining, observer));
  check_sizes(list_part(places, WakeWordsPart::kTest, observer));
}

}  // namespace patchnas
