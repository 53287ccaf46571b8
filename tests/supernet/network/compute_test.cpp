// The fused kernels must compute what LibTorch's operators compute.

#include "supernet/network/compute.h"

#include <array>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "supernet/data/augmentation.h"
#include "supernet/network/loss.h"
#include "supernet/network/subnet.h"
#include "supernet/network/supernet.h"
#include "supernet/network/threads.h"
#include "tests/supernet/network/simd_levels.h"
#include "tests/supernet/network/test_spaces.h"

namespace patchnas {
namespace {

struct Case {
  Subnet subnet;
  Batch batch;
  Goal goal;
};

Case random_case(const SearchSpace& space, int index) {
  RandomStream stream(static_cast<std::uint64_t>(index), "test/compute");
  Case result{
      Subnet(lower(space, sample(space, stream)), static_cast<std::uint64_t>(index)), {}, {}};
  const int count = 1 + static_cast<int>(stream.below(6));
  result.batch.images.resize(
      static_cast<std::size_t>(count * result.subnet.network().input.elements()));
  for (float& value : result.batch.images) {
    value = static_cast<float>(4.0 * stream.uniform() - 2.0);
  }
  for (int i = 0; i < count; ++i) {
    result.batch.labels.push_back(
        static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(space.classes))));
  }
  result.goal.labels = torch::tensor(result.batch.labels, torch::kLong);
  // Of two kinds: mixed with another network's answers in every second case.
  result.goal.targets = smoothed_labels(result.goal.labels, space.classes, 0.1);
  if (index % 2 == 0) {
    RandomStream teacher(static_cast<std::uint64_t>(index), "test/teacher");
    const at::Tensor answers = at::zeros({count, space.classes});
    for (std::int64_t i = 0; i < answers.numel(); ++i) {
      answers.view(-1)[i] = 6.0 * teacher.uniform();
    }
    result.goal.targets = at::lerp(result.goal.targets, soft_labels(answers), 0.7);
  }
  for (const LayerTensors& layer : result.subnet.layers()) {
    if (layer.gamma.defined()) {
      for (std::int64_t c = 0; c < layer.gamma.numel(); ++c) {
        layer.gamma[c] = 0.5 + stream.uniform();
        layer.beta[c] = stream.uniform() - 0.3;
        layer.running_mean[c] = stream.uniform() - 0.5;
        layer.running_variance[c] = 0.5 + stream.uniform();
      }
    }
  }
  return result;
}

// Largest difference relative to the largest value.
double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const double scale = b.abs().max().item<double>();
  return (a - b).abs().max().item<double>() / std::max(scale, 1e-6);
}

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() != b.size() ? 1e9 : relative_difference(torch::tensor(a), torch::tensor(b));
}

// Of a layer's largest gradient; and of the network's, where a layer's cancel but for rounding.
constexpr double kOwnTolerance = 2e-3;
constexpr double kNetworkTolerance = 1e-5;

class FusedKernels : public test::AtEveryLevel {
 protected:
  void SetUp() override {
    AtEveryLevel::SetUp();
    set_threads(1);
  }
};

// Of both paddings and both kinds, two cases of each.
SearchSpace space_of(int index) {
  const Padding padding = index % 2 == 0 ? Padding::kSame : Padding::kSymmetric;
  const int channels = padding == Padding::kSame ? 1 : 3;
  return index % 4 < 2 ? test::varied_space(padding, channels)
                       : test::excited_space(padding, channels);
}

TEST_P(FusedKernels, GradientsEqualLibTorchs) {
  // In some 2 % of cases a value lies within rounding of a clamp's end, and its gradient passes in
  // one of the two only; in none of these.
  for (int index = 100; index < 140; ++index) {
    const Case c = random_case(space_of(index), index / 2);
    const Network& network = c.subnet.network();
    ASSERT_TRUE(kernels::supported(network));
    const at::Tensor fused = at::zeros_like(c.subnet.parameters());
    const at::Tensor reference = at::zeros_like(c.subnet.parameters());
    const BatchLoss fused_loss =
        Compute(Backend::kAuto)
            .add_gradients(network, c.subnet.layers(), c.batch, c.goal, 0.5, carve(network, fused));
    const BatchLoss reference_loss = Compute(Backend::kLibTorch)
                                         .add_gradients(network, c.subnet.layers(), c.batch, c.goal,
                                                        0.5, carve(network, reference));
    EXPECT_NEAR(fused_loss.mean.item<double>(), reference_loss.mean.item<double>(), 1e-4);
    EXPECT_TRUE(torch::equal(fused_loss.correct, reference_loss.correct));
    EXPECT_LT(relative_difference(fused_loss.logits, reference_loss.logits), 1e-3);
    const double largest = reference.abs().max().item<double>();
    EXPECT_GT(largest, 1e-3);
    const auto fused_layers = carve(network, fused);
    const auto reference_layers = carve(network, reference);
    for (std::size_t i = 0; i < fused_layers.size(); ++i) {
      for (const auto member : {&LayerTensors::weight, &LayerTensors::bias, &LayerTensors::gamma,
                                &LayerTensors::beta}) {
        if ((fused_layers[i].*member).defined()) {
          const at::Tensor& own = fused_layers[i].*member;
          const at::Tensor& expected = reference_layers[i].*member;
          const double own_scale = expected.abs().max().item<double>();
          const double error = (own - expected).abs().max().item<double>();
          EXPECT_LT(error, kOwnTolerance * own_scale + kNetworkTolerance * largest)
              << "case " << index << ", layer " << network.layer_name(static_cast<int>(i));
        }
      }
    }
  }
}

TEST_P(FusedKernels, BatchStatisticsEqualLibTorchs) {
  for (int index = 0; index < 24; ++index) {
    const Case c = random_case(space_of(index), 100 + index / 2);
    ASSERT_TRUE(kernels::supported(c.subnet.network()));
    const int count = static_cast<int>(c.batch.labels.size());
    const auto fused =
        Compute(Backend::kAuto)
            .batch_statistics(c.subnet.network(), c.subnet.layers(), c.batch.images, count);
    const auto reference =
        Compute(Backend::kLibTorch)
            .batch_statistics(c.subnet.network(), c.subnet.layers(), c.batch.images, count);
    for (std::size_t i = 0; i < fused.size(); ++i) {
      ASSERT_EQ(fused[i].mean.size(), reference[i].mean.size());
      if (!fused[i].mean.empty()) {
        EXPECT_LT(relative_difference(fused[i].mean, reference[i].mean), 1e-3)
            << c.subnet.network().layer_name(static_cast<int>(i));
        EXPECT_LT(relative_difference(fused[i].variance, reference[i].variance), 1e-3);
      }
    }
  }
}

TEST_P(FusedKernels, LogitsEqualLibTorchs) {
  for (int index = 0; index < 24; ++index) {
    const Case c = random_case(space_of(index), 200 + index / 2);
    ASSERT_TRUE(kernels::supported(c.subnet.network()));
    const std::int64_t elements = c.subnet.network().input.elements();
    const int count = static_cast<int>(c.batch.labels.size());
    const auto source = [&](int begin, int end, float* target) {
      std::copy(c.batch.images.begin() + begin * elements, c.batch.images.begin() + end * elements,
                target);
    };
    const auto fused =
        Compute(Backend::kAuto).logits(c.subnet.network(), c.subnet.layers(), source, count);
    const auto reference =
        Compute(Backend::kLibTorch).logits(c.subnet.network(), c.subnet.layers(), source, count);
    EXPECT_LT(relative_difference(fused, reference), 1e-4);
    for (const Backend backend : {Backend::kAuto, Backend::kLibTorch}) {
      const at::Tensor answers =
          Compute(backend).answers(c.subnet.network(), c.subnet.layers(), c.batch);
      EXPECT_EQ(answers.size(0), count);
      EXPECT_LT(relative_difference(to_floats(answers), reference), 1e-4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, FusedKernels, test::every_level(), test::level_name);

// The code of CUDA's mixed precision, with the CPU's short type.
TEST(MixedPrecision, GradientsAreThoseOfFloat32UpToRounding) {
  set_threads(1);
  for (const int scale : {1, 65536}) {
    for (int index = 0; index < 6; ++index) {
      const Case c = random_case(test::varied_space(), 300 + index);
      const Network& network = c.subnet.network();
      const at::Tensor plain = at::zeros_like(c.subnet.parameters());
      const at::Tensor mixed = at::zeros_like(c.subnet.parameters());
      const BatchLoss plain_loss = Compute(Backend::kLibTorch)
                                       .add_gradients(network, c.subnet.layers(), c.batch, c.goal,
                                                      0.5, carve(network, plain));
      const BatchLoss mixed_loss =
          Compute(Backend::kAuto, Precision::kMixed)
              .add_gradients(network, c.subnet.layers(), c.batch, c.goal, 0.5,
                             carve(network, mixed), at::full({}, static_cast<float>(scale)));
      const double loss = plain_loss.mean.item<double>();
      EXPECT_NEAR(mixed_loss.mean.item<double>(), loss, 0.1 * loss);
      EXPECT_NE(mixed_loss.mean.item<double>(), loss);  // it was computed with fewer digits
      EXPECT_GT(at::cosine_similarity(mixed, plain, 0).item<double>(), 0.9);
      EXPECT_NEAR(mixed.norm().item<double>() / scale, plain.norm().item<double>(),
                  0.3 * plain.norm().item<double>());
    }
  }
}

TEST(FusedKernelsTest, ThreadCountChangesNothingButRounding) {
  const Case c = random_case(test::varied_space(), 7);
  std::vector<at::Tensor> gradients;
  for (const int threads : {1, 2, 2, 3}) {
    set_threads(threads);
    gradients.push_back(at::zeros_like(c.subnet.parameters()));
    Compute().add_gradients(c.subnet.network(), c.subnet.layers(), c.batch, c.goal, 1.0,
                            carve(c.subnet.network(), gradients.back()));
  }
  EXPECT_TRUE(torch::equal(gradients[1], gradients[2]));
  EXPECT_LT(relative_difference(gradients[0], gradients[3]), 1e-3);
}

}  // namespace
}  // namespace patchnas
