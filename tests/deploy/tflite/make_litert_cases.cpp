// Writes cases for scripts/check_litert:
//
//   make_litert_cases DIR
//
// Random quantised networks of every kind of layer, as .tflite and .onnx files and in float, random
// images, and as labels what the integer reference says.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "arch/operator_table.h"
#include "deploy/deploy.h"
#include "deploy/quantise/requantisation.h"
#include "tests/deploy/support/float_file.h"
#include "tests/deploy/support/qdq_file.h"
#include "tests/deploy/support/random_float.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas::testing {
namespace {

constexpr int kCases = 6;
constexpr int kImages = 300;
constexpr PixelNormalisation kPixels{.mean = 128, .stddev = 64};

SearchSpace classifier_space(Padding padding) {
  SearchSpace space;
  space.input_channels = padding == Padding::kSame ? 1 : 3;
  space.classes = 10;
  space.resolutions = {24};
  space.padding = padding;
  space.stem_width = 8;
  space.stages = {{.stride = 1,
                   .depths = {1, 2},
                   .kernel_sizes = {3, 5},
                   .expand_ratios = {1, 3},
                   .widths = {8, 12}},
                  {.stride = 2,
                   .depths = {2},
                   .kernel_sizes = {3, 5, 7},
                   .expand_ratios = {3, 4},
                   .widths = {13, 16}}};
  space.head_width = 24;
  return space;
}

// Hard-swish, and squeeze-and-excitation in the second stage.
SearchSpace excited_space(Padding padding) {
  SearchSpace space = classifier_space(padding);
  for (StageSpace& stage : space.stages) {
    stage.activations = {BlockActivation::kHardSwish};
  }
  space.stages.back().squeeze_excitations = {SqueezeExcitation::kPresent};
  return space;
}

// Flat backgrounds with some rectangles: unlike noise, no two such images have much the same
// average, so that logits spread over their range as those of real images do.
std::vector<std::int8_t> random_image(const TensorShape& shape, RandomStream& stream) {
  std::vector<std::int8_t> image(static_cast<std::size_t>(shape.elements()));
  const auto fill = [&](const Rect& rect) {
    const std::vector<std::int8_t> colour = random_bytes(shape.channels, stream);
    for (int row = rect.rows.begin; row < rect.rows.end; ++row) {
      for (int col = rect.cols.begin; col < rect.cols.end; ++col) {
        std::copy(colour.begin(), colour.end(),
                  image.begin() + (row * shape.width + col) * shape.channels);
      }
    }
  };
  const auto interval = [&](int extent) {
    const int begin = static_cast<int>(stream.below(static_cast<std::uint64_t>(extent)));
    return Interval{
        begin,
        begin + 1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(extent - begin)))};
  };
  fill(full_rect(shape));
  for (int rectangles = 0; rectangles < 3; ++rectangles) {
    fill({interval(shape.height), interval(shape.width)});
  }
  return image;
}

// How the last map becomes a vector. Most exporters write a MEAN, ours an AVERAGE_POOL_2D.
enum class Head { kAveragePool, kMean };

// Ranges from float runs over some images, as calibration would find them.
QuantizedNetwork random_classifier(const SearchSpace& space, Head head, RandomStream& stream) {
  Network shapes = lower(space, sample(space, stream));
  for (Layer& layer : shapes.layers) {
    if (head == Head::kMean && layer.kind == LayerKind::kAveragePool) {
      layer.kind = LayerKind::kMean;
      layer.kernel.stride_h = layer.kernel.height;
      layer.kernel.stride_w = layer.kernel.width;
    }
  }
  const FloatNetwork network = random_float_network(shapes, stream);
  std::vector<float> samples;
  for (int i = 0; i < 12; ++i) {
    for (const std::int8_t stored : random_image(network.network.input, stream)) {
      samples.push_back(static_cast<float>(stored + 128 - kPixels.mean) /
                        static_cast<float>(kPixels.stddev));
    }
  }
  return quantise(network, calibrated_ranges(network, samples, CalibrationRule{}),
                  {.pixels = kPixels});
}

// Layers one behind the other, and what each reads.
struct Chain {
  Network network;

  Layer& append(LayerKind kind, const TensorShape& output) {
    network.layers.push_back(
        {.kind = kind, .inputs = {last(), kNoTensor}, .output = output, .kernel = {}});
    return network.layers.back();
  }
  [[nodiscard]] TensorId last() const { return network.layer_count(); }
};

// What moves elements: each kind of copy as the operator that converters write for it, a pooling
// that no padding of the format says, and convolutions in groups.
QuantizedNetwork random_mover(RandomStream& stream) {
  Chain chain{.network = {.input = {12, 10, 3}, .layers = {}, .names = {}}};
  chain.append(LayerKind::kConv2d, {12, 10, 8}).kernel = {3, 3, 1, 1, 1, 1};
  chain.append(LayerKind::kCopy, {10, 12, 8}).copy = {{10, 12, 8}, {8, 80, 1}, {96, 8, 1}};
  const TensorId turned = chain.last();
  chain.append(LayerKind::kCopyChannels, {10, 12, 5}).channels = {.from = 2, .to = 0, .count = 5};
  const TensorShape joined{10, 12, 13};
  chain.append(LayerKind::kCopyChannels, joined).channels = {.from = 0, .to = 0, .count = 5};
  Layer& second = chain.append(LayerKind::kCopyChannels, joined);
  second.inputs = {turned, second.inputs[0]};
  second.channels = {.from = 0, .to = 5, .count = 8};
  chain.append(LayerKind::kCopy, {12, 13, 13}).copy = {
      {10, 12, 13}, {156, 13, 1}, {169, 13, 1}, 0, 182};
  chain.append(LayerKind::kCopy, {6, 13, 13}).copy = {{6, 13, 13}, {338, 13, 1}, {169, 13, 1}};
  chain.append(LayerKind::kAveragePool, {3, 6, 13}).kernel = {3, 3, 2, 2, 1, 0};
  Layer& grouped = chain.append(LayerKind::kConv2d, {3, 6, 26});
  grouped.groups = 13;
  grouped.kernel = {3, 3, 1, 1, 1, 1};
  chain.append(LayerKind::kConv2d, {3, 6, 26}).groups = 2;
  chain.append(LayerKind::kMaxPool, {2, 3, 26}).kernel = {2, 3, 2, 2, 1, 1};
  chain.append(LayerKind::kCopy, {1, 6, 26}).copy = {{1, 6, 26}, {0, 26, 1}, {0, 26, 1}};
  chain.append(LayerKind::kMean, {1, 1, 26}).kernel = {1, 6, 1, 6};
  chain.append(LayerKind::kCopy, {2, 2, 26}).copy = {{2, 2, 26}, {0, 0, 1}, {52, 26, 1}};
  chain.append(LayerKind::kFullyConnected, {1, 1, 10});
  validate(chain.network);
  QuantizedNetwork network = random_quantised(chain.network, stream);
  for (int i = 0; i < chain.network.layer_count(); ++i) {
    const Layer& layer = chain.network.layers[static_cast<std::size_t>(i)];
    const bool keeps_scale =
        operator_facts(layer.kind).weights == WeightLayout::kNone && layer.kind != LayerKind::kMean;
    if (keeps_scale) {
      network.tensors[static_cast<std::size_t>(i) + 1] =
          network.tensors[static_cast<std::size_t>(layer.inputs[0])];
    }
  }
  return derive_arithmetic(std::move(network));
}

template <typename T>
void write(const std::filesystem::path& path, const std::vector<T>& values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(T)));
  file.close();
  if (!file) {
    throw Error(path.string() + ": cannot be written");
  }
}

std::vector<float> real_inputs(const QuantizedNetwork& network,
                               const std::vector<std::int8_t>& images) {
  const TensorQuantisation q = network.input_quantisation();
  std::vector<float> result;
  for (const std::int8_t stored : images) {
    result.push_back(q.scale * static_cast<float>(stored - q.zero_point));
  }
  return result;
}

void write_case(const std::filesystem::path& folder, const QuantizedNetwork& network,
                RandomStream& stream) {
  std::filesystem::create_directories(folder);
  std::vector<std::int8_t> images;
  for (int i = 0; i < kImages; ++i) {
    const std::vector<std::int8_t> image = random_image(network.network.input, stream);
    images.insert(images.end(), image.begin(), image.end());
  }
  const std::vector<std::int8_t> logits = run_images(network, images);
  const auto classes = static_cast<std::ptrdiff_t>(network.network.output().elements());
  std::vector<std::int32_t> labels;
  for (auto row = logits.begin(); row != logits.end(); row += classes) {
    labels.push_back(static_cast<std::int32_t>(std::max_element(row, row + classes) - row));
  }
  write(folder / "model.tflite", export_tflite(network));
  write(folder / "float.tflite", with_float_numbers(export_tflite(network)));
  write(folder / "samples.f32", real_inputs(network, images));
  RandomStream types(1, "numbers of a QDQ file");
  write(folder / "model.onnx", qdq_file(network, types));
  write(folder / "inputs.bin", images);
  write(folder / "outputs.bin", logits);
  write(folder / "labels.bin", labels);
}

}  // namespace
}  // namespace patchnas::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_litert_cases DIR\n";
    return 2;
  }
  patchnas::RandomStream stream(61, "litert cases");
  for (int i = 0; i < patchnas::testing::kCases; ++i) {
    const auto padding = i % 2 == 0 ? patchnas::Padding::kSame : patchnas::Padding::kSymmetric;
    const auto head =
        i < 2 ? patchnas::testing::Head::kMean : patchnas::testing::Head::kAveragePool;
    const auto network = patchnas::testing::random_classifier(
        patchnas::testing::classifier_space(padding), head, stream);
    const auto name = "case" + std::to_string(i);
    patchnas::testing::write_case(std::filesystem::path(argv[1]) / name, network, stream);
  }
  patchnas::testing::write_case(std::filesystem::path(argv[1]) / "moved",
                                patchnas::testing::random_mover(stream), stream);
  for (const auto padding : {patchnas::Padding::kSame, patchnas::Padding::kSymmetric}) {
    const auto network = patchnas::testing::random_classifier(
        patchnas::testing::excited_space(padding), patchnas::testing::Head::kAveragePool, stream);
    const auto name = padding == patchnas::Padding::kSame ? "excited_same" : "excited_symmetric";
    patchnas::testing::write_case(std::filesystem::path(argv[1]) / name, network, stream);
  }
  return 0;
}
