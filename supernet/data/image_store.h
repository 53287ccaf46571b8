#pragma once

// Labelled 8-bit images, wherever they are kept: in memory, in a cache file, or in files that are
// decoded at every access.
//
//   const std::shared_ptr<const ImageStore> all = open_image_files(...);
//   const PartOfImages training(all, indices);
//   const StoredImage image = training.image(17);

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arch/base/error.h"
#include "supernet/data/image_set.h"

namespace patchnas {

/// One image and, where the store does not keep it, the memory that it is in.
struct StoredImage {
  int height = 0;
  int width = 0;
  int channels = 0;
  std::int32_t label = 0;
  std::span<const std::uint8_t> pixels;  ///< [H, W, C]; RGB where C is 3
  std::shared_ptr<const void> owner;     ///< of the pixels; null while the store keeps them
};

/// An image that cannot be decoded, or that is cut short.
class CorruptImageError : public InputError {
 public:
  using InputError::InputError;
};

/// Given an image's full height and width: how much smaller a copy may be, in (0, 1], and still
/// serve. A store that decodes need not decode more.
using LeastScale = std::function<double(int height, int width)>;

class ImageStore {
 public:
  ImageStore() = default;
  ImageStore(const ImageStore&) = delete;
  ImageStore& operator=(const ImageStore&) = delete;
  virtual ~ImageStore() = default;

  [[nodiscard]] virtual int size() const = 0;
  [[nodiscard]] virtual int channels() const = 0;
  [[nodiscard]] virtual int classes() const = 0;
  [[nodiscard]] virtual std::int32_t label(int index) const = 0;
  /// For messages, and to recognise an image: a file name where there is one.
  [[nodiscard]] virtual std::string name(int index) const = 0;
  /// From any thread. The store must outlive the image.
  /// @throws CorruptImageError naming the file.
  [[nodiscard]] virtual StoredImage image(int index, const LeastScale& least_scale) const = 0;
};

class MemoryImages : public ImageStore {
 public:
  /// Image i is called "<source>:<i>".
  explicit MemoryImages(ImageSet images, std::string source = "image");
  [[nodiscard]] int size() const override { return images_.size(); }
  [[nodiscard]] int channels() const override { return images_.channels; }
  [[nodiscard]] int classes() const override { return images_.classes; }
  [[nodiscard]] std::int32_t label(int index) const override;
  [[nodiscard]] std::string name(int index) const override;
  [[nodiscard]] StoredImage image(int index, const LeastScale& least_scale) const override;

 private:
  ImageSet images_;
  std::string source_;
};

/// Some images of another store.
class PartOfImages : public ImageStore {
 public:
  PartOfImages(std::shared_ptr<const ImageStore> whole, std::vector<int> indices);
  [[nodiscard]] int size() const override { return static_cast<int>(indices_.size()); }
  [[nodiscard]] int channels() const override { return whole_->channels(); }
  [[nodiscard]] int classes() const override { return whole_->classes(); }
  [[nodiscard]] std::int32_t label(int index) const override;
  [[nodiscard]] std::string name(int index) const override;
  [[nodiscard]] StoredImage image(int index, const LeastScale& least_scale) const override;
  /// The places of these images within the whole.
  [[nodiscard]] std::span<const int> indices() const { return indices_; }

 private:
  std::shared_ptr<const ImageStore> whole_;
  std::vector<int> indices_;
};

}  // namespace patchnas
