#pragma once

// Measuring a subnet.

#include <vector>

#include "arch/float_network.h"
#include "arch/quantized_network.h"
#include "arch/random.h"
#include "supernet/image_set.h"
#include "supernet/image_store.h"
#include "supernet/subnet.h"

namespace patchnas {

struct RecalibrationConfig {
  int batches = 20;  ///< as published (MCUNetV2)
  int batch_size = 64;
  bool operator==(const RecalibrationConfig&) const = default;
};

/// Images for `config.batches` batches, drawn from `stream` with repetition, without augmentation:
/// networks that are to be compared are recalibrated with the same ones.
ImageSet recalibration_images(const ImageStore& training, const RecalibrationConfig& config,
                              int resolution, double crop_ratio, RandomStream& stream);

/// Replaces the running statistics by the average over batches, each of the next `batch_size` of
/// `images`; each batch is normalised by its own statistics on the way.
/// @param images of the network's input size
void recalibrate_batch_norm(Subnet& subnet, const ImageSet& images,
                            const PixelNormalisation& normalisation, int batch_size);

/// [N] the most probable class of every image, with running statistics.
/// @param images of the network's input size
std::vector<int> predict(const Subnet& subnet, const ImageSet& images,
                         const PixelNormalisation& normalisation);
/// The same by an int8 network: what the exported one answers.
std::vector<int> predict(const QuantizedNetwork& network, const ImageSet& images,
                         const PixelNormalisation& normalisation);

/// Share of images whose most probable class is their label, in [0, 1].
double accuracy(const Subnet& subnet, const ImageSet& images,
                const PixelNormalisation& normalisation);
double accuracy(const QuantizedNetwork& network, const ImageSet& images,
                const PixelNormalisation& normalisation);

}  // namespace patchnas
