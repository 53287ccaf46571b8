#include "supernet/data/cifar_file.h"

#include <string>

#include <opencv2/imgproc.hpp>

#include "arch/base/error.h"
#include "arch/base/input_file.h"
#include "supernet/data/class_coverage.h"
#include "supernet/data/image_decoder.h"

namespace patchnas {
namespace {

constexpr int kSide = 32;
constexpr std::size_t kPlaneBytes = std::size_t{kSide} * kSide;

std::size_t label_bytes(CifarKind kind) { return kind == CifarKind::kCifar10 ? 1 : 2; }

std::size_t record_bytes(CifarKind kind) { return label_bytes(kind) + 3 * kPlaneBytes; }

void check_size(const std::filesystem::path& file, std::uintmax_t bytes, CifarKind kind) {
  if (bytes == 0 || bytes % record_bytes(kind) != 0) {
    throw InputError(file.string() + ": " + std::to_string(bytes) +
                     " bytes are not a whole number of records of " +
                     std::to_string(record_bytes(kind)) +
                     " bytes: cut short, or not the binary "
                     "version of CIFAR-" +
                     std::to_string(static_cast<int>(kind)));
  }
}

void append_image(const std::uint8_t* planes, ImageSet& set) {
  cv::Mat image;
  std::vector<cv::Mat> channels;
  for (std::size_t c = 0; c < 3; ++c) {
    channels.emplace_back(kSide, kSide, CV_8UC1,
                          const_cast<std::uint8_t*>(planes + c * kPlaneBytes));  // NOLINT: read
  }
  cv::merge(channels, image);
  if (set.channels == 1) {
    cv::cvtColor(image, image, cv::COLOR_RGB2GRAY);
  }
  set.pixels.insert(set.pixels.end(), image.datastart, image.dataend);
}

std::vector<std::uint8_t> read_records(const std::filesystem::path& file, CifarKind kind) {
  std::vector<std::uint8_t> bytes = read_bytes(file);
  check_size(file, bytes.size(), kind);
  return bytes;
}

/// Of the record that begins at `at`.
std::int32_t label_at(const std::filesystem::path& file, const std::vector<std::uint8_t>& bytes,
                      std::size_t at, CifarKind kind) {
  const int classes = static_cast<int>(kind);
  const std::int32_t label = bytes[at + label_bytes(kind) - 1];
  if (label >= classes) {
    throw InputError(file.string() + ": label " + std::to_string(label) + " of image " +
                     std::to_string(at / record_bytes(kind)) + "; allowed are 0 to " +
                     std::to_string(classes - 1));
  }
  return label;
}

void require_every_class(const std::vector<std::filesystem::path>& files,
                         const std::vector<std::int32_t>& labels, CifarKind kind) {
  const std::string missing = missing_classes(labels, static_cast<int>(kind), "images");
  if (!missing.empty()) {
    throw InputError(files.front().string() +
                     (files.size() == 1 ? "" : " to " + files.back().filename().string()) + ": " +
                     missing + "; every class needs some");
  }
}

}  // namespace

ImageSet read_cifar_files(const std::vector<std::filesystem::path>& files, CifarKind kind,
                          int channels) {
  const int classes = static_cast<int>(kind);
  ImageSet set{kSide, kSide, channels, classes, {}, {}};
  for (const std::filesystem::path& file : files) {
    const std::vector<std::uint8_t> bytes = read_records(file, kind);
    for (std::size_t at = 0; at < bytes.size(); at += record_bytes(kind)) {
      set.labels.push_back(label_at(file, bytes, at, kind));
      append_image(&bytes[at + label_bytes(kind)], set);
    }
  }
  require_every_class(files, set.labels, kind);
  return set;
}

void check_cifar_labels(const std::vector<std::filesystem::path>& files, CifarKind kind) {
  std::vector<std::int32_t> labels;
  for (const std::filesystem::path& file : files) {
    const std::vector<std::uint8_t> bytes = read_records(file, kind);
    for (std::size_t at = 0; at < bytes.size(); at += record_bytes(kind)) {
      labels.push_back(label_at(file, bytes, at, kind));
    }
  }
  require_every_class(files, labels, kind);
}

void check_cifar_file(const std::filesystem::path& file, CifarKind kind) {
  require_file(file);
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error) {
    throw InputError(file.string() + ": " + error.message() +
                     "; it belongs to the binary version "
                     "of CIFAR-" +
                     std::to_string(static_cast<int>(kind)) +
                     ", https://www.cs.toronto.edu/~kriz/cifar.html");
  }
  check_size(file, bytes, kind);
}

}  // namespace patchnas
