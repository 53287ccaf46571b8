#include "supernet/data/class_folders.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <sys/stat.h>

#include "arch/base/error.h"
#include "arch/base/input_file.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& folder, const std::string& what) {
  throw InputError(folder.string() + ": " + what);
}

/// Which file or folder it is, by whatever path or link it was reached.
struct Identity {
  dev_t device = 0;
  ino_t number = 0;
  bool operator==(const Identity&) const = default;
};

struct IdentityHash {
  std::size_t operator()(const Identity& identity) const {
    return std::hash<std::uint64_t>()(identity.number) ^ std::hash<std::uint64_t>()(identity.device)
                                                             << 1;
  }
};

Identity identity_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

struct ImageFile {
  std::string name;  ///< relative to the parent of the class folder
  Identity identity;
};

/// All entries, sorted, so that of several links to one folder the same one is followed every time.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with('.')) {
      entries.push_back(it->path());
    }
  }
  if (error) {
    fail(folder, "cannot be read: " + error.message());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// What is below a class folder.
class ClassFolder {
 public:
  ClassFolder(fs::path parent, const std::string& name) : parent_(std::move(parent)) {
    enter(parent_ / name);
    std::sort(images_.begin(), images_.end(),
              [](const ImageFile& a, const ImageFile& b) { return a.name < b.name; });
  }

  [[nodiscard]] std::vector<ImageFile>& images() { return images_; }
  [[nodiscard]] int others() const { return others_; }
  /// Links that lead to a folder which is below the class folder anyway.
  [[nodiscard]] const std::vector<std::string>& repeated() const { return repeated_; }

 private:
  void enter(const fs::path& folder) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) == 0 && !folders_.insert(identity_of(status)).second) {
      repeated_.push_back(folder.lexically_relative(parent_).string());
      return;
    }
    for (const fs::path& entry : entries_of(folder)) {
      add(entry);
    }
  }

  void add(const fs::path& entry) {
    struct stat status {};
    const bool is_there = ::stat(entry.c_str(), &status) == 0;
    if (is_there && S_ISDIR(status.st_mode)) {
      enter(entry);
    } else if (!has_image_extension(entry)) {
      ++others_;
    } else if (!is_there) {
      fail(entry, "is a link to nothing, or cannot be read");
    } else {
      require_file(entry);
      images_.push_back({entry.lexically_relative(parent_).string(), identity_of(status)});
    }
  }

  fs::path parent_;
  std::vector<ImageFile> images_;
  int others_ = 0;
  std::unordered_set<Identity, IdentityHash> folders_;
  std::vector<std::string> repeated_;
};

/// Puts images into a list, each file once.
class ListedFiles {
 public:
  explicit ListedFiles(ImageList& list) : list_(list) {}

  void add(ImageFile file, std::int32_t label) {
    const auto [known, is_new] = indices_.emplace(file.identity, list_.size());
    if (is_new) {
      list_.files.push_back(std::move(file.name));
      list_.labels.push_back(label);
      return;
    }
    const auto before = static_cast<std::size_t>(known->second);
    if (list_.labels[before] != label) {
      fail(list_.folder / file.name, "is the same file as " + list_.files[before] +
                                         ", an image of another class; each has one class");
    }
    add_repeated({std::move(file.name)});
  }

  void add_repeated(const std::vector<std::string>& names) {
    repeated_.insert(repeated_.end(), names.begin(), names.end());
  }

  /// Files and folders that were reached another way before.
  [[nodiscard]] const std::vector<std::string>& repeated() const { return repeated_; }

 private:
  ImageList& list_;
  std::unordered_map<Identity, int, IdentityHash> indices_;
  std::vector<std::string> repeated_;
};

/// @throws InputError naming the first class without an image.
void require_every_class(const ImageList& list) {
  std::vector<bool> has_images(list.class_names.size());
  for (const std::int32_t label : list.labels) {
    has_images[static_cast<std::size_t>(label)] = true;
  }
  const auto without = std::count(has_images.begin(), has_images.end(), false);
  if (without > 0) {
    const auto first = std::find(has_images.begin(), has_images.end(), false) - has_images.begin();
    fail(list.folder / list.class_names[static_cast<std::size_t>(first)],
         "has no JPEG or PNG files; " + std::to_string(without) + " of the " +
             std::to_string(has_images.size()) + " classes have none here, and every class needs " +
             "training and test images");
  }
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
                             const DataObserver& observer, EmptyClasses empty) {
  const std::vector<std::string> found = folders_in(folder);
  if (class_names.empty()) {
    class_names = found;
  }
  if (found.empty()) {
    fail(folder, "has no class folders; images belong into one folder per class");
  }
  if (class_names.size() == 1) {
    fail(folder, "has the single class " + found.front() + "; needed are two or more");
  }
  ImageList list{folder, {}, {}, std::move(class_names)};
  ListedFiles files(list);
  int others = 0;
  for (const std::string& name : found) {
    const auto label = std::find(list.class_names.begin(), list.class_names.end(), name);
    if (label == list.class_names.end()) {
      fail(folder / name, "is none of the classes of the training images");
    }
    ClassFolder content(folder, name);
    others += content.others();
    files.add_repeated(content.repeated());
    for (ImageFile& image : content.images()) {
      files.add(std::move(image), static_cast<std::int32_t>(label - list.class_names.begin()));
    }
  }
  if (empty == EmptyClasses::kRefused) {
    require_every_class(list);
  }
  if (others > 0) {
    observer.say(folder.string() + ": " + std::to_string(others) +
                 " files are ignored: their names do not end as those of JPEG or PNG files");
  }
  if (!files.repeated().empty()) {
    observer.say(folder.string() + ": " + std::to_string(files.repeated().size()) +
                 " links lead to what is there already, the first is " + files.repeated().front() +
                 "; every image counts once");
  }
  return list;
}

void require_no_common_files(const ImageList& training, const ImageList& test) {
  std::unordered_map<Identity, int, IdentityHash> indices;
  struct stat status {};
  for (int i = 0; i < training.size(); ++i) {
    if (::stat(training.path(i).c_str(), &status) == 0) {
      indices.emplace(identity_of(status), i);
    }
  }
  int count = 0;
  std::string first;
  for (int i = 0; i < test.size(); ++i) {
    if (::stat(test.path(i).c_str(), &status) != 0) {
      continue;
    }
    const auto known = indices.find(identity_of(status));
    if (known != indices.end() && count++ == 0) {
      first = test.path(i).string() + " is " + training.path(known->second).string();
    }
  }
  if (count > 0) {
    fail(test.folder, std::to_string(count) + " of the " + std::to_string(test.size()) +
                          " test images are training images too: " + first +
                          "; the parts must have no file in common");
  }
}

}  // namespace patchnas
