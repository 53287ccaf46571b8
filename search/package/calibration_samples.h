#pragma once

// What a float network is quantised with: inputs as it will meet them, as real numbers.
//
//   CalibrationSamples samples = samples_of_files(network, {"left.f32", "right.f32"});
//   CalibrationSamples few = random_samples(samples, network, 200, seed);

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "arch/float_network.h"
#include "deploy/reference/input_pixels.h"
#include "supernet/data/image_set.h"

namespace patchnas {

struct CalibrationSamples {
  std::vector<float> values;           ///< of sample after sample all inputs, one after the other
  std::vector<std::int32_t> labels{};  ///< one per sample, or none
};

/// A file for each input, in the network's order: float32 numbers, little-endian, [N, H, W, C].
/// @throws InputError naming the file that cannot be read, holds no whole number of inputs, holds
/// another number of them than the first, or a number that is not finite.
CalibrationSamples samples_of_files(const Network& network,
                                    std::span<const std::filesystem::path> files);

/// int32 numbers, little-endian, one for each of `count` samples.
/// @throws InputError naming the file if it cannot be read, holds another number of them, or one
/// that is none of the network's outputs.
std::vector<std::int32_t> labels_of_file(const Network& network, int count,
                                         const std::filesystem::path& file);

/// @param channels one for all channels, or one each
/// @throws InputError unless the images are what the network reads.
CalibrationSamples samples_of_images(const Network& network, const ImageSet& images,
                                     std::span<const ChannelNormalisation> channels);

int sample_count(const CalibrationSamples& samples, const Network& network);

/// So many of them, drawn at random, or all if they are no more; in their order.
CalibrationSamples random_samples(const CalibrationSamples& samples, const Network& network,
                                  int count, std::uint64_t seed);

}  // namespace patchnas
