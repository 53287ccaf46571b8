#pragma once

// Decoded images in one memory-mapped file: written once, read by any number of processes.
//
//   header   magic, byte order, channels, number of images, key, place of the index, checksums
//   pixels   of every image, [H, W, C]
//   index    offset, height and width of every image; height 0: it is corrupt
//
// The key is made of everything the pixels depend on (cache_key), so a data set that changed has
// another file, and a file that is damaged, cut short or of another data set is not taken for it.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "supernet/data/image_files.h"
#include "supernet/data/image_store.h"

namespace patchnas {

/// How images are kept.
struct CacheFormat {
  int channels = 3;
  int shorter_side = 0;  ///< longer ones are shrunk to it, keeping the aspect ratio
};

/// Where caches lie.
struct CacheFolders {
  std::filesystem::path own;                     ///< where one may be built; empty: nowhere
  std::vector<std::filesystem::path> read_only;  ///< where one that is finished is used as well
};

/// Of folder, names, sizes and times of the files, and the format.
std::uint64_t cache_key(const ImageList& list, const CacheFormat& format);

/// How large the file would be, from the headers of some images.
std::int64_t estimated_cache_bytes(const ImageList& list, const CacheFormat& format);

/// Opens the list's cache in one of the folders. Where it is missing or damaged in all of them it
/// is built in the own one, with all threads of parallel.h. Of several processes that want it one
/// builds and the others wait.
/// @return null if there is none and none may be built
/// @throws InputError with path and reason: unwritable folder, full disk, too many corrupt images.
std::unique_ptr<const ImageStore> open_image_cache(const ImageList& list, const CacheFormat& format,
                                                   const CacheFolders& folders,
                                                   std::shared_ptr<CorruptImages> corrupt,
                                                   const DataObserver& observer);

}  // namespace patchnas
