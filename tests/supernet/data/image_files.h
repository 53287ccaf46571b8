#pragma once

// What tests of images in files share: pictures, their bytes, and a folder to put them in.

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "arch/base/error.h"
#include "supernet/data/data_source.h"

namespace patchnas {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

inline const LeastScale kFullSize = [](int, int) { return 1.0; };

inline Bytes encoded(const std::string& extension, const cv::Mat& image) {
  Bytes bytes;
  cv::imencode(extension, image, bytes, {cv::IMWRITE_JPEG_QUALITY, 100});
  return bytes;
}

/// Left half blue, right half a dark red; so smooth that JPEG keeps the values.
inline cv::Mat two_colours(int height, int width) {
  cv::Mat image(height, width, CV_8UC3, cv::Scalar(200, 40, 20));
  image(cv::Rect(width / 2, 0, width - width / 2, height)) = cv::Scalar(30, 10, 120);
  return image;
}

inline std::array<int, 3> pixel(const StoredImage& image, int y, int x) {
  std::array<int, 3> result{};
  for (int c = 0; c < image.channels; ++c) {
    result[static_cast<std::size_t>(c)] =
        image.pixels[static_cast<std::size_t>((y * image.width + x) * image.channels + c)];
  }
  return result;
}

inline void expect_near(const std::array<int, 3>& actual, const std::array<int, 3>& expected,
                        int within) {
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(actual[c], expected[c], within);
  }
}

inline std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
    return error.what();
  }
  return "no error";
}

/// A folder of its own that is gone afterwards.
class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / ("patchnas_" + std::string(info->test_suite_name()) +
                                              "_" + std::string(info->name()));
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

  /// Opening it for reading would wait for ever.
  void make_fifo(const fs::path& file) const {
    fs::create_directories((folder_ / file).parent_path());
    ASSERT_EQ(::mkfifo((folder_ / file).c_str(), 0600), 0);
  }
  void link(const fs::path& file, const fs::path& target) const {
    fs::create_symlink(target, folder_ / file);
  }

  fs::path folder_;
  std::string log_;
  DataObserver observer_;
};

}  // namespace patchnas
