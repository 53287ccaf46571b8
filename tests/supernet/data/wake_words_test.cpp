// Visual Wake Words from COCO.

#include <cstdlib>
#include <map>

#include <nlohmann/json.hpp>

#include "supernet/data/evaluation_images.h"
#include "tests/supernet/data/image_files.h"

namespace patchnas {
namespace {

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
    write_text("annotations/mscoco_minival_ids.txt", "102\n105\n");
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
    return error_of([&] { check_data_files(config_, observer_); });
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

TEST_F(WakeWordsTest, TestIdsAreImagesOfTheAnnotations) {
  write_text("annotations/mscoco_minival_ids.txt", "102\n999\n105\n998\n");
  const char* const text =
      "mscoco_minival_ids.txt: 2 of its 4 image ids are in none of the annotation files, the first "
      "is 999; all must be there";
  EXPECT_THAT(problem(), HasSubstr(text));
  EXPECT_THAT(error_of([&] { load_training_data(config_, 1); }), HasSubstr(text));
  write_text("annotations/mscoco_minival_ids.txt", "102\n105\n102\n");
  EXPECT_EQ(problem(), "no error");
  EXPECT_THAT(log_, HasSubstr("mscoco_minival_ids.txt: 1 image ids are listed again, the first is "
                              "102; each counts once"));
  EXPECT_EQ(load_test_images(config_)->size(), 2);
}

TEST_F(WakeWordsTest, AnImageIsInOneAnnotationFile) {
  config_.annotations = {"annotations/instances_train2014.json",
                         "annotations/instances_val2014.json",
                         "annotations/instances_train2014.json"};
  EXPECT_THAT(problem(), HasSubstr("image 100 is in "));
  EXPECT_THAT(problem(), HasSubstr("each image may be in one annotation file"));
  config_.annotations.clear();
  const fs::path file = folder_ / "annotations/instances_val2014.json";
  nlohmann::json json = nlohmann::json::parse(std::ifstream(file));
  json["images"][0]["file_name"] = name(100);
  write_text("annotations/instances_val2014.json", json.dump());
  EXPECT_THAT(problem(), HasSubstr("two images have the file name COCO_100.jpg"));
}

TEST_F(WakeWordsTest, WhatIsNoFileIsRefusedAndNotWaitedFor) {
  for (const char* name : {"annotations/instances_train2014.json",
                           "annotations/mscoco_minival_ids.txt", "train2014/COCO_103.jpg"}) {
    const fs::path file = folder_ / name;
    fs::rename(file, folder_ / "kept");
    make_fifo(name);
    EXPECT_THAT(problem(), HasSubstr(std::string(name) + ": is a FIFO, not a file"));
    fs::rename(folder_ / "kept", file);
  }
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
