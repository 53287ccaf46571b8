#include "supernet/network/supernet.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "arch/base/error.h"
#include "arch/operator_table.h"
#include "supernet/network/channel_sorting.h"
#include "supernet/network/compute.h"
#include "supernet/network/forward.h"
#include "supernet/network/loss.h"
#include "supernet/network/threads.h"
#include "tests/supernet/network/test_spaces.h"

namespace patchnas {
namespace {

at::Tensor random_images(const Network& network, int count, RandomStream& stream) {
  at::Tensor images =
      at::empty({count, network.input.channels, network.input.height, network.input.width});
  auto* data = images.data_ptr<float>();
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    data[i] = static_cast<float>(3.0 * stream.uniform() - 1.5);
  }
  return images;
}

// Weights whose gamma and beta are not trivial.
void scramble_norms(const Supernet& supernet, RandomStream& stream) {
  for (const LayerTensors& layer : supernet.active(supernet.largest_network())) {
    for (std::int64_t c = 0; layer.gamma.defined() && c < layer.gamma.numel(); ++c) {
      layer.gamma[c] = 0.5 + stream.uniform();
      layer.beta[c] = stream.uniform() - 0.5;
    }
  }
}

// The one table of operators says which of them a supernet has.
TEST(Forward, ComputesTheOperatorsThatTheTableCallsTrained) {
  for (const OperatorFacts& facts : kOperators) {
    Network network{.input = {4, 4, 3}, .layers = {}, .names = {}};
    Layer layer{.kind = facts.kind,
                .inputs = {kImage, facts.inputs == 2 ? kImage : kNoTensor},
                .output = network.input,
                .kernel = {}};
    if (facts.kind == LayerKind::kLookup) {
      layer.function = ValueFunction::kHardSwish;
    }
    if (facts.reads == Reads::kEverything && facts.weights != WeightLayout::kNone) {
      layer.output = {1, 1, 5};
    } else if (facts.reads == Reads::kTaps && facts.weights == WeightLayout::kNone) {
      layer.kernel = {4, 4, 4, 4, 0, 0};
      layer.output = {1, 1, 3};
    }
    network.layers.push_back(layer);
    if (facts.is_trained) {
      validate(network);
    }
    const at::Tensor flat = at::zeros({std::max<std::int64_t>(1, trained_count(network))});
    const std::vector<LayerTensors> tensors =
        facts.is_trained ? carve(network, flat.narrow(0, 0, trained_count(network)))
                         : std::vector<LayerTensors>(1);
    RandomStream stream(1, "forward/operators");
    const auto compute = [&] {
      const at::Tensor images = random_images(network, 2, stream);
      return linear_output(network, 0, tensors[0], images, images);
    };
    if (facts.is_trained) {
      EXPECT_EQ(compute().numel(), 2 * layer.output.elements()) << facts.name;
    } else {
      EXPECT_THROW(compute(), Error) << facts.name;
    }
  }
}

enum class Space { kVaried, kExcited };

class SupernetTest : public testing::TestWithParam<Space> {
 protected:
  void SetUp() override { set_threads(1); }
  [[nodiscard]] static bool is_excited() { return GetParam() == Space::kExcited; }
  // Of the second stage's blocks.
  [[nodiscard]] static BlockChoice block(int kernel_size, int expand_ratio, int width) {
    BlockChoice choice{.kernel_size = kernel_size, .expand_ratio = expand_ratio, .width = width};
    if (is_excited()) {
      choice.activation = BlockActivation::kHardSwish;
      choice.squeeze_excitation = SqueezeExcitation::kPresent;
    }
    return choice;
  }
  at::NoGradGuard no_gradients_;
  SearchSpace space_ = is_excited() ? test::excited_space() : test::varied_space();
  RandomStream stream_{3, "test/supernet"};
};

INSTANTIATE_TEST_SUITE_P(Spaces, SupernetTest, testing::Values(Space::kVaried, Space::kExcited),
                         [](const auto& test_case) {
                           return test_case.param == Space::kExcited ? "Excited" : "Varied";
                         });

TEST_P(SupernetTest, ExtractedSubnetComputesExactlyWhatTheSupernetComputes) {
  Supernet supernet(space_, 1);
  scramble_norms(supernet, stream_);
  for (int i = 0; i < 10; ++i) {
    const Architecture architecture = sample(space_, stream_);
    const Network network = lower(space_, architecture);
    const Subnet subnet = supernet.extract(architecture);
    ASSERT_EQ(subnet.network(), network);
    std::vector<LayerTensors> active = supernet.active(network);
    const at::Tensor images = random_images(network, 3, stream_);
    EXPECT_TRUE(torch::equal(forward(network, active, images, NormMode::kBatch),
                             forward(network, subnet.layers(), images, NormMode::kBatch)));
    for (std::size_t j = 0; j < active.size();
         ++j) {  // the shared weights have no running statistics
      active[j].running_mean = subnet.layers()[j].running_mean;
      active[j].running_variance = subnet.layers()[j].running_variance;
    }
    EXPECT_TRUE(torch::equal(forward(network, active, images, NormMode::kRunning),
                             forward(network, subnet.layers(), images, NormMode::kRunning)));
    // And by the fused kernels, which training and evaluation use.
    const std::vector<float> pixels = to_floats(images.permute({0, 2, 3, 1}));
    const auto source = [&](int begin, int end, float* target) {
      const std::int64_t size = network.input.elements();
      std::copy(pixels.begin() + begin * size, pixels.begin() + end * size, target);
    };
    EXPECT_EQ(Compute().logits(network, active, source, 3),
              Compute().logits(network, subnet.layers(), source, 3));
  }
}

TEST_P(SupernetTest, SubnetIsACopy) {
  const Supernet supernet(space_, 1);
  const Subnet subnet = supernet.extract(smallest(space_));
  const at::Tensor before = subnet.parameters().clone();
  supernet.parameters().zero_();
  EXPECT_TRUE(torch::equal(subnet.parameters(), before));
}

// One block by hand: stage 1's first block (stride 2) of a subnet against the weights of the
// largest network.
TEST_P(SupernetTest, SlicesAreCentresAndLeadingChannels) {
  const Supernet supernet(space_, 5);
  const std::vector<LayerTensors> shared = supernet.active(supernet.largest_network());
  Architecture architecture = smallest(space_);
  architecture.stages[1][0] = block(5, 2, 10);
  const Network network = lower(space_, architecture);
  const std::vector<LayerTensors> active = supernet.active(network);
  const auto shared_layer = [&](LayerRole role) {
    const auto& layers = supernet.largest_network().layers;
    const auto found = std::find_if(layers.begin(), layers.end(), [&](const Layer& l) {
      return l.role == role && l.stage == 1 && l.block == 0;
    });
    return shared[static_cast<std::size_t>(found - layers.begin())];
  };
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (layer.stage != 1 || layer.block != 0 || !layer.has_weights()) {
      continue;
    }
    using torch::indexing::Slice;
    const at::Tensor whole = shared_layer(layer.role).weight;
    at::Tensor expected;
    if (layer.role == LayerRole::kExpand) {  // 8 input channels, 2 * 8 hidden
      expected = whole.index({Slice(0, 16), Slice(0, 8)});
    } else if (layer.role == LayerRole::kDepthwise) {  // 5x5 of 7x7
      expected = whole.index({Slice(0, 16), Slice(), Slice(1, 6), Slice(1, 6)});
    } else if (layer.role == LayerRole::kSqueezeReduce) {
      expected = whole.index({Slice(0, 8), Slice(0, 16)});
    } else if (layer.role == LayerRole::kSqueezeExpand) {
      expected = whole.index({Slice(0, 16), Slice(0, 8)});
    } else {
      expected = whole.index({Slice(0, 10), Slice(0, 16)});
    }
    EXPECT_TRUE(torch::equal(active[i].weight, expected))
        << network.layer_name(static_cast<int>(i));
    EXPECT_NE(active[i].gamma.defined(), active[i].bias.defined());
    EXPECT_EQ((active[i].gamma.defined() ? active[i].gamma : active[i].bias).numel(),
              layer.output.channels);
    EXPECT_TRUE(active[i].weight.is_alias_of(supernet.parameters()));
  }
}

// forward() itself against a block written with torch's functions.
TEST_P(SupernetTest, BlockEqualsFunctionalReference) {
  const Supernet supernet(space_, 6);
  Architecture architecture = smallest(space_);
  architecture.resolution = 20;
  architecture.stages[1][0] = block(5, 3, 12);
  const Network network = lower(space_, architecture);
  const std::vector<LayerTensors> layers = supernet.active(network);
  std::vector<at::Tensor> seen;
  ForwardObserver observer;
  observer.tensor = [&](TensorId, const at::Tensor& t) { seen.push_back(t.clone()); };
  forward(network, layers, random_images(network, 2, stream_), NormMode::kBatch, observer);
  namespace F = torch::nn::functional;
  const auto layer_of = [&](LayerRole role) {
    const auto found =
        std::find_if(network.layers.begin(), network.layers.end(), [&](const Layer& layer) {
          return layer.stage == 1 && layer.block == 0 && layer.role == role;
        });
    return static_cast<std::size_t>(found - network.layers.begin());
  };
  const auto own = [&](LayerRole role) -> const LayerTensors& { return layers[layer_of(role)]; };
  const auto activate = [](const at::Tensor& x) {
    return is_excited() ? x * (x + 3).clamp(0, 6) / 6 : x.clamp(0, 6);
  };
  const auto norm = [&](const at::Tensor& x, const LayerTensors& l) {
    const at::Tensor mean = x.mean({0, 2, 3}, true);
    const at::Tensor variance = (x - mean).square().mean({0, 2, 3}, true);
    return (x - mean) / (variance + 1e-5).sqrt() * l.gamma.view({1, -1, 1, 1}) +
           l.beta.view({1, -1, 1, 1});
  };
  const LayerTensors& expand = own(LayerRole::kExpand);
  const LayerTensors& depthwise = own(LayerRole::kDepthwise);
  const LayerTensors& project = own(LayerRole::kProject);
  at::Tensor x = seen[layer_of(LayerRole::kExpand)];
  x = activate(norm(F::conv2d(x, expand.weight), expand));
  // 20 -> 10 with stride 2 and 5x5: TensorFlow's SAME pads 1 before and 2 after.
  x = F::pad(x, F::PadFuncOptions({1, 2, 1, 2}));
  x = F::conv2d(x, depthwise.weight, F::Conv2dFuncOptions().stride(2).groups(24));
  x = activate(norm(x, depthwise));
  if (is_excited()) {
    const LayerTensors& reduce = own(LayerRole::kSqueezeReduce);
    const LayerTensors& restore = own(LayerRole::kSqueezeExpand);
    const at::Tensor mean = x.mean({2, 3}, true);
    const at::Tensor few = at::conv2d(mean, reduce.weight, reduce.bias).relu();
    x = x * at::conv2d(few, restore.weight, restore.bias).sigmoid();
  }
  x = norm(F::conv2d(x, project.weight), project);
  EXPECT_TRUE(torch::allclose(seen[layer_of(LayerRole::kProject) + 1], x, 1e-4, 1e-4));
}

TEST_P(SupernetTest, SortingKeepsTheFunctionAndOrdersImportance) {
  for (const int expand : {3, 1}) {
    space_.stages[0].expand_ratios = {
        expand};  // 1: the hidden channels are those of the block's input
    Supernet supernet(space_, 7);
    scramble_norms(supernet, stream_);
    const Network& network = supernet.largest_network();
    const at::Tensor images = random_images(network, 4, stream_);
    const at::Tensor before = forward(network, supernet.active(network), images, NormMode::kBatch);
    const at::Tensor weights = supernet.parameters().clone();
    supernet.sort_channels();
    const at::Tensor after = forward(network, supernet.active(network), images, NormMode::kBatch);
    EXPECT_TRUE(torch::allclose(before, after, 1e-3, 1e-3));
    EXPECT_FALSE(torch::equal(weights, supernet.parameters()));
    const std::vector<int> groups = channel_groups(network);
    for (std::size_t tensor = 1; tensor + 1 < groups.size(); ++tensor) {
      const auto importance =
          channel_importance(network, supernet.active(network), groups, groups[tensor]);
      EXPECT_EQ(static_cast<int>(importance.size()),
                network.shape(static_cast<int>(tensor)).channels);
      EXPECT_TRUE(std::is_sorted(importance.rbegin(), importance.rend()));
    }
  }
}

TEST_P(SupernetTest, GradientsReachExactlyTheActivePart) {
  const Supernet supernet(space_, 8);
  const Architecture architecture = sample(space_, stream_);
  const Network network = lower(space_, architecture);
  const at::Tensor active_part = at::zeros_like(supernet.parameters());
  for (const LayerTensors& layer : supernet.active(network, active_part)) {
    for (const auto& tensor : {layer.weight, layer.bias, layer.gamma, layer.beta}) {
      if (tensor.defined()) {
        tensor.fill_(1.0);
      }
    }
  }
  const at::Tensor gradient = at::zeros_like(supernet.parameters());
  Batch batch{to_floats(random_images(network, 8, stream_).permute({0, 2, 3, 1})),
              {0, 1, 2, 3, 4, 0, 1, 2}};
  const at::Tensor labels = torch::tensor(batch.labels, torch::kLong);
  const Goal goal{labels, smoothed_labels(labels, space_.classes, 0.0)};
  Compute().add_gradients(network, supernet.active(network), batch, goal, 1.0,
                          supernet.active(network, gradient));
  EXPECT_EQ(gradient.mul(1 - active_part).abs().max().item<float>(), 0.0F);
  // ReLU6 may silence a few values, not many.
  EXPECT_GT((gradient != 0).sum().item<double>(), 0.8 * active_part.sum().item<double>());
  EXPECT_LT(active_part.sum().item<double>(), static_cast<double>(gradient.numel()));
}

TEST_P(SupernetTest, StateRoundTripsAndDamageIsRefused) {
  Supernet supernet(space_, 9);
  const std::string bytes = supernet.save();
  Supernet other(space_, 10);
  EXPECT_FALSE(torch::equal(supernet.parameters(), other.parameters()));
  const at::Tensor before = other.parameters().clone();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, bytes.size() / 2, bytes.size() - 1}) {
    EXPECT_THROW(other.load(bytes.substr(0, size)), InputError);
  }
  for (int i = 0; i < 50; ++i) {
    std::string damaged = bytes;
    damaged[stream_.below(damaged.size())] ^= static_cast<char>(1 << stream_.below(8));
    EXPECT_THROW(other.load(damaged), InputError);
  }
  EXPECT_TRUE(torch::equal(other.parameters(), before));
  SearchSpace larger = space_;
  larger.classes = 6;
  EXPECT_THROW(Supernet(larger, 1).load(bytes), InputError);
  other.load(bytes);
  EXPECT_TRUE(torch::equal(supernet.parameters(), other.parameters()));
  EXPECT_TRUE(other.save() == bytes);
}

}  // namespace
}  // namespace patchnas
