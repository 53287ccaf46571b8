#include "supernet/data/image_decoder.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "arch/base/input_file.h"
#include "supernet/data/image_header.h"

namespace patchnas {
namespace {

int decoding_flags(int channels, int divisor) {
  switch (divisor) {
    case 2:
      return channels == 1 ? cv::IMREAD_REDUCED_GRAYSCALE_2 : cv::IMREAD_REDUCED_COLOR_2;
    case 4:
      return channels == 1 ? cv::IMREAD_REDUCED_GRAYSCALE_4 : cv::IMREAD_REDUCED_COLOR_4;
    case 8:
      return channels == 1 ? cv::IMREAD_REDUCED_GRAYSCALE_8 : cv::IMREAD_REDUCED_COLOR_8;
    default:
      return channels == 1 ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR;
  }
}

// The largest of JPEG's cheap divisors that leaves enough of the image.
int divisor_for(const ImageHeader& header, const LeastScale& least_scale) {
  if (header.format != ImageFormat::kJpeg) {
    return 1;
  }
  const double scale = least_scale(header.height, header.width);
  int divisor = 1;
  while (divisor < 8 && 1.0 / (2 * divisor) >= scale) {
    divisor *= 2;
  }
  return divisor;
}

StoredImage stored(cv::Mat matrix) {
  const auto owner = std::make_shared<const cv::Mat>(std::move(matrix));
  return {owner->rows,
          owner->cols,
          owner->channels(),
          0,
          {owner->data, owner->total() * owner->elemSize()},
          owner};
}

}  // namespace

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  require_file(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  std::vector<std::uint8_t> bytes;
  if (file) {
    std::error_code ignored;
    const auto size = std::filesystem::file_size(path, ignored);
    bytes.resize(ignored ? 0 : size);
    bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  }
  if (!file || std::ferror(file.get()) != 0) {
    throw InputError(path.string() + ": cannot be read: " + std::strerror(errno));
  }
  return bytes;
}

StoredImage decode_image(std::span<const std::uint8_t> bytes, int channels, const std::string& name,
                         const LeastScale& least_scale) {
  const ImageHeader header = read_image_header(bytes, name);
  const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1,
                        const_cast<std::uint8_t*>(bytes.data()));  // NOLINT: only read
  cv::Mat decoded;
  try {
    decoded = cv::imdecode(encoded, decoding_flags(channels, divisor_for(header, least_scale)));
  } catch (const cv::Exception& error) {
    throw CorruptImageError(name + " cannot be decoded: " + error.err);
  }
  if (decoded.empty() || decoded.type() != CV_8UC(channels)) {
    throw CorruptImageError(name + " cannot be decoded");
  }
  if (channels == 3) {
    cv::cvtColor(decoded, decoded, cv::COLOR_BGR2RGB);
  }
  return stored(std::move(decoded));
}

StoredImage shrunk(const StoredImage& image, int side) {
  const int shorter = std::min(image.height, image.width);
  if (shorter <= side) {
    return image;
  }
  const double scale = static_cast<double>(side) / shorter;
  const auto scaled = [&](int extent) {
    return std::max(side, static_cast<int>(std::lround(extent * scale)));
  };
  const cv::Mat source(image.height, image.width, CV_8UC(image.channels),
                       const_cast<std::uint8_t*>(image.pixels.data()));  // NOLINT: only read
  cv::Mat result;
  cv::resize(source, result, cv::Size(scaled(image.width), scaled(image.height)), 0, 0,
             cv::INTER_AREA);
  return stored(std::move(result));
}

void decode_in_calling_thread() { cv::setNumThreads(1); }

}  // namespace patchnas
