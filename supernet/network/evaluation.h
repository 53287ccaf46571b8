#pragma once

// Measuring a subnet.

#include <cstdint>
#include <string>
#include <vector>

#include "arch/float_network.h"
#include "arch/quantized_network.h"
#include "supernet/data/augmentation.h"
#include "supernet/data/image_set.h"
#include "supernet/data/image_store.h"
#include "supernet/network/subnet.h"

namespace patchnas {

struct RecalibrationConfig {
  int batches = 20;  ///< as published (MCUNetV2)
  int batch_size = 64;
  bool operator==(const RecalibrationConfig&) const = default;
};

/// Where recalibration takes its images: drawn with repetition and augmented, all by the streams
/// of that name. Networks that are to be compared get the same ones.
struct RecalibrationImages {
  const ImageStore& training;
  Augmenter augmenter;  ///< as in training: weights suit the statistics that they were trained with
  std::uint64_t seed = 0;
  std::string stream;
  int workers = 0;  ///< threads that make images ahead
};

/// Replaces the running statistics by the average over batches, each of which is normalised by its
/// own statistics on the way.
void recalibrate_batch_norm(Subnet& subnet, const RecalibrationImages& images,
                            const RecalibrationConfig& config);

/// [N] the most probable class of every image, with running statistics.
/// @param images of the network's input size
std::vector<int> predict(const Subnet& subnet, const ImageSet& images,
                         const PixelNormalisation& normalisation);
/// The same by an int8 network: what the exported one answers.
std::vector<int> predict(const QuantizedNetwork& network, const ImageSet& images);

/// Share of images whose most probable class is their label, in [0, 1].
double accuracy(const Subnet& subnet, const ImageSet& images,
                const PixelNormalisation& normalisation);
double accuracy(const QuantizedNetwork& network, const ImageSet& images);

}  // namespace patchnas
