#pragma once

// Builds a cache file (image_cache.h).

#include <cstdint>
#include <filesystem>

#include "supernet/data/image_cache.h"

namespace patchnas {

/// Decodes all images of the list, in all threads of parallel.h, into a temporary file that is
/// synced and then renamed.
/// @throws InputError: cannot be written, or too many images are corrupt; what the observer throws.
///         The temporary file is gone then.
void write_image_cache(const std::filesystem::path& path, const ImageList& list,
                       const CacheFormat& format, std::uint64_t key,
                       const std::shared_ptr<CorruptImages>& corrupt, const DataObserver& observer);

}  // namespace patchnas
