#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "arch/base/error.h"
#include "supernet/data/data_source.h"
#include "supernet/data/evaluation_images.h"

namespace patchnas {
namespace {

using testing::HasSubstr;

const LeastScale kFullSize = [](int, int) { return 1.0; };

ImageSet everything(const ImageStore& images) {
  return evaluation_images(images, images.image(0, kFullSize).width, 1.0);
}

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
    config_.channels = 1;
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
  EXPECT_EQ(data.validation->size(), 30);
  EXPECT_EQ(data.training->size(), 90);
  std::multiset<int> seen;
  std::map<int, int> of_validation;
  std::map<int, int> of_all;
  for (const PartOfImages* part : {data.training.get(), data.validation.get()}) {
    for (int i = 0; i < part->size(); ++i) {
      const int index = part->image(i, kFullSize).pixels[0];
      seen.insert(index);
      EXPECT_EQ(part->label(i), label(index));
      EXPECT_EQ(part->name(i), "training:" + std::to_string(index));
      ++of_all[label(index)];
      of_validation[label(index)] += part == data.validation.get() ? 1 : 0;
    }
  }
  EXPECT_EQ(seen.size(), 120U);
  EXPECT_EQ(std::set<int>(seen.begin(), seen.end()).size(), 120U);
  for (const auto& [c, count] : of_all) {
    EXPECT_NEAR(of_validation[c], count * 30.0 / 120.0, 1.0);
  }
  const auto indices = [](const PartOfImages& part) {
    return std::vector<int>(part.indices().begin(), part.indices().end());
  };
  std::vector<int> all(120);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(indices(*data.both), all);
  EXPECT_EQ(indices(*load_training_data(config_, 7).validation), indices(*data.validation));
  EXPECT_NE(indices(*load_training_data(config_, 8).validation), indices(*data.validation));
}

TEST_F(DataTest, LimitsKeepClassesInProportion) {
  config_.limit_training_images = 30;
  config_.limit_test_images = 4;
  const TrainingData data = load_training_data(config_, 7);
  EXPECT_EQ(data.training->size(), 30);
  const std::vector<std::int32_t> labels = everything(*data.training).labels;
  EXPECT_EQ(std::set<int>(labels.begin(), labels.end()).size(), 3U);
  EXPECT_EQ(load_test_images(config_)->size(), 4);
}

TEST_F(DataTest, GzipAndPlainAreTheSame) {
  const TrainingData plain = load_training_data(config_, 7);
  write_gzip("train-images-idx3-ubyte", images(120));
  write_gzip("train-labels-idx1-ubyte", labels(120));
  check_data_files(config_);
  const TrainingData zipped = load_training_data(config_, 7);
  EXPECT_EQ(everything(*zipped.training), everything(*plain.training));
  EXPECT_EQ(everything(*zipped.validation), everything(*plain.validation));
}

TEST_F(DataTest, TrainingDoesNotNeedTheTestFiles) {
  std::filesystem::remove(folder_ / "t10k-images-idx3-ubyte");
  EXPECT_EQ(load_training_data(config_, 7).training->size(), 90);
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
  expect_error("120 training images; validation_images and limit_training_images need 121");
}

TEST_F(DataTest, ClassesWithoutImagesAreRefusedBeforeTheRun) {
  config_.classes = 5;
  const char* const text =
      "train-labels-idx1-ubyte: 2 of the 5 classes have no images, the first is class 3; every "
      "class needs some";
  expect_error(text);
  EXPECT_THAT([&] { check_data_files(config_); },
              testing::ThrowsMessage<InputError>(HasSubstr(text)));
  config_.classes = 3;
  write("t10k-images-idx3-ubyte", images(2));
  write("t10k-labels-idx1-ubyte", labels(2));
  EXPECT_THAT([&] { check_data_files(config_); },
              testing::ThrowsMessage<InputError>(HasSubstr("1 of the 3 classes have no images")));
}

TEST_F(DataTest, AFifoIsRefusedAndNotWaitedFor) {
  std::filesystem::remove(folder_ / "train-labels-idx1-ubyte");
  ASSERT_EQ(::mkfifo((folder_ / "train-labels-idx1-ubyte").c_str(), 0600), 0);
  expect_error("train-labels-idx1-ubyte: is a FIFO, not a file");
}

TEST(FashionMnistTest, DebiansPackageLoads) {
  const DataConfig config;
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  }
  check_data_files(config);
  const TrainingData data = load_training_data(config, 1);
  EXPECT_EQ(data.training->size(), 55000);
  const ImageSet validation = everything(*data.validation);
  EXPECT_EQ(validation.size(), 5000);
  for (int c = 0; c < 10; ++c) {
    EXPECT_EQ(std::count(validation.labels.begin(), validation.labels.end(), c), 500);
  }
  EXPECT_EQ(data.training->image(0, kFullSize).height, 28);
}

}  // namespace
}  // namespace patchnas
