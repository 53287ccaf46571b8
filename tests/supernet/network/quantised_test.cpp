// Training must compute what the exported network computes, bit for bit, and send back the
// gradients of the real network behind it.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/quantise/quantise.h"
#include "deploy/reference/reference_executor.h"
#include "supernet/kernels/quantised_layers.h"
#include "supernet/network/compute.h"
#include "supernet/network/folded_subnet.h"
#include "supernet/network/forward.h"
#include "supernet/network/loss.h"
#include "supernet/network/quantised_forward.h"
#include "supernet/network/subnet.h"
#include "supernet/network/threads.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/supernet/network/simd_levels.h"
#include "tests/supernet/network/test_spaces.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

class QuantisedKernels : public test::AtEveryLevel {};
INSTANTIATE_TEST_SUITE_P(Levels, QuantisedKernels, test::every_level(), test::level_name);

struct Images {
  std::vector<std::vector<std::int8_t>> stored;
  std::vector<float> steps;  // [N, H, W, C], from the zero point
};

Images random_images(const QuantizedNetwork& network, int count, RandomStream& stream) {
  Images images;
  const TensorQuantisation& q = network.tensors[0];
  for (int i = 0; i < count; ++i) {
    images.stored.push_back(testing::random_bytes(network.network.input.elements(), stream));
    for (const std::int8_t value : images.stored.back()) {
      images.steps.push_back(static_cast<float>(value - q.zero_point));
    }
  }
  return images;
}

// What the integer reference stores in a tensor for all images, [N, H, W, C], in steps.
std::vector<float> reference_steps(const QuantizedNetwork& network,
                                   const std::vector<std::vector<std::vector<std::int8_t>>>& images,
                                   std::size_t tensor) {
  std::vector<float> steps;
  for (const auto& tensors : images) {
    for (const std::int8_t value : tensors[tensor]) {
      steps.push_back(static_cast<float>(value - network.tensors[tensor].zero_point));
    }
  }
  return steps;
}

// Every second network is one that the fused kernels run for sure.
Network random_trainable(int index, RandomStream& stream) {
  const Padding padding = stream.chance(0.5) ? Padding::kSame : Padding::kSymmetric;
  const SearchSpace space = index % 4 == 0 ? test::varied_space(padding, 1 + index % 3)
                                           : test::excited_space(padding, 1 + index % 3);
  return index % 2 == 0 ? lower(space, sample(space, stream))
                        : testing::random_lowered_network(stream);
}

TEST_P(QuantisedKernels, EveryTensorIsTheIntegerReferences) {
  int fused_networks = 0;
  for (int index = 0; index < 40; ++index) {
    set_threads(1 + index % 3);
    RandomStream stream(static_cast<std::uint64_t>(index), "test/quantised");
    const QuantizedNetwork network =
        testing::random_quantised(random_trainable(index, stream), stream);
    const int count = 1 + static_cast<int>(stream.below(4));
    const Images images = random_images(network, count, stream);
    std::vector<std::vector<std::vector<std::int8_t>>> expected;
    for (const auto& image : images.stored) {
      expected.push_back(run_all_layers(network, image));
    }

    const at::NoGradGuard no_gradients;
    const FoldedSubnet subnet(network.network);
    const at::Tensor logits = forward_quantised(
        network, subnet.layers(),
        image_tensor(images.steps, network.network.input, count, c10::kCPU),
        [&](TensorId id, const at::Tensor& steps) {
          const at::Tensor nhwc = steps.dim() == 4 ? steps.permute({0, 2, 3, 1}) : steps;
          ASSERT_EQ(to_floats(nhwc),
                    reference_steps(network, expected, static_cast<std::size_t>(id)))
              << "LibTorch, network " << index << ", tensor " << id;
        });

    if (!kernels::supported(network.network)) {
      continue;
    }
    ASSERT_TRUE(kernels::exact_in_floats(network));
    ++fused_networks;
    kernels::PassMemory memory;
    kernels::TrainingPass pass(network, memory);
    EXPECT_EQ(pass.forward(images.steps, count), to_floats(logits));
    const auto source = [&](int begin, int end, float* target) {
      const std::int64_t elements = network.network.input.elements();
      std::copy(images.steps.begin() + begin * elements, images.steps.begin() + end * elements,
                target);
    };
    EXPECT_EQ(kernels::InferencePass(network).run(source, count), to_floats(logits));
    for (TensorId id = 1; id < network.network.tensor_count(); ++id) {
      ASSERT_EQ(pass.values(id), reference_steps(network, expected, static_cast<std::size_t>(id)))
          << "fused, network " << index << ", tensor " << id;
    }
  }
  EXPECT_GE(fused_networks, 20);
}

TEST(QuantisedTraining, SumsBeyondFloatsAreExactToo) {
  RandomStream stream(7, "test/large_sums");
  Network wide{.input = {1, 1, 1400}, .layers = {}, .names = {}};
  wide.layers.push_back({.kind = LayerKind::kConv2d, .output = {1, 1, 8}, .kernel = {}});
  wide.layers.push_back({.kind = LayerKind::kFullyConnected,
                         .inputs = {1, kNoTensor},
                         .output = {1, 1, 5},
                         .kernel = {}});
  QuantizedNetwork network = testing::random_quantised(wide, stream);
  ASSERT_TRUE(kernels::supported(wide));
  ASSERT_FALSE(kernels::exact_in_floats(network));
  const Images images = random_images(network, 6, stream);
  const std::vector<float> logits = Compute().logits(
      network,
      [&](int begin, int end, float* target) {
        std::copy(images.steps.begin() + begin * 1400, images.steps.begin() + end * 1400, target);
      },
      6);
  const TensorQuantisation& q = network.output_quantisation();
  for (std::size_t i = 0; i < 6; ++i) {
    const std::vector<std::int8_t> expected = run_layer_by_layer(network, images.stored[i]);
    for (std::size_t c = 0; c < 5; ++c) {
      EXPECT_EQ(logits[i * 5 + c], static_cast<float>(expected[c] - q.zero_point) * q.scale);
    }
  }
}

// A folded random subnet with ranges from its own activations, and a batch.
struct Case {
  FoldedSubnet subnet;
  QuantizedNetwork quantised;
  Batch batch;  // in steps
  std::vector<float> real_images;
};

constexpr PixelNormalisation kPixels{.mean = 120, .stddev = 60};

Case random_case(int index, SearchSpace (*space_of)(Padding, int) = test::varied_space) {
  RandomStream stream(static_cast<std::uint64_t>(index), "test/quantised_gradients");
  const SearchSpace space =
      space_of(index % 2 == 0 ? Padding::kSame : Padding::kSymmetric, 1 + index % 3);
  Subnet subnet(lower(space, sample(space, stream)), static_cast<std::uint64_t>(index));
  for (const LayerTensors& layer : subnet.layers()) {
    if (layer.gamma.defined()) {
      for (std::int64_t c = 0; c < layer.gamma.numel(); ++c) {
        layer.gamma[c] = 0.5 + stream.uniform();
        layer.beta[c] = stream.uniform() - 0.3;
      }
    }
  }
  const ImageSet images = test::synthetic_images(
      6, subnet.network().input.height, space.input_channels, space.classes, stream.next());
  const FloatNetwork folded = fold_batch_norm(subnet.to_float_network());
  const std::vector<ValueRange> ranges = subnet.observe_ranges(images, kPixels);
  Case result{FoldedSubnet(folded, ranges), quantise(folded, ranges, {.pixels = kPixels}), {}, {}};
  for (const std::uint8_t pixel : images.pixels) {
    result.real_images.push_back(static_cast<float>((pixel - kPixels.mean) / kPixels.stddev));
    result.batch.images.push_back(
        static_cast<float>(stored_pixel(pixel) - result.quantised.tensors[0].zero_point));
  }
  result.batch.labels = images.labels;
  return result;
}

at::Tensor gradients(const Case& c, Backend backend) {
  const at::Tensor flat = at::zeros_like(c.subnet.parameters());
  const at::Tensor labels = torch::tensor(c.batch.labels, torch::kLong);
  const Goal goal{labels, smoothed_labels(labels, c.subnet.network().output().channels, 0.1)};
  Compute(backend).add_quantised_gradients(c.quantised, c.subnet.layers(), c.batch, goal, 0.5,
                                           carve(c.subnet.network(), flat, TrainedForm::kFolded));
  return flat;
}

TEST_P(QuantisedKernels, FusedGradientsEqualLibTorchs) {
  for (int index = 0; index < 24; ++index) {
    set_threads(1 + index % 2);
    const Case c = random_case(index, index < 12 ? test::varied_space : test::excited_space);
    ASSERT_TRUE(kernels::supported(c.subnet.network()));
    const at::Tensor fused = gradients(c, Backend::kAuto);
    const at::Tensor reference = gradients(c, Backend::kLibTorch);
    const auto fused_layers = carve(c.subnet.network(), fused, TrainedForm::kFolded);
    const auto reference_layers = carve(c.subnet.network(), reference, TrainedForm::kFolded);
    for (std::size_t i = 0; i < fused_layers.size(); ++i) {
      for (const auto member : {&LayerTensors::weight, &LayerTensors::bias}) {
        const at::Tensor& expected = reference_layers[i].*member;
        if (expected.defined()) {
          const double scale = expected.abs().max().item<double>();
          EXPECT_LE((fused_layers[i].*member - expected).abs().max().item<double>(), 1e-4 * scale)
              << "case " << index << ", layer "
              << c.subnet.network().layer_name(static_cast<int>(i));
          EXPECT_GT(scale, 0.0);
        }
      }
    }
  }
}

// The straight-through gradient points where the real network's does.
TEST(QuantisedTraining, GradientsAreNearlyTheFloatNetworks) {
  for (int index = 0; index < 12; ++index) {
    const Case c =
        index < 8 ? random_case(100 + index) : random_case(140 + index, test::excited_space);
    std::vector<LayerTensors> leaves = c.subnet.layers();
    for (LayerTensors& layer : leaves) {
      if (layer.weight.defined()) {
        layer.weight = layer.weight.clone().requires_grad_();
        layer.bias = layer.bias.clone().requires_grad_();
      }
    }
    const at::Tensor logits = forward(
        c.subnet.network(), leaves,
        image_tensor(c.real_images, c.subnet.network().input, 6, c10::kCPU), NormMode::kRunning);
    const at::Tensor labels = torch::tensor(
        std::vector<std::int64_t>(c.batch.labels.begin(), c.batch.labels.end()), at::kLong);
    torch::nn::functional::cross_entropy(
        logits, labels, torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(0.1))
        .backward();
    const auto own =
        carve(c.subnet.network(), gradients(c, Backend::kLibTorch), TrainedForm::kFolded);
    double product = 0.0;
    double own_square = 0.0;
    double float_square = 0.0;
    for (std::size_t i = 0; i < own.size(); ++i) {
      for (const auto member : {&LayerTensors::weight, &LayerTensors::bias}) {
        if ((own[i].*member).defined()) {
          const at::Tensor expected = (leaves[i].*member).grad();
          product += (own[i].*member * expected).sum().item<double>();
          own_square += (own[i].*member).square().sum().item<double>();
          float_square += expected.square().sum().item<double>();
        }
      }
    }
    EXPECT_GT(product / std::sqrt(own_square * float_square), 0.85) << index;
    EXPECT_NEAR(std::sqrt(own_square / float_square), 0.5, index < 8 ? 0.15 : 0.3)
        << index;  // half the loss
  }
}

}  // namespace
}  // namespace patchnas
