// Class folders, their caches, and CIFAR.

#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include <sys/file.h>

#include "arch/base/random.h"
#include "supernet/data/class_folders.h"
#include "supernet/data/evaluation_images.h"
#include "supernet/data/image_cache.h"
#include "tests/supernet/data/image_files.h"

namespace patchnas {
namespace {

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
  [[nodiscard]] std::vector<fs::path> caches() const { return caches_in(config_.cache); }
  static std::vector<fs::path> caches_in(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
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

TEST_F(ClassFoldersTest, AFinishedCacheElsewhereIsUsedAndNothingIsWrittenThere) {
  const ImageSet expected = evaluation_images(*load().training, 14, 0.875);
  const std::string finished = config_.cache;
  config_.finished_caches = {(folder_ / "nowhere").string(), finished};
  config_.cache = (folder_ / "own").string();
  EXPECT_EQ(evaluation_images(*load().training, 14, 0.875), expected);
  EXPECT_FALSE(fs::exists(config_.cache)) << "it was decoded again";

  const fs::path file = caches_in(finished).front();
  fs::resize_file(file, fs::file_size(file) - 1);
  EXPECT_EQ(evaluation_images(*load().training, 14, 0.875), expected);
  EXPECT_THAT(log_, HasSubstr("it is cut short; it is not used"));
  EXPECT_EQ(caches_in(config_.cache).size(), 1U);
  EXPECT_EQ(caches_in(finished).size(), 1U);

  fs::remove_all(config_.cache);
  config_.cache.clear();  // nothing may be written
  log_.clear();
  EXPECT_EQ(load().training->size(), 17);
  EXPECT_THAT(log_, HasSubstr("decoded at every access; there is no cache of them, and none can be "
                              "written"));
  EXPECT_FALSE(fs::exists(folder_ / "own"));
}

TEST_F(ClassFoldersTest, SeveralProcessesCanBuildOneCache) {
  // Threads with a lock file each stand for processes.
  std::vector<ImageSet> results(4);
  std::vector<std::thread> threads;
  for (ImageSet& result : results) {
    threads.emplace_back(
        [&] { result = evaluation_images(*load_training_data(config_, 3).training, 14, 0.875); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const ImageSet& result : results) {
    EXPECT_EQ(result, results[0]);
    EXPECT_EQ(result.size(), 17);
  }
  EXPECT_EQ(caches().size(), 1U);
}

TEST_F(ClassFoldersTest, WaitingForAnotherProcessThatBuildsCanBeStopped) {
  load();
  const fs::path cache = caches().front();
  fs::remove(cache);
  const int lock = ::open(fs::path(cache).replace_extension(".lock").c_str(), O_RDWR);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  observer_.progress = [](std::int64_t, std::int64_t) { throw InterruptedError("enough"); };
  EXPECT_THROW(load(), InterruptedError);
  EXPECT_THAT(log_, HasSubstr("waiting for another process"));
  ::close(lock);
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

TEST_F(ClassFoldersTest, EveryImageCountsOnceByWhateverLinks) {
  const std::vector<std::string> names = [&] {
    std::vector<std::string> all;
    const TrainingData data = load();
    for (int i = 0; i < data.both->size(); ++i) {
      all.push_back(data.both->name(i));
    }
    return all;
  }();
  EXPECT_EQ(log_, "");
  link("train/ant/loop", folder_ / "train/ant");
  fs::create_directories(folder_ / "train/ant/deep/er");
  link("train/ant/deep/er/up", "../..");
  link("train/bee/again.jpg", "10.jpg");
  link("train/cat/photos", folder_ / "photos");
  link("train/cat/photos_again", folder_ / "photos");
  write("photos/1.jpg", encoded(".jpg", two_colours(30, 30)));
  write("train/ant/.thumbnails/10.jpg", encoded(".jpg", two_colours(30, 30)));
  check_data_files(config_, observer_);
  EXPECT_THAT(log_, HasSubstr("train: 4 links lead to what is there already, the first is "
                              "ant/deep/er/up; every image counts once"));
  const TrainingData data = load();
  EXPECT_EQ(data.training->size(), 18);
  EXPECT_EQ(data.validation->size(), 6);
  std::vector<std::string> expected = names;
  expected.push_back("cat/photos/1.jpg");
  for (int i = 0; i < data.both->size(); ++i) {
    EXPECT_EQ(data.both->name(i), expected[static_cast<std::size_t>(i)]);
  }
}

TEST_F(ClassFoldersTest, AFileOfTwoClassesOrOfBothPartsIsRefused) {
  link("train/cat/bee.jpg", "../bee/11.jpg");
  EXPECT_THAT(problem(), HasSubstr("train/cat/bee.jpg: is the same file as bee/11.jpg, an image of "
                                   "another class"));
  fs::remove(folder_ / "train/cat/bee.jpg");
  link("train/wasp", "bee");
  config_.classes = 4;
  EXPECT_THAT(problem(), HasSubstr("train/wasp/10.jpg: is the same file as bee/10.jpg"));
  fs::remove(folder_ / "train/wasp");
  config_.classes = 3;
  link("test/bee/more", folder_ / "train/bee");
  EXPECT_THAT(problem(), HasSubstr("test: 7 of the 13 test images are training images too: "));
  EXPECT_THAT(problem(), HasSubstr("test/bee/more/10.jpg is "));
}

TEST_F(ClassFoldersTest, WhatIsNoFileIsRefusedAndNotWaitedFor) {
  const fs::path image = folder_ / "train/ant/15.jpg";
  make_fifo("train/ant/15.jpg");
  EXPECT_THAT(problem(), HasSubstr("train/ant/15.jpg: is a FIFO, not a file"));
  fs::remove(image);
  fs::create_symlink("/dev/zero", image);
  EXPECT_THAT(problem(), HasSubstr("train/ant/15.jpg: is a device, not a file"));
  fs::remove(image);
  fs::create_symlink("nowhere.jpg", image);
  EXPECT_THAT(problem(), HasSubstr("train/ant/15.jpg: is a link to nothing"));
  fs::remove(image);
  make_fifo("train/ant/notes.txt");
  EXPECT_EQ(problem(), "no error");

  config_.cache_bytes = 0;  // an image that has become something else since
  const TrainingData data = load();
  fs::remove(folder_ / "train" / data.training->name(0));
  make_fifo(fs::path("train") / data.training->name(0));
  EXPECT_THAT(error_of([&] { (void)data.training->image(0, kFullSize); }),
              HasSubstr("is a FIFO, not a file"));
}

TEST_F(ClassFoldersTest, AClassWithoutImagesIsRefusedInEitherPart) {
  fs::rename(folder_ / "test/bee", folder_ / "bees");
  const char* const text =
      "test/bee: has no JPEG or PNG files; 1 of the 3 classes have none here, and every class "
      "needs training and test images";
  EXPECT_THAT(problem(), HasSubstr(text));
  EXPECT_THAT(error_of([&] { load_test_images(config_); }), HasSubstr(text));
  fs::create_directories(folder_ / "test/bee");
  EXPECT_THAT(problem(), HasSubstr(text));
}

TEST_F(ClassFoldersTest, ClassesMayBeNamedThatHaveNoImages) {
  EXPECT_EQ(class_names(config_), (std::vector<std::string>{"ant", "bee", "cat"}));
  const std::vector<std::string> names{"dog", "cat", "ant", "bee"};
  const ImageList list =
      list_class_folders(folder_ / "test", names, observer_, EmptyClasses::kAllowed);
  EXPECT_EQ(list.class_names, names);
  EXPECT_EQ(list.labels, (std::vector<std::int32_t>{2, 2, 3, 3, 1, 1}));  // sorted by folder
  EXPECT_THAT(error_of([&] { list_class_folders(folder_ / "test", names, observer_); }),
              HasSubstr("test/dog: has no JPEG or PNG files"));
}

TEST_F(ClassFoldersTest, AClassWithoutAShareOfTheImagesIsSaid) {
  config_.validation_images = 2;
  config_.limit_test_images = 2;
  const TrainingData data = load();
  EXPECT_EQ(log_,
            "1 of the 3 classes have no validation images, the first is class 0; "
            "data.validation_images decides how many there are\n");
  log_.clear();
  load_test_images(config_, observer_);
  EXPECT_THAT(log_, HasSubstr("1 of the 3 classes have no test images, the first is class 2; "
                              "data.limit_test_images decides"));
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
  write("test_batch.bin", records(0, 17, 10));
  write("train.bin", records(0, 160, 100));
  write("test.bin", records(0, 105, 100));
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
      expect_near(pixel(image, 31, 31), {record, 2 * record % 256, 3 * record % 256}, 0);
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
  EXPECT_THAT(error_of([&] { check_data_files(config); }), HasSubstr("label 11 of image 0"));
  write("data_batch_1.bin", records(0, 10, 10));
  write("test_batch.bin", records(0, 7, 10));
  EXPECT_THAT(error_of([&] { check_data_files(config); }),
              HasSubstr("test_batch.bin: 3 of the 10 classes have no images, the first is class "
                        "7; every class needs some"));
  bad.pop_back();
  write("data_batch_1.bin", bad);
  EXPECT_THAT(error_of([&] { check_data_files(config); }), HasSubstr("cut short"));
  fs::remove(folder_ / "data_batch_1.bin");
  make_fifo("data_batch_1.bin");
  EXPECT_THAT(error_of([&] { check_data_files(config); }),
              HasSubstr("data_batch_1.bin: is a FIFO, not a file"));
  fs::remove(folder_ / "data_batch_1.bin");
  EXPECT_THAT(error_of([&] { check_data_files(config); }), HasSubstr("cs.toronto.edu"));
}

}  // namespace
}  // namespace patchnas
