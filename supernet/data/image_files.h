#pragma once

// Images in files of their own, decoded at every access.

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "supernet/data/image_store.h"

namespace patchnas {

/// Which files there are, and what is in them.
struct ImageList {
  std::filesystem::path folder;
  std::vector<std::string> files;    ///< within the folder
  std::vector<std::int32_t> labels;  ///< one per file
  std::vector<std::string> class_names;

  [[nodiscard]] int size() const { return static_cast<int>(files.size()); }
  [[nodiscard]] std::filesystem::path path(int index) const {
    return folder / files[static_cast<std::size_t>(index)];
  }
};

/// What long work with data tells whoever waits for it. Both may be empty, and are called from one
/// thread at a time.
struct DataObserver {
  std::function<void(const std::string& line)> log = {};
  /// `done` of `total` images are decoded; may throw to stop.
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};

  void say(const std::string& line) const {
    if (log) {
      log(line);
    }
  }
};

/// Names every corrupt image once, and allows only so many. For any number of threads.
class CorruptImages {
 public:
  /// @param allowed_by what says how many, for messages
  CorruptImages(int allowed, DataObserver observer,
                std::string allowed_by = "data.max_corrupt_images");
  /// @throws InputError if that makes too many.
  void add(const CorruptImageError& error);

 private:
  int allowed_;
  DataObserver observer_;
  std::string allowed_by_;
  std::mutex mutex_;
  std::set<std::string> messages_;
};

class ImageFiles : public ImageStore {
 public:
  /// @param channels 1 (grey) or 3 (RGB)
  ImageFiles(ImageList list, int channels, std::shared_ptr<CorruptImages> corrupt);
  [[nodiscard]] int size() const override { return list_.size(); }
  [[nodiscard]] int channels() const override { return channels_; }
  [[nodiscard]] int classes() const override { return static_cast<int>(list_.class_names.size()); }
  [[nodiscard]] std::int32_t label(int index) const override;
  [[nodiscard]] std::string name(int index) const override;
  [[nodiscard]] StoredImage image(int index, const LeastScale& least_scale) const override;

 private:
  ImageList list_;
  int channels_;
  std::shared_ptr<CorruptImages> corrupt_;
};

}  // namespace patchnas
