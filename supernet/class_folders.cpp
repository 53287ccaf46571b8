#include "supernet/class_folders.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "arch/error.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& folder, const std::string& what) {
  throw InputError(folder.string() + ": " + what);
}

struct FolderContent {
  std::vector<std::string> images;  ///< relative to the parent of the folder, sorted
  int others = 0;
};

FolderContent content_of(const fs::path& parent, const std::string& name) {
  FolderContent content;
  std::error_code error;
  const auto options = fs::directory_options::follow_directory_symlink;
  for (fs::recursive_directory_iterator it(parent / name, options, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) || it->path().filename().string().starts_with('.')) {
      continue;
    }
    if (has_image_extension(it->path())) {
      content.images.push_back(it->path().lexically_relative(parent).string());
    } else {
      ++content.others;
    }
  }
  if (error) {
    fail(parent / name, "cannot be read: " + error.message());
  }
  std::sort(content.images.begin(), content.images.end());
  return content;
}

}  // namespace

bool has_image_extension(const fs::path& file) {
  constexpr std::array kExtensions{".jpg", ".jpeg", ".jpe", ".png"};
  std::string extension = file.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    std::string name = it->path().filename().string();
    if (it->is_directory(ignored) && !name.starts_with('.')) {
      names.push_back(std::move(name));
    }
  }
  if (error) {
    fail(folder, "cannot be read: " + error.message());
  }
  std::sort(names.begin(), names.end());
  return names;
}

ImageList list_class_folders(const fs::path& folder, std::vector<std::string> class_names,
                             const DataObserver& observer) {
  const std::vector<std::string> found = folders_in(folder);
  const bool is_given = !class_names.empty();
  if (!is_given) {
    class_names = found;
  }
  if (found.empty()) {
    fail(folder, "has no class folders; images belong into one folder per class");
  }
  if (class_names.size() == 1) {
    fail(folder, "has the single class " + found.front() + "; needed are two or more");
  }
  ImageList list{folder, {}, {}, std::move(class_names)};
  int others = 0;
  for (const std::string& name : found) {
    const auto label = std::find(list.class_names.begin(), list.class_names.end(), name);
    if (label == list.class_names.end()) {
      fail(folder / name, "is none of the classes of the training images");
    }
    FolderContent content = content_of(folder, name);
    others += content.others;
    if (content.images.empty() && !is_given) {
      fail(folder / name, "has no JPEG or PNG files");
    }
    list.labels.insert(list.labels.end(), content.images.size(),
                       static_cast<std::int32_t>(label - list.class_names.begin()));
    std::move(content.images.begin(), content.images.end(), std::back_inserter(list.files));
  }
  if (list.files.empty()) {
    fail(folder, "has no JPEG or PNG files in its class folders");
  }
  if (others > 0) {
    observer.say(folder.string() + ": " + std::to_string(others) +
                 " files are ignored: their names do not end as those of JPEG or PNG files");
  }
  return list;
}

}  // namespace patchnas
