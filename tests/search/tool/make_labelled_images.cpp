// Writes what the test of `evaluate` gives to it:
//
//   make_labelled_images DIR
//
// Random int8 classifiers, DIR/NAME.tflite, the same in float, DIR/NAME.float.tflite, and for each
// random images of its size, which lie in the folders of the classes that the integer reference
// answers: DIR/NAME/CLASS/I.png.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "deploy/deploy.h"
#include "deploy/quantise/requantisation.h"
#include "tests/deploy/support/float_file.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kImages = 120;

/// A window over the whole image for each class; for two classes one value, a probability.
Network classifier(const TensorShape& image, int classes) {
  Network network{.input = image, .layers = {}, .names = {}};
  Layer windows;
  windows.kernel.height = image.height;
  windows.kernel.width = image.width;
  windows.output = {1, 1, classes == 2 ? 1 : classes};
  network.layers.push_back(windows);
  if (classes == 2) {
    Layer probability;
    probability.kind = LayerKind::kLookup;
    probability.function = ValueFunction::kLogistic;
    probability.inputs = {1, kNoTensor};
    probability.output = windows.output;
    network.layers.push_back(probability);
  }
  return network;
}

/// Its input is made for [-1, 1]: pixels less 128.
QuantizedNetwork random_classifier(const TensorShape& image, int classes, RandomStream& stream) {
  QuantizedNetwork network = random_quantised(classifier(image, classes), stream);
  network.tensors[kImage] = {1.0F / 128.0F, 0};
  return derive_arithmetic(std::move(network));
}

int answer(std::span<const std::int8_t> output, int classes) {
  // Probabilities are stored from -128: 0 is one half.
  return classes == 2
             ? (output[0] >= 0 ? 1 : 0)
             : static_cast<int>(std::max_element(output.begin(), output.end()) - output.begin());
}

std::vector<int> answers(const QuantizedNetwork& network, const std::vector<std::int8_t>& images,
                         int classes) {
  const std::vector<std::int8_t> outputs = run_images(network, images);
  const std::size_t values = outputs.size() / kImages;
  std::vector<int> result;
  for (std::size_t i = 0; i < kImages; ++i) {
    result.push_back(answer(std::span(outputs).subspan(i * values, values), classes));
  }
  return result;
}

void write_image(const fs::path& path, const std::int8_t* stored, const TensorShape& shape) {
  fs::create_directories(path.parent_path());
  cv::Mat pixels(shape.height, shape.width, CV_8UC(shape.channels));
  std::transform(stored, stored + shape.elements(), pixels.data,
                 [](std::int8_t value) { return static_cast<std::uint8_t>(value + 128); });
  if (shape.channels == 3) {
    cv::cvtColor(pixels, pixels, cv::COLOR_RGB2BGR);
  }
  if (!cv::imwrite(path.string(), pixels)) {
    throw Error(path.string() + ": cannot be written");
  }
}

void write_file(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

/// Draws networks until every class is the answer for some images.
void write_case(const fs::path& folder, const TensorShape& shape, int classes,
                RandomStream& stream) {
  for (;;) {
    const QuantizedNetwork network = random_classifier(shape, classes, stream);
    const std::vector<std::int8_t> images = random_bytes(kImages * shape.elements(), stream);
    const std::vector<int> labels = answers(network, images, classes);
    bool has_all = true;
    for (int label = 0; label < classes; ++label) {
      has_all = has_all && std::count(labels.begin(), labels.end(), label) >= 2;
    }
    if (!has_all) {
      continue;
    }
    for (int i = 0; i < kImages; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::string label(1, static_cast<char>('a' + labels[at]));
      write_image(folder / label / (std::to_string(i) + ".png"),
                  images.data() + i * shape.elements(), shape);
    }
    const std::vector<std::uint8_t> file = export_tflite(network);
    write_file(folder.string() + ".tflite", file);
    write_file(folder.string() + ".float.tflite", with_float_numbers(file));
    return;
  }
}

}  // namespace
}  // namespace patchnas::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_labelled_images DIR\n";
    return 2;
  }
  const std::filesystem::path folder(argv[1]);
  patchnas::RandomStream stream(1, "labelled images");
  patchnas::testing::write_case(folder / "colour", {5, 7, 3}, 3, stream);
  patchnas::testing::write_case(folder / "grey", {6, 4, 1}, 12, stream);
  patchnas::testing::write_case(folder / "probability", {5, 5, 3}, 2, stream);
  return 0;
}
