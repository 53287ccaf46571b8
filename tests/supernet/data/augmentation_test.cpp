#include "supernet/data/augmentation.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>

#include "supernet/data/batch_loader.h"
#include "supernet/data/colour_jitter.h"
#include "supernet/data/evaluation_images.h"

namespace patchnas {
namespace {

ImageSet random_images(int count, int height, int width, int channels) {
  ImageSet set{height, width, channels, 2, {}, {}};
  RandomStream stream(1, "test/pixels");
  for (int i = 0; i < count; ++i) {
    set.labels.push_back(i % 2);
    for (std::size_t j = 0; j < set.image_bytes(); ++j) {
      set.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
    }
  }
  return set;
}

ImageSet constant_images(int height, int width, int channels, std::uint8_t value) {
  ImageSet set{height, width, channels, 1, {}, {0}};
  set.pixels.assign(set.image_bytes(), value);
  return set;
}

std::vector<float> augmented(const ImageStore& images, const Augmentation& augmentation,
                             int resolution, RandomStream& stream) {
  std::vector<float> target(static_cast<std::size_t>(resolution * resolution * images.channels()));
  Augmenter({.mean = 0, .stddev = 1.0}, augmentation, 1.0)
      .write(images, 0, resolution, stream, target.data());
  return target;
}

TEST(EvaluationImagesTest, ScalingKeepsConstantsAndMeans) {
  for (const int resolution : {7, 14, 21}) {
    const ImageSet result =
        evaluation_images(MemoryImages(constant_images(14, 16, 3, 77)), resolution, 0.8);
    EXPECT_EQ(result.height, resolution);
    EXPECT_EQ(result.pixels.size(), 3U * static_cast<std::size_t>(resolution * resolution));
    EXPECT_TRUE(
        std::all_of(result.pixels.begin(), result.pixels.end(), [](int p) { return p == 77; }));
  }
  const ImageSet images = random_images(3, 14, 14, 1);
  EXPECT_EQ(evaluation_images(MemoryImages(images), 14, 1.0), images);
  const ImageSet half =
      evaluation_images(MemoryImages(images), 7, 1.0);  // the mean of 2x2 pixels, rounded
  for (int i = 0; i < 3; ++i) {
    for (int y = 0; y < 7; ++y) {
      for (int x = 0; x < 7; ++x) {
        const auto source = images.image(i);
        const auto at = static_cast<std::size_t>(2 * y * 14 + 2 * x);
        const double mean = (source[at] + source[at + 1] + source[at + 14] + source[at + 15]) / 4.0;
        EXPECT_NEAR(half.image(i)[static_cast<std::size_t>(y * 7 + x)], mean, 0.51);
      }
    }
  }
}

TEST(EvaluationImagesTest, TheSquareInTheMiddleIsSeen) {
  ImageSet image = constant_images(20, 40, 1, 0);
  for (int y = 2; y < 18; ++y) {
    for (int x = 12; x < 28; ++x) {
      image.pixels[static_cast<std::size_t>(y * 40 + x)] = 200;  // 16 of 20 pixels
    }
  }
  const ImageSet seen = evaluation_images(MemoryImages(image), 8, 0.8);
  EXPECT_TRUE(std::all_of(seen.pixels.begin(), seen.pixels.end(), [](int p) { return p == 200; }));
  const ImageSet more = evaluation_images(MemoryImages(image), 10, 1.0);
  EXPECT_EQ(std::count(more.pixels.begin(), more.pixels.end(), 200), 64);
}

TEST(AugmentationTest, WithoutItImagesAreNormalised) {
  const ImageSet images = random_images(4, 6, 6, 3);
  const PixelNormalisation normalisation{.mean = 90, .stddev = 30.0};
  RandomStream stream(1, "test/none");
  std::vector<float> result(images.image_bytes());
  EXPECT_EQ(
      Augmenter(normalisation, {}, 1.0).write(MemoryImages(images), 3, 6, stream, result.data()),
      images.labels[3]);
  std::vector<float> expected(images.image_bytes());
  normalise_images(images, 3, 4, normalisation, expected.data());
  EXPECT_EQ(result, expected);
  EXPECT_FLOAT_EQ(result[0], static_cast<float>((images.image(3)[0] - 90) / 30.0));
}

TEST(AugmentationTest, EveryImageIsAShiftedAndPerhapsMirroredOriginal) {
  const ImageSet image = random_images(1, 8, 8, 1);
  const MemoryImages images(image);
  RandomStream stream(3, "test/shift");
  std::set<std::tuple<int, int, bool>> seen;
  for (int i = 0; i < 600; ++i) {
    const std::vector<float> result =
        augmented(images, {.shift_pixels = 2, .flip = true}, 8, stream);
    int matches = 0;
    for (int down = -2; down <= 2; ++down) {
      for (int right = -2; right <= 2; ++right) {
        for (const bool flip : {false, true}) {
          bool equal = true;
          for (int y = 0; y < 8; ++y) {
            for (int x = 0; x < 8; ++x) {
              const int from_y = y - down;
              const int shifted = x - right;
              const bool inside = from_y >= 0 && from_y < 8 && shifted >= 0 && shifted < 8;
              const int from_x = flip ? 7 - shifted : shifted;
              const float expected =
                  inside ? image.pixels[static_cast<std::size_t>(from_y * 8 + from_x)] : 0.0F;
              equal = equal && result[static_cast<std::size_t>(y * 8 + x)] == expected;
            }
          }
          if (equal) {
            ++matches;
            seen.insert({down, right, flip});
          }
        }
      }
    }
    ASSERT_EQ(matches, 1);
  }
  EXPECT_EQ(seen.size(), 50U);  // all of them occur
}

TEST(AugmentationTest, RandomCropsLieInsideAndHaveTheAskedShapes) {
  RandomStream stream(1, "test/crop");
  const CropRange range{.min_scale = 0.2, .max_scale = 0.8, .min_aspect = 0.5, .max_aspect = 2.0};
  double least = 1.0;
  double most = 0.0;
  std::set<int> tops;
  for (int i = 0; i < 2000; ++i) {
    const CropRectangle crop = random_crop(120, 200, range, stream);
    ASSERT_GE(crop.top, 0);
    ASSERT_GE(crop.left, 0);
    ASSERT_LE(crop.top + crop.height, 120);
    ASSERT_LE(crop.left + crop.width, 200);
    const double scale = crop.height * crop.width / (120.0 * 200.0);
    const double aspect = static_cast<double>(crop.width) / crop.height;
    EXPECT_GT(aspect, 0.48);
    EXPECT_LT(aspect, 2.1);
    least = std::min(least, scale);
    most = std::max(most, scale);
    tops.insert(crop.top);
  }
  EXPECT_NEAR(least, 0.2, 0.02);
  EXPECT_NEAR(most, 0.8, 0.02);
  EXPECT_GT(tops.size(), 60U);
  // No such shape in a line of pixels: the fallback is its middle.
  EXPECT_EQ(random_crop(1, 100, range, stream), (CropRectangle{0, 49, 1, 2}));
}

// A smooth image, so that two resolutions of one view have nearly the same values.
TEST(AugmentationTest, ViewsDependOnTheStreamAndNotOnTheResolution) {
  ImageSet smooth{96, 128, 1, 1, {}, {0}};
  for (int y = 0; y < 96; ++y) {
    for (int x = 0; x < 128; ++x) {
      smooth.pixels.push_back(static_cast<std::uint8_t>(y + x));
    }
  }
  const Augmentation augmentation{.flip = true, .random_crop = CropRange{}, .brightness = 0.1};
  for (int i = 0; i < 50; ++i) {
    RandomStream one(1, "test/view/" + std::to_string(i));
    RandomStream two = one;
    const MemoryImages images(smooth);
    const std::vector<float> large = augmented(images, augmentation, 48, one);
    const std::vector<float> small = augmented(images, augmentation, 24, two);
    for (std::size_t y = 0; y < 24; ++y) {
      for (std::size_t x = 0; x < 24; ++x) {
        ASSERT_NEAR(small[y * 24 + x], large[2 * y * 48 + 2 * x], 5.0);
      }
    }
  }
}

TEST(AugmentationTest, CutoutIsOneSquareOfTheMean) {
  const MemoryImages images(constant_images(16, 16, 3, 9));
  RandomStream stream(1, "test/cutout");
  std::set<std::ptrdiff_t> sizes;
  for (int i = 0; i < 300; ++i) {
    const std::vector<float> result = augmented(images, {.cutout_pixels = 6}, 16, stream);
    int least_x = 16;
    int most_x = -1;
    int least_y = 16;
    int most_y = -1;
    for (int j = 0; j < 16 * 16; ++j) {
      if (result[static_cast<std::size_t>(3 * j)] == 0.0F) {
        least_x = std::min(least_x, j % 16);
        most_x = std::max(most_x, j % 16);
        least_y = std::min(least_y, j / 16);
        most_y = std::max(most_y, j / 16);
      }
    }
    const std::ptrdiff_t zeros = std::count(result.begin(), result.end(), 0.0F);
    EXPECT_EQ(zeros, std::ptrdiff_t{3} * (most_x - least_x + 1) * (most_y - least_y + 1));
    sizes.insert(zeros);
  }
  EXPECT_EQ(*sizes.rbegin(), 3 * 36);
  EXPECT_GE(*sizes.begin(), 3 * 9);  // its middle is inside, so no less than a quarter
}

TEST(ColourJitterTest, FactorsDoWhatTheirNamesSay) {
  const std::vector<std::uint8_t> original{10, 60, 110, 100, 100, 100, 200, 40, 0, 30, 90, 20};
  const auto grey = [](const std::vector<std::uint8_t>& pixels, std::size_t i) {
    return 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
  };
  const auto mean = [&](const std::vector<std::uint8_t>& pixels) {
    return (grey(pixels, 0) + grey(pixels, 3) + grey(pixels, 6) + grey(pixels, 9)) / 4.0;
  };
  std::vector<std::uint8_t> pixels = original;
  apply({.brightness = 1.2}, 3, pixels);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    EXPECT_NEAR(pixels[i], 1.2 * original[i], 0.5001);
  }
  pixels = original;
  apply({.contrast = 0.5}, 3, pixels);
  EXPECT_NEAR(mean(pixels), mean(original), 0.5);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    EXPECT_NEAR(pixels[i] - mean(original), 0.5 * (original[i] - mean(original)), 0.501);
  }
  pixels = original;
  apply({.saturation = 0.0}, 3, pixels);
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    EXPECT_EQ(pixels[i], pixels[i + 1]);
    EXPECT_EQ(pixels[i], pixels[i + 2]);
    EXPECT_NEAR(pixels[i], grey(original, i), 0.501);
  }
  pixels = original;
  apply({.saturation = 0.0}, 1, pixels);  // grey images have none
  EXPECT_EQ(pixels, original);
  apply({.brightness = 100.0}, 1, pixels);
  EXPECT_EQ(std::set<int>(pixels.begin(), pixels.end()), (std::set<int>{0, 255}));
}

const Augmentation kEverything{.shift_pixels = 2,
                               .flip = true,
                               .random_crop = CropRange{},
                               .brightness = 0.2,
                               .contrast = 0.2,
                               .saturation = 0.2,
                               .cutout_pixels = 4};

std::vector<Batch> load(const ImageStore& images, int workers, int batches, int first) {
  BatchLoader loader(images, Augmenter({}, kEverything, 1.0), 5, workers);
  std::vector<Batch> result;
  for (int b = first; b < batches; ++b) {
    BatchRequest request{.resolution = b % 2 == 0 ? 12 : 9, .stream = "s/" + std::to_string(b)};
    for (int i = 0; i < 1 + 7 * b; ++i) {
      request.indices.push_back((3 * i + b) % images.size());
    }
    loader.request(std::move(request));
  }
  for (int b = first; b < batches; ++b) {
    result.push_back(loader.take());
  }
  return result;
}

TEST(BatchLoaderTest, BatchesDependOnTheirRequestsAlone) {
  const ImageSet set = random_images(40, 16, 20, 3);
  const MemoryImages images(set);
  const std::vector<Batch> expected = load(images, 0, 12, 0);
  for (int i = 0; i < 78; ++i) {
    EXPECT_EQ(expected[11].labels[static_cast<std::size_t>(i)],
              set.labels[static_cast<std::size_t>((3 * i + 11) % 40)]);
  }
  for (const int workers : {1, 2, 5}) {
    for (const int first : {0, 7}) {
      const std::vector<Batch> batches = load(images, workers, 12, first);
      for (std::size_t b = 0; b < batches.size(); ++b) {
        const Batch& same = expected[b + static_cast<std::size_t>(first)];
        EXPECT_EQ(batches[b].images, same.images);
        EXPECT_EQ(batches[b].labels, same.labels);
      }
    }
  }
}

TEST(BatchLoaderTest, PartsOfABatchAreTheBatch) {
  const MemoryImages images(random_images(40, 16, 20, 3));
  BatchLoader loader(images, Augmenter({}, kEverything, 1.0), 5, 0);
  const std::vector<int> indices{5, 3, 9, 3, 30, 1, 2};
  loader.request({.indices = indices, .resolution = 12, .stream = "s"});
  const Batch whole = loader.take();
  for (const int parts : {2, 3, 7}) {
    Batch joined;
    for (int part = 0; part < parts; ++part) {
      const auto begin = indices.begin() + 7 * part / parts;
      loader.request({.indices = {begin, indices.begin() + 7 * (part + 1) / parts},
                      .resolution = 12,
                      .stream = "s",
                      .first = begin - indices.begin()});
      const Batch batch = loader.take();
      joined.images.insert(joined.images.end(), batch.images.begin(), batch.images.end());
      joined.labels.insert(joined.labels.end(), batch.labels.begin(), batch.labels.end());
    }
    EXPECT_EQ(joined.images, whole.images);
    EXPECT_EQ(joined.labels, whole.labels);
  }
}

/// Some images are corrupt, one is worse; counts what was asked for.
class FaultyImages : public MemoryImages {
 public:
  FaultyImages(std::set<int> corrupt, int worse)
      : MemoryImages(random_images(40, 8, 8, 1)), corrupt_(std::move(corrupt)), worse_(worse) {}
  [[nodiscard]] StoredImage image(int index, const LeastScale& least_scale) const override {
    ++asked;
    if (corrupt_.contains(index)) {
      throw CorruptImageError(name(index) + ": corrupt");
    }
    if (index == worse_) {
      throw Error("the disk is gone");
    }
    return MemoryImages::image(index, least_scale);
  }
  mutable std::atomic<int> asked = 0;

 private:
  std::set<int> corrupt_;
  int worse_;
};

TEST(BatchLoaderTest, TheNextImageStandsInForACorruptOne) {
  const MemoryImages good(random_images(40, 8, 8, 1));
  const FaultyImages images({3, 4, 39}, -1);
  const auto first = [](const ImageStore& store, std::vector<int> indices, int workers) {
    BatchLoader loader(store, Augmenter({}, {.flip = true}, 1.0), 5, workers);
    loader.request({.indices = std::move(indices), .resolution = 8, .stream = "s"});
    return loader.take();
  };
  for (const int workers : {0, 2}) {
    const Batch batch = first(images, {3, 4, 39, 7}, workers);
    const Batch expected = first(good, {5, 5, 0, 7}, workers);
    EXPECT_EQ(batch.images, expected.images);
    EXPECT_EQ(batch.labels, expected.labels);
  }
  std::set<int> all;
  for (int i = 0; i < 40; ++i) {
    all.insert(i);
  }
  EXPECT_THROW(first(FaultyImages(all, -1), {3}, 1), CorruptImageError);
}

TEST(BatchLoaderTest, ErrorsReachTheTakerAndLaterBatchesAreWhole) {
  const FaultyImages images({}, 7);
  for (const int workers : {0, 3}) {
    BatchLoader loader(images, Augmenter({}, {}, 1.0), 5, workers);
    for (const int index : {6, 7, 8}) {
      loader.request({.indices = {1, 2, index}, .resolution = 8, .stream = "s"});
    }
    EXPECT_EQ(loader.take().labels.size(), 3U);
    EXPECT_THROW(loader.take(), Error);
    EXPECT_EQ(loader.take().labels.size(), 3U);
  }
}

TEST(BatchLoaderTest, WorksAheadOnlySoFarAndCanBeDroppedAtAnyTime) {
  const FaultyImages images({}, -1);
  BatchLoader loader(images, Augmenter({}, {}, 1.0), 5, 2);
  for (int b = 0; b < 20; ++b) {
    loader.request({.indices = {1, 2, 3}, .resolution = 8, .stream = "s"});
  }
  while (images.asked < 3 * BatchLoader::kBatchesAhead) {
    std::this_thread::yield();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(images.asked, 3 * BatchLoader::kBatchesAhead);
  loader.take();
  loader.clear();
  loader.request({.indices = {4}, .resolution = 8, .stream = "s"});
  EXPECT_EQ(loader.take().labels.size(), 1U);
  loader.request({.indices = {1, 2, 3}, .resolution = 8, .stream = "s"});  // destroyed meanwhile
}

}  // namespace
}  // namespace patchnas
