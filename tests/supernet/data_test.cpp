#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "arch/error.h"
#include "supernet/augmentation.h"
#include "supernet/data_source.h"
#include "supernet/state_bytes.h"

namespace patchnas {
namespace {

using testing::HasSubstr;

std::string word(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

// Four IDX files of 2x3 images in a folder of their own. Pixel 0 of image i is i % 251; label i %
// 3, but every eighth label is 0: classes of unequal size.
class DataTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        std::filesystem::path(testing::TempDir()) / ("patchnas_data_" + std::string(info->name()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    write("train-images-idx3-ubyte", images(120));
    write("train-labels-idx1-ubyte", labels(120));
    write("t10k-images-idx3-ubyte", images(30));
    write("t10k-labels-idx1-ubyte", labels(30));
    config_.kind = DataKind::kIdx;
    config_.path = folder_.string();
    config_.classes = 3;
    config_.validation_images = 30;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static int label(int i) { return i % 8 == 0 ? 0 : i % 3; }
  static std::string images(int count) {
    std::string bytes = word(0x803) + word(static_cast<std::uint32_t>(count)) + word(2) + word(3);
    for (int i = 0; i < count; ++i) {
      bytes += static_cast<char>(i % 251);
      bytes += std::string(5, static_cast<char>(200));
    }
    return bytes;
  }
  static std::string labels(int count) {
    std::string bytes = word(0x801) + word(static_cast<std::uint32_t>(count));
    for (int i = 0; i < count; ++i) {
      bytes += static_cast<char>(label(i));
    }
    return bytes;
  }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  void write_gzip(const std::string& name, const std::string& bytes) const {
    gzFile file = gzopen((folder_ / (name + ".gz")).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    std::filesystem::remove(folder_ / name);
  }
  void expect_error(const std::string& text) const {
    try {
      load_training_data(config_, 1);
      ADD_FAILURE() << "no error, expected: " << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(text));
      EXPECT_THAT(error.what(), HasSubstr(folder_.string()));
    }
  }

  std::filesystem::path folder_;
  DataConfig config_;
};

TEST_F(DataTest, SplitIsDisjointStratifiedAndSeeded) {
  const TrainingData data = load_training_data(config_, 7);
  EXPECT_EQ(data.validation.size(), 30);
  EXPECT_EQ(data.training.size(), 90);
  std::multiset<int> seen;
  std::map<int, int> of_validation;
  std::map<int, int> of_all;
  for (const ImageSet* set : {&data.training, &data.validation}) {
    for (int i = 0; i < set->size(); ++i) {
      const int index = set->image(i)[0];
      seen.insert(index);
      EXPECT_EQ(set->labels[static_cast<std::size_t>(i)], label(index));
      ++of_all[label(index)];
      of_validation[label(index)] += set == &data.validation ? 1 : 0;
    }
  }
  EXPECT_EQ(seen.size(), 120U);
  EXPECT_EQ(std::set<int>(seen.begin(), seen.end()).size(), 120U);
  for (const auto& [c, count] : of_all) {
    EXPECT_NEAR(of_validation[c], count * 30.0 / 120.0, 1.0);
  }
  EXPECT_EQ(load_training_data(config_, 7).validation, data.validation);
  EXPECT_NE(load_training_data(config_, 8).validation, data.validation);
}

TEST_F(DataTest, LimitsKeepClassesInProportion) {
  config_.limit_training_images = 30;
  config_.limit_test_images = 4;
  const TrainingData data = load_training_data(config_, 7);
  EXPECT_EQ(data.training.size(), 30);
  EXPECT_EQ(std::set<int>(data.training.labels.begin(), data.training.labels.end()).size(), 3U);
  EXPECT_EQ(load_test_images(config_).size(), 4);
}

TEST_F(DataTest, GzipAndPlainAreTheSame) {
  const TrainingData plain = load_training_data(config_, 7);
  write_gzip("train-images-idx3-ubyte", images(120));
  write_gzip("train-labels-idx1-ubyte", labels(120));
  check_data_files(config_);
  const TrainingData zipped = load_training_data(config_, 7);
  EXPECT_EQ(zipped.training, plain.training);
  EXPECT_EQ(zipped.validation, plain.validation);
}

TEST_F(DataTest, TrainingDoesNotNeedTheTestFiles) {
  std::filesystem::remove(folder_ / "t10k-images-idx3-ubyte");
  EXPECT_EQ(load_training_data(config_, 7).training.size(), 90);
  EXPECT_THROW(check_data_files(config_), InputError);
  EXPECT_THROW(load_test_images(config_), InputError);
}

TEST_F(DataTest, MissingFolderAndFilesAreNamed) {
  std::filesystem::remove(folder_ / "train-labels-idx1-ubyte");
  expect_error("train-labels-idx1-ubyte: not found");
  config_.path = (folder_ / "nowhere").string();
  expect_error("no such folder");
  config_.path.clear();
  EXPECT_THROW(load_training_data(config_, 1), InputError);
}

TEST_F(DataTest, TruncatedFilesAreRefused) {
  write("train-images-idx3-ubyte", images(120).substr(0, 300));
  expect_error("cut short: 284 of 720 bytes");
  write("train-images-idx3-ubyte", images(120).substr(0, 9));
  expect_error("cut short");
  EXPECT_THROW(check_data_files(config_), InputError);
  write("train-images-idx3-ubyte", images(120) + "x");
  expect_error("more than the 720 bytes");
}

TEST_F(DataTest, TruncatedAndDamagedGzipIsRefused) {
  write_gzip("train-images-idx3-ubyte", images(120));
  const std::filesystem::path path = folder_ / "train-images-idx3-ubyte.gz";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 12);
  expect_error("cut short");
  write_gzip("train-images-idx3-ubyte", images(120));
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path)) - 8);
    file << "zzzz";
  }
  expect_error("damaged");
}

TEST_F(DataTest, WrongContentIsRefused) {
  write("train-images-idx3-ubyte", labels(120));
  expect_error("magic number 0x00000801, expected 0x00000803");
  write("train-images-idx3-ubyte", word(0x803) + word(120) + word(0) + word(3));
  expect_error("extent 0 in dimension 1");
  write("train-images-idx3-ubyte", word(0x803) + word(49'000'000) + word(4000) + word(4000));
  write("train-labels-idx1-ubyte", labels(120));
  expect_error("cut short");
  write("train-images-idx3-ubyte", images(119));
  expect_error("119 images, but");
}

TEST_F(DataTest, LabelsOutOfRangeAndTooFewImagesAreRefused) {
  config_.classes = 2;
  expect_error("label 2 at index 2; allowed are 0 to 1");
  config_.classes = 3;
  config_.validation_images = 120;
  expect_error("120 images; validation_images and limit_training_images need 121");
}

TEST(FashionMnistTest, DebiansPackageLoads) {
  const DataConfig config;
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  }
  check_data_files(config);
  const TrainingData data = load_training_data(config, 1);
  EXPECT_EQ(data.training.size(), 55000);
  EXPECT_EQ(data.validation.size(), 5000);
  for (int c = 0; c < 10; ++c) {
    EXPECT_EQ(std::count(data.validation.labels.begin(), data.validation.labels.end(), c), 500);
  }
  EXPECT_EQ(data.training.height, 28);
}

ImageSet random_images(int count, int height, int width, int channels) {
  ImageSet set{height, width, channels,
               2,      {},    std::vector<std::int32_t>(static_cast<std::size_t>(count))};
  RandomStream stream(1, "test/pixels");
  for (std::size_t i = 0; i < static_cast<std::size_t>(count) * set.image_bytes(); ++i) {
    set.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
  }
  return set;
}

TEST(ImageSetTest, ResizingKeepsConstantsAndMeans) {
  ImageSet constant = random_images(2, 14, 14, 3);
  std::fill(constant.pixels.begin(), constant.pixels.end(), std::uint8_t{77});
  for (const int resolution : {7, 14, 21}) {
    const ImageSet result = resized(constant, resolution);
    EXPECT_EQ(result.height, resolution);
    EXPECT_EQ(result.pixels.size(), 2U * 3U * static_cast<std::size_t>(resolution * resolution));
    EXPECT_TRUE(
        std::all_of(result.pixels.begin(), result.pixels.end(), [](int p) { return p == 77; }));
  }
  const ImageSet images = random_images(3, 14, 14, 1);
  EXPECT_EQ(resized(images, 14), images);
  const ImageSet half = resized(images, 7);  // the mean of 2x2 pixels, rounded
  for (int i = 0; i < 3; ++i) {
    for (int y = 0; y < 7; ++y) {
      for (int x = 0; x < 7; ++x) {
        const auto source = images.image(i);
        const int at = 2 * y * 14 + 2 * x;
        const double mean =
            (source[static_cast<std::size_t>(at)] + source[static_cast<std::size_t>(at + 1)] +
             source[static_cast<std::size_t>(at + 14)] +
             source[static_cast<std::size_t>(at + 15)]) /
            4.0;
        EXPECT_NEAR(half.image(i)[static_cast<std::size_t>(y * 7 + x)], mean, 0.51);
      }
    }
  }
}

TEST(AugmentationTest, WithoutItBatchesAreNormalisedImages) {
  const ImageSet images = random_images(4, 5, 6, 2);
  const PixelNormalisation normalisation{.mean = 90, .stddev = 30.0};
  RandomStream stream(1, "test/none");
  const std::vector<float> batch =
      augmented_batch(images, std::vector<int>{2, 0}, normalisation, {}, stream);
  std::vector<float> expected(2 * images.image_bytes());
  normalise_images(images, 2, 3, normalisation, expected.data());
  normalise_images(images, 0, 1, normalisation, expected.data() + images.image_bytes());
  EXPECT_EQ(batch, expected);
  EXPECT_FLOAT_EQ(batch[0], static_cast<float>((images.image(2)[0] - 90) / 30.0));
}

TEST(AugmentationTest, EveryImageIsAShiftedAndPerhapsMirroredOriginal) {
  const ImageSet images = random_images(1, 7, 8, 1);
  const PixelNormalisation normalisation{.mean = 0, .stddev = 1.0};
  const Augmentation augmentation{.shift_pixels = 2, .flip = true};
  RandomStream stream(3, "test/shift");
  std::set<std::tuple<int, int, bool>> seen;
  for (int i = 0; i < 600; ++i) {
    const std::vector<float> batch =
        augmented_batch(images, std::vector<int>{0}, normalisation, augmentation, stream);
    int matches = 0;
    for (int down = -2; down <= 2; ++down) {
      for (int right = -2; right <= 2; ++right) {
        for (const bool flip : {false, true}) {
          bool equal = true;
          for (int y = 0; y < 7; ++y) {
            for (int x = 0; x < 8; ++x) {
              const int from_y = y - down;
              const int shifted = x - right;
              const bool inside = from_y >= 0 && from_y < 7 && shifted >= 0 && shifted < 8;
              const int from_x = flip ? 7 - shifted : shifted;
              const float expected =
                  inside ? images.pixels[static_cast<std::size_t>(from_y * 8 + from_x)] : 0.0F;
              equal = equal && batch[static_cast<std::size_t>(y * 8 + x)] == expected;
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

TEST(StateBytesTest, RoundTripsAndNamesWhatIsWrong) {
  StateWriter writer("thing", "owner");
  writer.add("count", -5);
  writer.add("values", std::vector<float>{1.5F, -2.0F});
  const std::string bytes = std::move(writer).finish();
  StateReader reader(bytes, "thing", "owner");
  EXPECT_EQ(reader.integer("count"), -5);
  EXPECT_THROW(reader.finish(), InputError);
  EXPECT_EQ(reader.floats("values", 2), (std::vector<float>{1.5F, -2.0F}));
  reader.finish();
  EXPECT_THROW(StateReader(bytes, "other", "owner"), InputError);
  EXPECT_THROW(StateReader(bytes, "thing", "stranger"), InputError);
  EXPECT_THROW(StateReader(bytes, "thing", "owner").integer("values"), InputError);
  EXPECT_THROW(StateReader("", "thing", "owner"), InputError);
}

}  // namespace
}  // namespace patchnas
