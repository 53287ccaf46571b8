#include "supernet/data/image_files.h"

#include <utility>

#include "supernet/data/image_decoder.h"

namespace patchnas {

CorruptImages::CorruptImages(int allowed, DataObserver observer, std::string allowed_by)
    : allowed_(allowed), observer_(std::move(observer)), allowed_by_(std::move(allowed_by)) {}

void CorruptImages::add(const CorruptImageError& error) {
  const std::lock_guard lock(mutex_);
  if (!messages_.insert(error.what()).second) {
    return;
  }
  if (static_cast<int>(messages_.size()) > allowed_) {
    throw InputError(std::string(error.what()) + "; that is one corrupt image more than the " +
                     std::to_string(allowed_) + " that " + allowed_by_ + " allows");
  }
  observer_.say(std::string(error.what()).append("; it is skipped"));
}

ImageFiles::ImageFiles(ImageList list, int channels, std::shared_ptr<CorruptImages> corrupt)
    : list_(std::move(list)), channels_(channels), corrupt_(std::move(corrupt)) {}

std::int32_t ImageFiles::label(int index) const {
  return list_.labels[static_cast<std::size_t>(index)];
}

std::string ImageFiles::name(int index) const {
  return list_.files[static_cast<std::size_t>(index)];
}

StoredImage ImageFiles::image(int index, const LeastScale& least_scale) const {
  try {
    const std::filesystem::path path = list_.path(index);
    StoredImage image = decode_image(read_bytes(path), channels_, path.string(), least_scale);
    image.label = label(index);
    return image;
  } catch (const CorruptImageError& error) {
    corrupt_->add(error);
    throw;
  }
}

}  // namespace patchnas
