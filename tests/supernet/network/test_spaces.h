#pragma once

// Small search spaces and images for the tests of supernet/.

#include <string>

#include "arch/base/random.h"
#include "arch/search_space.h"
#include "supernet/data/image_set.h"

namespace patchnas::test {

inline StageSpace stage(int stride, std::vector<int> depths, std::vector<int> kernels,
                        std::vector<int> expansions, std::vector<int> widths) {
  StageSpace s;
  s.stride = stride;
  s.depths = std::move(depths);
  s.kernel_sizes = std::move(kernels);
  s.expand_ratios = std::move(expansions);
  s.widths = std::move(widths);
  return s;
}

/// Everything that can vary does: odd channel counts, all kernels, absent expansions, strides 1 and
/// 2, a residual right after the stem, two resolutions.
inline SearchSpace varied_space(Padding padding = Padding::kSame, int input_channels = 1) {
  SearchSpace space;
  space.input_channels = input_channels;
  space.classes = 5;
  space.resolutions = {15, 20};
  space.padding = padding;
  space.stem_width = 8;
  space.stem_stride = 1;
  space.stages = {stage(1, {1, 2}, {1, 3}, {1, 3}, {8}),
                  stage(2, {1, 2}, {3, 5, 7}, {2, 3}, {6, 10, 12}),
                  stage(2, {1, 3}, {3, 5}, {1, 4}, {12, 20})};
  space.head_width = padding == Padding::kSame ? 0 : 24;
  return space;
}

/// The same with hard-swish and squeeze-and-excitation in the second stage, or not, and always in
/// the third.
inline SearchSpace excited_space(Padding padding = Padding::kSame, int input_channels = 1) {
  SearchSpace space = varied_space(padding, input_channels);
  space.stages[1].activations = {BlockActivation::kRelu6, BlockActivation::kHardSwish};
  space.stages[1].squeeze_excitations = {SqueezeExcitation::kAbsent, SqueezeExcitation::kPresent};
  space.stages[2].activations = {BlockActivation::kHardSwish};
  space.stages[2].squeeze_excitations = {SqueezeExcitation::kPresent};
  return space;
}

/// Images whose class is a bright square's place plus noise: easy to learn.
inline ImageSet synthetic_images(int count, int size, int channels, int classes,
                                 std::uint64_t seed) {
  ImageSet set{size, size, channels, classes, {}, {}};
  RandomStream stream(seed, "test/images");
  for (int i = 0; i < count; ++i) {
    const int label = i % classes;
    set.labels.push_back(label);
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const bool inside = x * classes / size == label && y > size / 4 && y < 3 * size / 4;
        for (int c = 0; c < channels; ++c) {
          set.pixels.push_back(static_cast<std::uint8_t>((inside ? 150 : 60) + stream.below(80)));
        }
      }
    }
  }
  return set;
}

}  // namespace patchnas::test
