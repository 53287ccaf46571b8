// Images in files: decoding, caches, class folders, CIFAR and Visual Wake Words.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "arch/error.h"
#include "supernet/data_source.h"
#include "supernet/evaluation_images.h"
#include "supernet/image_cache.h"
#include "supernet/image_decoder.h"
#include "supernet/image_header.h"
#include "supernet/parallel.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

const LeastScale kFullSize = [](int, int) { return 1.0; };

Bytes encoded(const std::string& extension, const cv::Mat& image) {
  Bytes bytes;
  cv::imencode(extension, image, bytes, {cv::IMWRITE_JPEG_QUALITY, 100});
  return bytes;
}

/// Left half blue, right half a dark red; so smooth that JPEG keeps the values.
cv::Mat two_colours(int height, int width) {
  cv::Mat image(height, width, CV_8UC3, cv::Scalar(200, 40, 20));
  image(cv::Rect(width / 2, 0, width - width / 2, height)) = cv::Scalar(30, 10, 120);
  return image;
}

std::array<int, 3> pixel(const StoredImage& image, int y, int x) {
  std::array<int, 3> result{};
  for (int c = 0; c < image.channels; ++c) {
    result[static_cast<std::size_t>(c)] =
        image.pixels[static_cast<std::size_t>((y * image.width + x) * image.channels + c)];
  }
  return result;
}

void expect_near(const std::array<int, 3>& actual, const std::array<int, 3>& expected, int within) {
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(actual[c], expected[c], within);
  }
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
    return error.what();
  }
  return "no error";
}

TEST(DecodeImageTest, ColoursComeAsRgbOrGrey) {
  for (const char* extension : {".jpg", ".png"}) {
    const Bytes bytes = encoded(extension, two_colours(32, 48));
    const StoredImage colour = decode_image(bytes, 3, "x", kFullSize);
    EXPECT_EQ(colour.height, 32);
    EXPECT_EQ(colour.width, 48);
    expect_near(pixel(colour, 16, 4), {20, 40, 200}, 3);
    expect_near(pixel(colour, 16, 44), {120, 10, 30}, 3);
    const StoredImage grey = decode_image(bytes, 1, "x", kFullSize);
    EXPECT_EQ(grey.channels, 1);
    expect_near(pixel(grey, 16, 4), {52, 0, 0}, 3);  // 0.299 R + 0.587 G + 0.114 B
  }
}

TEST(DecodeImageTest, GreyDeepAndTransparentFilesAreRight) {
  const cv::Mat grey(20, 20, CV_8UC1, cv::Scalar(77));
  for (const char* extension : {".jpg", ".png"}) {
    expect_near(pixel(decode_image(encoded(extension, grey), 3, "x", kFullSize), 9, 9),
                {77, 77, 77}, 1);
  }
  const cv::Mat deep(20, 20, CV_16UC3, cv::Scalar(0x4000, 0x8000, 0xC000));
  expect_near(pixel(decode_image(encoded(".png", deep), 3, "x", kFullSize), 9, 9),
              {0xC0, 0x80, 0x40}, 1);
  const cv::Mat deep_grey(20, 20, CV_16UC1, cv::Scalar(0x8000));
  expect_near(pixel(decode_image(encoded(".png", deep_grey), 1, "x", kFullSize), 9, 9),
              {0x80, 0, 0}, 1);
  const cv::Mat transparent(20, 20, CV_8UC4, cv::Scalar(10, 20, 30, 0));
  expect_near(pixel(decode_image(encoded(".png", transparent), 3, "x", kFullSize), 9, 9),
              {30, 20, 10}, 0);
}

/// As a camera writes it: an APP1 segment with one entry, orientation.
Bytes with_orientation(const Bytes& jpeg, std::uint8_t orientation) {
  const Bytes segment{0xFF, 0xE1, 0, 34, 'E', 'x',         'i', 'f', 0,    0,    'M', 'M',
                      0,    42,   0, 0,  0,   8,           0,   1,   0x01, 0x12, 0,   3,
                      0,    0,    0, 1,  0,   orientation, 0,   0,   0,    0,    0,   0};
  Bytes result(jpeg.begin(), jpeg.begin() + 2);
  result.insert(result.end(), segment.begin(), segment.end());
  result.insert(result.end(), jpeg.begin() + 2, jpeg.end());
  return result;
}

TEST(DecodeImageTest, TurnedCamerasGiveUprightImagesAtAnyScale) {
  const Bytes turned = with_orientation(encoded(".jpg", two_colours(64, 96)), 6);  // 90 degrees
  for (const double scale : {1.0, 0.5, 0.25}) {
    const StoredImage image = decode_image(turned, 3, "x", [&](int, int) { return scale; });
    EXPECT_EQ(image.height, 96 * scale);
    EXPECT_EQ(image.width, 64 * scale);
    expect_near(pixel(image, 2, image.width / 2), {20, 40, 200}, 4);
    expect_near(pixel(image, image.height - 3, image.width / 2), {120, 10, 30}, 4);
  }
}

// 8x8 pixels of one colour, written by hand after ITU-T T.81: four components, each 0 or 255, with
// a DC coefficient each, and Adobe's marker, which says that inks are stored inverted.
Bytes cmyk_jpeg(const std::array<int, 4>& stored) {
  Bytes bytes{0xFF, 0xD8, 0xFF, 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0};
  const auto append = [&](const Bytes& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  };
  append({0xFF, 0xDB, 0, 67, 0});  // quantisation by 1: a DC step is 1/8 of a pixel value
  append(Bytes(64, 1));
  append({0xFF, 0xC0, 0, 20, 8, 0, 8, 0, 8, 4});
  for (std::uint8_t c = 1; c <= 4; ++c) {
    append({c, 0x11, 0});
  }
  // DC: the code 0 means 11 bits follow; AC: the code 0 is the end of the block.
  append({0xFF, 0xC4, 0, 20, 0x00, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11});
  append({0xFF, 0xC4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  append({0xFF, 0xDA, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0});
  std::string bits;
  for (const int value : stored) {
    const int code = value == 255 ? 1024 : 2047 - 1024;  // of +1024 and -1024, 8 a pixel step
    bits += "0";
    for (int bit = 10; bit >= 0; --bit) {
      bits += (code >> bit & 1) != 0 ? '1' : '0';
    }
    bits += "0";
  }
  bits.append((8 - bits.size() % 8) % 8, '1');
  for (std::size_t i = 0; i < bits.size(); i += 8) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(bits.substr(i, 8), nullptr, 2)));
    if (bytes.back() == 0xFF) {
      bytes.push_back(0);
    }
  }
  append({0xFF, 0xD9});
  return bytes;
}

TEST(DecodeImageTest, PrintersInksBecomeLight) {
  // Stored inverted, so 255 is no ink: colours times the light that black lets through.
  const Bytes bytes = cmyk_jpeg({255, 255, 0, 255});  // yellow ink alone
  expect_near(pixel(decode_image(bytes, 3, "x", kFullSize), 4, 4), {255, 255, 0}, 3);
  const Bytes black = cmyk_jpeg({255, 255, 255, 0});
  expect_near(pixel(decode_image(black, 3, "x", kFullSize), 4, 4), {0, 0, 0}, 3);
}

TEST(DecodeImageTest, EveryFileThatIsCutShortIsCorrupt) {
  for (const char* extension : {".jpg", ".png"}) {
    const Bytes bytes = encoded(extension, two_colours(40, 56));
    const ImageHeader header = read_image_header(bytes, "x");
    EXPECT_EQ(header.height, 40);
    EXPECT_EQ(header.width, 56);
    for (std::size_t size = 0; size + 1 < bytes.size(); ++size) {
      EXPECT_THROW(read_image_header(std::span(bytes).first(size), "x"), CorruptImageError)
          << extension << " " << size;
    }
    Bytes longer = bytes;  // cameras append things
    longer.insert(longer.end(), 100, 0xAB);
    EXPECT_EQ(decode_image(longer, 3, "x", kFullSize).width, 56);
  }
  EXPECT_THAT(error_of([] {
                read_image_header(Bytes{'G', 'I', 'F', '8', '9', 'a'}, "a.jpg");
              }),
              HasSubstr("a.jpg is neither a JPEG nor a PNG file"));
  EXPECT_THAT(error_of([] { read_image_header({}, "a.jpg"); }), HasSubstr("a.jpg is empty"));
}

TEST(DecodeImageTest, DamageIsAnErrorOrAnImageAndNeverMore) {
  RandomStream stream(1, "test/damage");
  for (const char* extension : {".jpg", ".png"}) {
    const Bytes bytes = encoded(extension, two_colours(24, 24));
    for (int i = 0; i < 200; ++i) {
      Bytes damaged = bytes;
      damaged[stream.below(damaged.size())] ^= static_cast<std::uint8_t>(1 + stream.below(255));
      try {
        const StoredImage image = decode_image(damaged, 3, "x", kFullSize);
        EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.height * image.width * 3));
      } catch (const CorruptImageError&) {
        continue;
      }
    }
  }
}

/// A folder of its own that is gone afterwards.
class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / ("patchnas_" + std::string(info->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    observer_.log = [this](const std::string& line) { log_ += line + "\n"; };
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const fs::path& file, const Bytes& bytes) const {
    fs::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void write_text(const fs::path& file, const std::string& text) const {
    write(file, Bytes(text.begin(), text.end()));
  }

  fs::path folder_;
  std::string log_;
  DataObserver observer_;
};

/// train/{ant,bee,cat} with 4, 7 and 12 images of several sizes, and test/ with 2 of each; the grey
/// value of image i of class c is 60 c + 4 i.
class ClassFoldersTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    const std::array names{"ant", "bee", "cat"};
    const std::array counts{4, 7, 12};
    for (std::size_t c = 0; c < 3; ++c) {
      for (int i = 0; i < counts[c]; ++i) {
        const cv::Mat image(20 + i, 30 - i, CV_8UC3,
                            cv::Scalar::all(60.0 * static_cast<double>(c) + 4 * i));
        const std::string name = std::string(names[c]) + "/" + std::to_string(10 + i);
        write("train/" + name + ".jpg", encoded(".jpg", image));
        if (i < 2) {
          write("test/" + name + ".PNG", encoded(".png", image));
        }
      }
    }
    config_.kind = DataKind::kImageFolder;
    config_.path = folder_.string();
    config_.classes = 3;
    config_.channels = 3;
    config_.largest_resolution = 14;
    config_.validation_images = 6;
    config_.crop_ratio = 0.875;
    config_.cache = (folder_ / "cache").string();
    config_.max_corrupt_images = 2;
  }
  TrainingData load() const { return load_training_data(config_, 3, observer_); }
  [[nodiscard]] std::string problem() const {
    return error_of([&] { check_data_files(config_, observer_); });
  }
  [[nodiscard]] std::vector<fs::path> caches() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(config_.cache)) {
      if (entry.path().extension() != ".lock") {
        files.push_back(entry.path());
      }
    }
    return files;
  }

  DataConfig config_;
};

TEST_F(ClassFoldersTest, CachedAndStreamedImagesAreTheSameSplit) {
  check_data_files(config_, observer_);
  EXPECT_EQ(log_, "");
  const TrainingData cached = load();
  EXPECT_EQ(caches().size(), 1U);
  EXPECT_EQ(cached.training->size(), 17);
  EXPECT_EQ(cached.validation->size(), 6);
  config_.cache_bytes = 0;
  const TrainingData streamed = load();
  EXPECT_THAT(log_, HasSubstr("decoded at every access"));
  for (int i = 0; i < 17; ++i) {
    EXPECT_EQ(cached.training->name(i), streamed.training->name(i));
    EXPECT_EQ(cached.training->label(i), streamed.training->label(i));
    const int number = std::stoi(fs::path(cached.training->name(i)).stem()) - 10;
    const int value = 60 * cached.training->label(i) + 4 * number;
    for (const PartOfImages* part : {cached.training.get(), streamed.training.get()}) {
      const StoredImage image = part->image(i, kFullSize);
      EXPECT_EQ(image.label, part->label(i));
      expect_near(pixel(image, 5, 5), {value, value, value}, 1);
    }
    EXPECT_EQ(std::min(cached.training->image(i, kFullSize).height,
                       cached.training->image(i, kFullSize).width),
              16);  // 14 / 0.875
  }
  EXPECT_EQ(evaluation_images(*load_test_images(config_), 14, 0.875).size(), 6);
}

TEST_F(ClassFoldersTest, ACacheIsUsedAgainAndRebuiltWhenItIsNotWhole) {
  const ImageSet expected = evaluation_images(*load().training, 14, 0.875);
  const fs::path cache = caches().front();
  const auto written = fs::last_write_time(cache);
  EXPECT_EQ(evaluation_images(*load().training, 14, 0.875), expected);
  EXPECT_EQ(fs::last_write_time(cache), written);
  const auto size = static_cast<std::int64_t>(fs::file_size(cache));
  RandomStream stream(1, "test/cache");
  for (int i = 0; i < 30; ++i) {
    log_.clear();
    if (i % 3 == 0) {
      fs::resize_file(cache,
                      static_cast<std::uintmax_t>(stream.below(static_cast<std::uint64_t>(size))));
    } else {
      // In the header or the index; pixels carry no checksum.
      const std::int64_t at = i % 3 == 1
                                  ? static_cast<std::int64_t>(stream.below(56))
                                  : size - 1 - static_cast<std::int64_t>(stream.below(23 * 16));
      std::fstream file(cache, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(at);
      const int byte = file.get();
      file.seekp(at);
      file.put(static_cast<char>(byte ^ (1 << stream.below(8))));
    }
    EXPECT_EQ(evaluation_images(*load().training, 14, 0.875), expected) << i;
    EXPECT_THAT(log_, HasSubstr("it is built again")) << i;
  }
  write("train/ant/10.jpg", encoded(".jpg", two_colours(50, 50)));  // another size and time
  load();
  EXPECT_EQ(caches().size(), 2U);
}

TEST_F(ClassFoldersTest, SeveralProcessesCanBuildOneCache) {
  // Threads with a lock file each stand for processes; parallel.h has one caller at a time unless
  // it has one thread.
  const int threads_before = fused::thread_count();
  fused::set_thread_count(1);
  fused::parallel_ranges(1, [](int, int, int) {});
  std::vector<ImageSet> results(4);
  std::vector<std::thread> threads;
  for (ImageSet& result : results) {
    threads.emplace_back(
        [&] { result = evaluation_images(*load_training_data(config_, 3).training, 14, 0.875); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  fused::set_thread_count(threads_before);
  for (const ImageSet& result : results) {
    EXPECT_EQ(result, results[0]);
    EXPECT_EQ(result.size(), 17);
  }
  EXPECT_EQ(caches().size(), 1U);
}

TEST_F(ClassFoldersTest, CorruptImagesAreNamedAndSkippedUpToALimit) {
  Bytes cut = encoded(".jpg", two_colours(30, 30));
  cut.resize(cut.size() - 200);
  write("train/bee/11.jpg", cut);
  write_text("train/cat/21.jpg", "<html>not found</html>");
  for (const std::int64_t cache_bytes : {std::int64_t{1} << 30, std::int64_t{0}}) {
    for (int again = 0; again < 2; ++again) {
      log_.clear();
      config_.cache_bytes = cache_bytes;
      const TrainingData data = load();
      const int kept = evaluation_images(*data.training, 14, 0.875).size() +
                       evaluation_images(*data.validation, 14, 0.875).size();
      EXPECT_EQ(kept, 21);
      EXPECT_THAT(log_, HasSubstr("bee/11.jpg is "));
      EXPECT_THAT(log_, HasSubstr("cat/21.jpg is "));
    }
  }
  config_.max_corrupt_images = 1;
  EXPECT_THAT(error_of([&] {
                const TrainingData data = load();
                evaluation_images(*data.training, 14, 0.875);
                evaluation_images(*data.validation, 14, 0.875);
              }),
              HasSubstr("one corrupt image more than the 1 that data.max_corrupt_images allows"));
}

TEST_F(ClassFoldersTest, WhatIsWrongWithTheFoldersIsSaidInOneLine) {
  write_text("train/ant/notes.txt", "hello");
  check_data_files(config_, observer_);
  EXPECT_THAT(log_, HasSubstr("1 files are ignored"));
  config_.classes = 2;
  EXPECT_THAT(problem(), HasSubstr("space.classes: 2, but the images have 3 classes"));
  config_.classes = 3;
  fs::create_directories(folder_ / "train" / "dog");
  EXPECT_THAT(problem(), HasSubstr("dog: has no JPEG or PNG files"));
  fs::remove(folder_ / "train" / "dog");
  fs::rename(folder_ / "test" / "ant", folder_ / "test" / "aunt");
  EXPECT_THAT(problem(), HasSubstr("aunt: is none of the classes"));
  fs::rename(folder_ / "test", folder_ / "holdout");
  EXPECT_THAT(problem(), HasSubstr("data.test_folder must name one"));
  config_.test_folder = "train";
  EXPECT_THAT(problem(), HasSubstr("is the folder of the training images"));
  config_.test_folder = "nowhere";
  EXPECT_THAT(problem(), HasSubstr("nowhere: cannot be read"));
  fs::remove_all(folder_ / "train" / "ant");
  fs::remove_all(folder_ / "train" / "bee");
  EXPECT_THAT(problem(), HasSubstr("the single class cat"));
  fs::remove_all(folder_ / "train" / "cat");
  EXPECT_THAT(problem(), HasSubstr("data.training_folder must name one"));
  config_.path = (folder_ / "nowhere").string();
  EXPECT_THAT(problem(), HasSubstr("no such folder"));
}

TEST_F(ClassFoldersTest, ClassesWithoutAReadableImageAreFoundEarly) {
  for (int i = 0; i < 4; ++i) {
    write_text("train/ant/1" + std::to_string(i) + ".jpg", "no image");
  }
  EXPECT_THAT(problem(), HasSubstr("is neither a JPEG nor a PNG file"));
}

TEST_F(FolderTest, CifarFilesAreRead) {
  const auto records = [](int first, int count, int classes) {
    Bytes bytes;
    for (int i = first; i < first + count; ++i) {
      if (classes == 100) {
        bytes.push_back(7);  // the coarse label
      }
      bytes.push_back(static_cast<std::uint8_t>(i % classes));
      for (const int factor : {1, 2, 3}) {
        bytes.insert(bytes.end(), 1024, static_cast<std::uint8_t>(factor * i));
      }
    }
    return bytes;
  };
  for (int i = 1; i <= 5; ++i) {
    write("data_batch_" + std::to_string(i) + ".bin", records(10 * i - 10, 10, 10));
  }
  write("test_batch.bin", records(0, 7, 10));
  write("train.bin", records(0, 60, 100));
  write("test.bin", records(0, 5, 100));
  for (const DataKind kind : {DataKind::kCifar10, DataKind::kCifar100}) {
    DataConfig config;
    config.kind = kind;
    config.path = folder_.string();
    config.classes = kind == DataKind::kCifar10 ? 10 : 100;
    config.channels = 3;
    config.validation_images = 1;
    check_data_files(config);
    const TrainingData data = load_training_data(config, 1);
    for (int i = 0; i < data.training->size(); ++i) {
      const int record = data.training->indices()[static_cast<std::size_t>(i)];
      const StoredImage image = data.training->image(i, kFullSize);
      EXPECT_EQ(image.label, record % config.classes);
      expect_near(pixel(image, 31, 31), {record, 2 * record, 3 * record}, 0);
    }
    config.channels = 1;
    expect_near(pixel(load_test_images(config)->image(4, kFullSize), 0, 0), {7, 0, 0}, 1);
  }
  DataConfig config;
  config.kind = DataKind::kCifar10;
  config.path = folder_.string();
  config.channels = 3;
  Bytes bad = records(0, 10, 10);
  bad[0] = 11;
  write("data_batch_1.bin", bad);
  EXPECT_THAT(error_of([&] { load_training_data(config, 1); }), HasSubstr("label 11 of image 0"));
  bad.pop_back();
  write("data_batch_1.bin", bad);
  EXPECT_THAT(error_of([&] { check_data_files(config); }), HasSubstr("cut short"));
  fs::remove(folder_ / "data_batch_1.bin");
  EXPECT_THAT(error_of([&] { check_data_files(config); }), HasSubstr("cs.toronto.edu"));
}

/// Six images of 40x50 pixels, as COCO has them; the test part is 102 and 105.
class WakeWordsTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    for (int id = 100; id < 106; ++id) {
      write((id < 104 ? "train2014/" : "val2014/") + name(id),
            encoded(".jpg", two_colours(40, 50)));
    }
    write_annotations();
    write_text("annotations/mscoco_minival_ids.txt", "102\n105\n999\n");
    config_.kind = DataKind::kVisualWakeWords;
    config_.path = folder_.string();
    config_.classes = 2;
    config_.channels = 3;
    config_.largest_resolution = 16;
    config_.validation_images = 1;
    config_.cache = (folder_ / "cache").string();
  }
  static std::string name(int id) { return "COCO_" + std::to_string(id) + ".jpg"; }

  void write_annotations() {
    for (const bool is_train : {true, false}) {
      nlohmann::json json = {
          {"info", {{"year", 2014}}},
          {"categories", {{{"id", 1}, {"name", "person"}}, {{"id", 2}, {"name", "bicycle"}}}}};
      for (int id = is_train ? 100 : 104; id < (is_train ? 104 : 106); ++id) {
        json["images"].push_back(
            {{"id", id}, {"file_name", name(id)}, {"height", 40}, {"width", width_}});
      }
      for (const nlohmann::json& annotation : annotations_) {
        if ((annotation["image_id"] < 104) == is_train) {
          json["annotations"].push_back(annotation);
        }
      }
      write_text(
          is_train ? "annotations/instances_train2014.json" : "annotations/instances_val2014.json",
          json.dump());
    }
  }
  static nlohmann::json annotation(int image, int category, double area) {
    return {{"image_id", image}, {"category_id", category},          {"area", area},
            {"iscrowd", 0},      {"segmentation", {{1.5, 2, 3, 4}}}, {"extra", {{"id", 5}}}};
  }
  [[nodiscard]] std::string problem() const {
    return error_of([&] { check_data_files(config_); });
  }

  // 0.5 % of 40x50 pixels are 10.
  std::vector<nlohmann::json> annotations_{annotation(100, 1, 10.0),  annotation(101, 1, 10.5),
                                           annotation(102, 2, 900.0), annotation(103, 1, 4.0),
                                           annotation(103, 2, 900.0), annotation(104, 2, 3.0),
                                           annotation(105, 1, 9.0),   annotation(105, 1, 11.0)};
  int width_ = 50;
  DataConfig config_;
};

TEST_F(WakeWordsTest, OnePersonOfMoreThanHalfAPercentMakesTheLabel) {
  check_data_files(config_);
  const TrainingData data = load_training_data(config_, 1);
  std::map<std::string, int> labels;
  for (const PartOfImages* part : {data.training.get(), data.validation.get()}) {
    for (int i = 0; i < part->size(); ++i) {
      labels[part->name(i)] = part->label(i);
    }
  }
  EXPECT_EQ(labels, (std::map<std::string, int>{{"train2014/" + name(100), 0},
                                                {"train2014/" + name(101), 1},
                                                {"train2014/" + name(103), 0},
                                                {"val2014/" + name(104), 0}}));
  const auto test = load_test_images(config_);
  ASSERT_EQ(test->size(), 2);
  EXPECT_EQ(test->label(0), 0);
  EXPECT_EQ(test->label(1), 1);
}

TEST_F(WakeWordsTest, WhatIsMissingIsNamedWithItsSource) {
  fs::remove(folder_ / "annotations/mscoco_minival_ids.txt");
  EXPECT_THAT(problem(), HasSubstr("mscoco_minival_ids.txt of github.com/tensorflow/models"));
  write_text("annotations/mscoco_minival_ids.txt", "102\nabc\n");
  EXPECT_THAT(problem(), HasSubstr("not a list of image ids"));
  write_text("annotations/mscoco_minival_ids.txt", "102\n105\n");
  fs::remove(folder_ / "val2014" / name(104));
  EXPECT_THAT(problem(), HasSubstr("1 images of the annotations are in none of the image folders, "
                                   "the first is COCO_104.jpg"));
  fs::remove_all(folder_ / "val2014");
  fs::remove_all(folder_ / "train2014");
  EXPECT_THAT(problem(), HasSubstr("cocodataset.org"));
  fs::remove(folder_ / "annotations/instances_val2014.json");
  EXPECT_THAT(problem(), HasSubstr("instances_val2014.json: not found"));
  fs::remove(folder_ / "annotations/instances_train2014.json");
  EXPECT_THAT(problem(), HasSubstr("cocodataset.org"));
}

TEST_F(WakeWordsTest, AnnotationsThatDoNotFitAreRefused) {
  annotations_.push_back(annotation(7, 1, 3.0));
  write_annotations();
  EXPECT_THAT(problem(), HasSubstr("an annotation is of image 7, which is not listed"));
  annotations_.back() = annotation(100, 77, 3.0);
  write_annotations();
  EXPECT_THAT(problem(), HasSubstr("an annotation is of category 77, which is not listed"));
  annotations_.pop_back();
  annotations_[1] = annotation(101, 1, 100.0);  // a person in wider images too
  width_ = 60;
  write_annotations();
  EXPECT_THAT(problem(), HasSubstr("has 40x50 pixels, but the annotations say 40x60"));
  width_ = 50;
  write_annotations();
  const fs::path file = folder_ / "annotations/instances_train2014.json";
  fs::resize_file(file, fs::file_size(file) - 5);
  EXPECT_THAT(problem(), HasSubstr("is no JSON, or cut short"));
  for (const char* text :
       {"{}", "[1, 2]", R"({"images": [{"id": 1}]})",
        R"({"images": [{"id": "x", "file_name": "a", "height": 1, "width": 1}]})"}) {
    write_text("annotations/instances_train2014.json", text);
    EXPECT_THAT(problem(), HasSubstr("instances_train2014.json: ")) << text;
  }
  annotations_.erase(annotations_.begin() + 1);
  write_annotations();
  EXPECT_THAT(problem(), HasSubstr("0 of the 4 training images show a person"));
}

fs::path shared_data() {
  const char* const folder = std::getenv("PATCHNAS_SHARED_DIR");
  return (folder != nullptr ? fs::path(folder) : fs::path(PATCHNAS_SOURCE_DIR) / "../shared") /
         "data";
}

TEST_F(FolderTest, RealCocoImagesBecomeWakeWords) {
  const fs::path tar = shared_data() / "coco_mini.tar";
  if (!fs::exists(tar)) {
    GTEST_SKIP() << tar << " is not here";
  }
  ASSERT_EQ(std::system(("tar xf '" + tar.string() + "' -C '" + folder_.string() + "'").c_str()),
            0);
  write_text("ids.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n");
  DataConfig config;
  config.kind = DataKind::kVisualWakeWords;
  config.path = (folder_ / "coco_mini").string();
  config.annotations = {"annotations/instances.json"};
  config.test_ids = "../ids.txt";
  config.classes = 2;
  config.channels = 3;
  config.largest_resolution = 96;
  config.validation_images = 16;
  config.cache = (folder_ / "cache").string();
  check_data_files(config);
  const TrainingData data = load_training_data(config, 1);
  EXPECT_EQ(data.training->size() + data.validation->size(), 108);
  EXPECT_EQ(load_test_images(config)->size(), 20);
  const ImageSet images = evaluation_images(*data.training, 96, 0.875);
  EXPECT_EQ(images.size(), 92);
  const auto persons = std::count(images.labels.begin(), images.labels.end(), 1);
  EXPECT_GT(persons, 20);
  EXPECT_LT(persons, 72);
  config.cache_bytes = 0;
  const ImageSet streamed = evaluation_images(*load_training_data(config, 1).training, 96, 0.875);
  EXPECT_EQ(streamed.labels, images.labels);
  double difference = 0.0;
  for (std::size_t i = 0; i < images.pixels.size(); ++i) {
    difference += std::abs(images.pixels[i] - streamed.pixels[i]);
  }
  // Two ways of scaling, up to half a pixel apart; unrelated images differ by some 70.
  EXPECT_LT(difference / static_cast<double>(images.pixels.size()), 10.0);
}

}  // namespace
}  // namespace patchnas
