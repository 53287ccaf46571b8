#include "supernet/data/image_fit.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include <gtest/gtest.h>

#include "arch/base/random.h"
#include "supernet/data/data_split.h"
#include "supernet/data/evaluation_images.h"
#include "supernet/data/image_crop.h"

namespace patchnas {
namespace {

int draw(RandomStream& stream, int most) {
  return 1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(most)));
}

ImageSet random_image(int height, int width, int channels, RandomStream& stream) {
  ImageSet set{height, width, channels, 1, {}, {0}};
  for (std::size_t i = 0; i < set.image_bytes(); ++i) {
    set.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
  }
  return set;
}

/// In the middle of height x width, to the pixel that an odd margin has more on one side.
void expect_centred(const CropRectangle& inner, int height, int width) {
  EXPECT_GE(inner.top, 0);
  EXPECT_GE(inner.left, 0);
  EXPECT_GE(inner.height, 1);
  EXPECT_GE(inner.width, 1);
  EXPECT_LE(std::abs(height - inner.height - 2 * inner.top), 1);
  EXPECT_LE(std::abs(width - inner.width - 2 * inner.left), 1);
}

/// To the rounding of both extents, where neither was kept from being less than 1.
void expect_shape(const CropRectangle& inner, double height, double width) {
  if (inner.height > 1 && inner.width > 1) {
    EXPECT_NEAR(inner.height * width / height, inner.width, 0.5 * (1.0 + width / height) + 1e-9);
  }
}

TEST(ImageFitTest, PlacementsAreCentredAndKeepTheShapeThatTheyPromise) {
  RandomStream stream(1, "test/placement");
  for (int i = 0; i < 1000; ++i) {
    const int height = draw(stream, 400);
    const int width = draw(stream, 400);
    const TensorShape shape{draw(stream, 200), draw(stream, 200), 3};
    const CropRectangle all_of_image{0, 0, height, width};
    const CropRectangle all_of_shape{0, 0, shape.height, shape.width};

    const auto stretched = placement(height, width, shape, {ResizeWay::kStretch});
    EXPECT_EQ(stretched.from, all_of_image);
    EXPECT_EQ(stretched.to, all_of_shape);

    const double ratio = 0.1 + 0.9 * stream.uniform();
    const auto whole = placement(height, width, shape, {ResizeWay::kCrop, 1.0});
    const auto part = placement(height, width, shape, {ResizeWay::kCrop, ratio});
    for (const auto& [from, to] : {whole, part}) {
      EXPECT_EQ(to, all_of_shape);
      expect_centred(from, height, width);
      expect_shape(from, shape.height, shape.width);
    }
    EXPECT_TRUE(whole.from.height == height || whole.from.width == width);
    EXPECT_NEAR(part.from.height, std::max(1.0, ratio * whole.from.height), 1.0);
    EXPECT_NEAR(part.from.width, std::max(1.0, ratio * whole.from.width), 1.0);

    const auto boxed = placement(height, width, shape, {ResizeWay::kLetterbox});
    EXPECT_EQ(boxed.from, all_of_image);
    expect_centred(boxed.to, shape.height, shape.width);
    expect_shape(boxed.to, height, width);
    EXPECT_TRUE(boxed.to.height == shape.height || boxed.to.width == shape.width);
  }
}

TEST(ImageFitTest, TheCropOfASquareIsTheSquareInTheMiddle) {
  RandomStream stream(2, "test/centre crop");
  for (int i = 0; i < 1000; ++i) {
    const int height = draw(stream, 5000);
    const int width = draw(stream, 5000);
    const int resolution = draw(stream, 500);
    const double ratio = 0.1 + 0.9 * stream.uniform();
    const int side = std::max(1, static_cast<int>(std::lround(ratio * std::min(height, width))));
    const CropRectangle expected{(height - side) / 2, (width - side) / 2, side, side};
    EXPECT_EQ(centre_crop(height, width, ratio), expected);
    EXPECT_EQ(placement(height, width, {resolution, resolution, 1}, {ResizeWay::kCrop, ratio}).from,
              expected);
  }
}

TEST(ImageFitTest, AnImageOfTheRightSizeStaysAsItIs) {
  RandomStream stream(3, "test/right size");
  for (const ResizeWay way : kResizeWays) {
    const ImageSet image = random_image(draw(stream, 30), draw(stream, 30), 3, stream);
    const int index = 0;
    EXPECT_EQ(evaluation_images(MemoryImages(image), std::span(&index, 1),
                                {image.height, image.width, 3}, {way}),
              image)
        << to_string(way);
  }
}

double triangle(double distance, double radius) {
  return std::max(0.0, 1.0 - std::abs(distance) / radius);
}

/// What pixel `i` counts in pixel `out`, by definition.
double weight(ResizeFilter filter, int i, int out, int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double centre = (out + 0.5) * scale;
  if (scale > 1.0 && filter == ResizeFilter::kArea) {
    return std::max(0.0, std::min(i + 1.0, (out + 1) * scale) - std::max(i + 0.0, out * scale)) /
           scale;
  }
  if (scale > 1.0 && filter == ResizeFilter::kAntialias) {
    double sum = 0.0;
    for (int j = 0; j < from; ++j) {
      sum += triangle(j + 0.5 - centre, scale);
    }
    return triangle(i + 0.5 - centre, scale) / sum;
  }
  // Pixels beyond the border are those at it.
  return triangle(i + 0.5 - std::clamp(centre, 0.5, from - 0.5), 1.0);
}

TEST(ImageFitTest, FiltersWeightPixelsAsTheyAreDefined) {
  RandomStream stream(6, "test/filters");
  for (int i = 0; i < 60; ++i) {
    const ImageSet image = random_image(draw(stream, 24), draw(stream, 24), 1, stream);
    const TensorShape shape{draw(stream, 24), draw(stream, 24), 1};
    const int index = 0;
    for (const ResizeFilter filter : kResizeFilters) {
      const ImageSet result = evaluation_images(MemoryImages(image), std::span(&index, 1), shape,
                                                {.way = ResizeWay::kStretch, .filter = filter});
      for (int row = 0; row < shape.height; ++row) {
        for (int col = 0; col < shape.width; ++col) {
          double expected = 0.0;
          for (int y = 0; y < image.height; ++y) {
            for (int x = 0; x < image.width; ++x) {
              expected += weight(filter, y, row, image.height, shape.height) *
                          weight(filter, x, col, image.width, shape.width) *
                          image.pixels[static_cast<std::size_t>(y * image.width + x)];
            }
          }
          // Each axis may be rounded by itself, and weights are whole 2048ths.
          ASSERT_NEAR(result.pixels[static_cast<std::size_t>(row * shape.width + col)], expected,
                      1.2)
              << to_string(filter) << " " << image.height << "x" << image.width << " to "
              << shape.height << "x" << shape.width;
        }
      }
    }
  }
}

TEST(ImageFitTest, ALetterboxIsBlackBesideTheImage) {
  RandomStream stream(4, "test/letterbox");
  for (int i = 0; i < 100; ++i) {
    ImageSet image = random_image(draw(stream, 60), draw(stream, 60), 3, stream);
    std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{255});
    const TensorShape shape{draw(stream, 40), draw(stream, 40), 3};
    const int index = 0;
    const ImageFit fit{ResizeWay::kLetterbox};
    const ImageSet boxed = evaluation_images(MemoryImages(image), std::span(&index, 1), shape, fit);
    const CropRectangle white = placement(image.height, image.width, shape, fit).to;
    for (int row = 0; row < shape.height; ++row) {
      for (int col = 0; col < shape.width; ++col) {
        const bool is_white = row >= white.top && row < white.top + white.height &&
                              col >= white.left && col < white.left + white.width;
        for (int c = 0; c < 3; ++c) {
          const int at = (row * shape.width + col) * 3 + c;
          ASSERT_EQ(boxed.pixels[static_cast<std::size_t>(at)], is_white ? 255 : 0);
        }
      }
    }
  }
}

TEST(StratifiedSampleTest, EveryClassIsThereInProportionAndTheSeedDecides) {
  RandomStream stream(5, "test/sample");
  for (int i = 0; i < 100; ++i) {
    ImageSet set{1, 1, 1, 4, {}, {}};
    std::vector<int> sizes;
    for (int label = 0; label < set.classes; ++label) {
      sizes.push_back(label == 2 ? 0 : draw(stream, 60));  // one class is empty
      set.labels.insert(set.labels.end(), static_cast<std::size_t>(sizes.back()), label);
    }
    set.pixels.resize(set.labels.size());
    const MemoryImages images(set);
    const int count = draw(stream, set.size());
    const std::vector<int> sample = stratified_sample(images, count, 7);
    EXPECT_EQ(static_cast<int>(sample.size()), count);
    EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end(), std::less_equal<>()));
    for (int label = 0; label < set.classes; ++label) {
      const auto drawn = std::count_if(sample.begin(), sample.end(),
                                       [&](int index) { return images.label(index) == label; });
      EXPECT_NEAR(static_cast<double>(drawn),
                  static_cast<double>(count) * sizes[static_cast<std::size_t>(label)] / set.size(),
                  1.0);
    }
    EXPECT_EQ(stratified_sample(images, count, 7), sample);
    EXPECT_EQ(stratified_sample(images, 0, 7).size(), set.labels.size());
    EXPECT_EQ(stratified_sample(images, set.size() + 1, 7).size(), set.labels.size());
  }
  const MemoryImages many(
      ImageSet{1, 1, 1, 1, std::vector<std::uint8_t>(100), std::vector<std::int32_t>(100)});
  EXPECT_NE(stratified_sample(many, 10, 7), stratified_sample(many, 10, 8));
}

}  // namespace
}  // namespace patchnas
