// Decoding JPEG and PNG files.

#include "supernet/data/image_decoder.h"

#include "arch/base/random.h"
#include "supernet/data/image_header.h"
#include "tests/supernet/data/image_files.h"

namespace patchnas {
namespace {

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

}  // namespace
}  // namespace patchnas
