#include "search/tool/labelled_images.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "search/base/text.h"
#include "search/stages/data_progress.h"
#include "supernet/data/class_folders.h"
#include "supernet/data/data_source.h"
#include "supernet/data/image_files.h"

namespace patchnas {
namespace {

constexpr const char* kBlanks = " \t\r\n";

std::string without_blanks_at_end(std::string text) {
  const std::size_t last = text.find_last_not_of(kBlanks);
  text.resize(last == std::string::npos ? 0 : last + 1);
  return text;
}

}  // namespace

std::vector<std::string> read_class_names(const std::string& file) {
  std::vector<std::string> names;
  std::istringstream lines(without_blanks_at_end(read_file(file)));
  for (std::string line; std::getline(lines, line);) {
    std::string name = without_blanks_at_end(line);
    const std::string place = file + ":" + std::to_string(names.size() + 1);
    if (name.empty()) {
      throw InputError(place + ": is empty; every line names a class");
    }
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      throw InputError(place + ": '" + name + "' is there twice; each class has one line");
    }
    names.push_back(std::move(name));
  }
  if (names.size() < 2) {
    throw InputError(file + ": names " + std::to_string(names.size()) +
                     (names.size() == 1 ? " class" : " classes") +
                     "; needed are two or more, one a line");
  }
  return names;
}

LabelledImages images_of_folder(const std::string& folder,
                                const std::vector<std::string>& class_names, int channels,
                                int max_corrupt_images) {
  const DataObserver observer = console_observer();
  ImageList list =
      list_class_folders(folder, class_names, observer,
                         class_names.empty() ? EmptyClasses::kRefused : EmptyClasses::kAllowed);
  if (list.size() == 0) {
    throw InputError(folder + ": has no JPEG or PNG files in its class folders");
  }
  auto corrupt =
      std::make_shared<CorruptImages>(max_corrupt_images, observer, "--max-corrupt-images");
  LabelledImages images{.store = {}, .class_names = list.class_names, .from = folder};
  images.store = std::make_shared<ImageFiles>(std::move(list), channels, std::move(corrupt));
  return images;
}

LabelledImages images_of_data_set(const DataConfig& data, const std::string& name, int channels) {
  if (data.channels != channels) {
    throw InputError(name + ": its images have " + counted(data.channels, "channel") +
                     "; the network reads " + std::to_string(channels));
  }
  return {.store = load_test_images(data, console_observer()),
          .class_names = class_names(data),
          .from = name + "'s test data"};
}

}  // namespace patchnas
