#include "supernet/data/image_store.h"

#include <utility>

namespace patchnas {

MemoryImages::MemoryImages(ImageSet images, std::string source)
    : images_(std::move(images)), source_(std::move(source)) {}

std::int32_t MemoryImages::label(int index) const {
  return images_.labels[static_cast<std::size_t>(index)];
}

std::string MemoryImages::name(int index) const { return source_ + ":" + std::to_string(index); }

StoredImage MemoryImages::image(int index, const LeastScale& /*least_scale*/) const {
  return {images_.height, images_.width,        images_.channels,
          label(index),   images_.image(index), nullptr};
}

PartOfImages::PartOfImages(std::shared_ptr<const ImageStore> whole, std::vector<int> indices)
    : whole_(std::move(whole)), indices_(std::move(indices)) {}

std::int32_t PartOfImages::label(int index) const {
  return whole_->label(indices_[static_cast<std::size_t>(index)]);
}

std::string PartOfImages::name(int index) const {
  return whole_->name(indices_[static_cast<std::size_t>(index)]);
}

StoredImage PartOfImages::image(int index, const LeastScale& least_scale) const {
  return whole_->image(indices_[static_cast<std::size_t>(index)], least_scale);
}

}  // namespace patchnas
