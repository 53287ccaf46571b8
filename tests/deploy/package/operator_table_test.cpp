// Every kind of layer through everything that knows kinds of layers: a place that was forgotten
// fails here.

#include "arch/operator_table.h"

#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arch/execution_plan.h"
#include "deploy/deploy.h"
#include "latency_models/operators.h"
#include "memory_models/memory_models.h"
#include "tests/deploy/support/compiled_package.h"
#include "tests/deploy/support/random_float.h"
#include "tests/deploy/support/random_quantised.h"
#include "tflite_generated.h"

namespace patchnas {

// Names of tests show it.
void PrintTo(const KernelFacts& kernel, std::ostream* out) { *out << kernel.name; }

namespace {

constexpr TensorShape kInput{6, 5, 4};

// Of the kernel's own form.
Layer layer_of(LayerKind kind, TensorId input, KernelFunction kernel) {
  const bool is_pointwise = kernel == KernelFunction::kPointwise;
  const OperatorFacts& facts = operator_facts(kind);
  Layer layer{.kind = kind,
              .inputs = {input, facts.inputs == 2 ? input - 1 : kNoTensor},
              .output = kInput,
              .kernel = {}};
  if (facts.weights == WeightLayout::kDense) {
    layer.output = {1, 1, 7};
  } else if (kind == LayerKind::kMean) {
    layer.kernel = {kInput.height, 1, kInput.height, 1, 0, 0};
    layer.output.height = 1;
  } else if (kind == LayerKind::kPad) {
    layer.kernel = {.pad_top = 2, .pad_left = 1};
    layer.output = {kInput.height + 3, kInput.width + 1, kInput.channels};
  } else if (facts.reads == Reads::kTaps && !is_pointwise) {
    layer.kernel = {3, 3, 1, 1, 1, 1};
  }
  if (kernel == KernelFunction::kConvolveGroups) {
    layer.groups = 2;
  }
  if (kind == LayerKind::kResize) {
    layer.output = {2 * kInput.height, kInput.width + 3, kInput.channels};
  }
  if (kind == LayerKind::kTransposeConv) {
    layer.kernel = {3, 3, 2, 1, 0, 1};
    layer.output = {2 * kInput.height, kInput.width, 3};
  }
  if (kind == LayerKind::kCopyChannels) {
    layer.channels = {.from = 1, .to = 0, .count = 2};
  }
  if (kind == LayerKind::kCopy) {
    layer.copy = {
        .counts = {1, 1, 50}, .from_strides = {0, 0, 1}, .to_strides = {0, 0, 1}, .from = 7};
  }
  return layer;
}

// The layer behind a pointwise convolution, so that it may write over its input, or may not.
Network network_with(LayerKind kind, KernelFunction kernel) {
  Network network{.input = kInput, .layers = {}, .names = {}};
  for (int i = 0; i < operator_facts(kind).inputs; ++i) {
    network.layers.push_back({.inputs = {i, kNoTensor}, .output = kInput, .kernel = {}});
  }
  const Layer layer = layer_of(kind, network.layer_count(), kernel);
  network.layers.push_back(layer);
  validate(network);
  return network;
}

Network network_with(const KernelFacts& kernel) {
  return network_with(kernel.kind, kernel.function);
}

class OperatorTable : public ::testing::TestWithParam<KernelFacts> {
 protected:
  const KernelFacts& kernel() const { return GetParam(); }
  const OperatorFacts& facts() const { return operator_facts(kernel().function); }
  Network network() const { return network_with(kernel()); }
  QuantizedNetwork quantised() const {
    RandomStream stream(1, std::string(kernel().name));
    return testing::random_quantised(network(), stream);
  }
  int last() const { return network().layer_count() - 1; }
};

TEST_P(OperatorTable, ShapesAndCountsFollowFromIt) {
  const Network n = network();
  const Layer& layer = n.layers.back();
  EXPECT_EQ(layer.kind, facts().kind);
  EXPECT_EQ(to_string(layer.kind), facts().name);
  EXPECT_EQ(layer.input_count(), facts().inputs);
  EXPECT_EQ(weight_count(n, last()) > 0, facts().weights != WeightLayout::kNone);
  EXPECT_EQ(layer_macs(n, last()) > 0, facts().weights != WeightLayout::kNone);
  EXPECT_EQ(layer.output.channels == kInput.channels || !facts().keeps_channels, true);
  Network wrong = n;
  wrong.layers.back().inputs[1] = facts().inputs == 2 ? n.layer_count() : kImage;
  EXPECT_THROW(validate(wrong), InputError);
}

TEST_P(OperatorTable, ThePlanCallsItsKernel) {
  const ExecutionPlan plan(network(), {}, InputMode::kResident);
  const Step& step = plan.steps().back();
  EXPECT_EQ(step.kernel, kernel().function);
  EXPECT_EQ(step.scratch_bytes > 0, kernel().function == KernelFunction::kDepthwise);
  EXPECT_EQ(step.overlap.tensor != kNoTensor,
            facts().in_place != InPlace::kNever || kernel().function == KernelFunction::kPointwise);
  const auto uses = operator_uses(network(), plan);
  EXPECT_EQ(uses.back().key.family.kernel, kernel().function);
  EXPECT_EQ(uses.back().key.macs() > 0, facts().weights != WeightLayout::kNone);
  EXPECT_EQ(parse_operator_key(to_string(uses.back().key), "key"), uses.back().key);
  const FlashReport flash = flash_report(network(), plan, Core::kCortexM4);
  EXPECT_GE(flash.code_bytes,
            measured_code_sizes().kernel_bytes(Core::kCortexM4, kernel().function));
  EXPECT_EQ(step_flash(network(), plan, Core::kCortexM4, last()).layer_parameters_bytes > 0,
            !kernel().constants().empty());
  EXPECT_GT(step_flash(network(), plan, Core::kCortexM4, last()).program_bytes, 0);
}

TEST_P(OperatorTable, TheReferenceAndTheArenaComputeIt) {
  const QuantizedNetwork q = quantised();
  RandomStream stream(2, std::string(kernel().name));
  const auto image = testing::random_bytes(kInput.elements(), stream);
  const auto expected = run_layer_by_layer(q, image);
  EXPECT_EQ(static_cast<std::int64_t>(expected.size()), q.network.output().elements());
  EXPECT_GT(std::set<std::int8_t>(expected.begin(), expected.end()).size(), 1U);
  std::vector<PatchSchedule> schedules{PatchSchedule::layer_by_layer()};
  if (fits_segments(q.network.layers.back())) {
    schedules.push_back(
        {.segments = {{.first_layer = last(), .end_layer = last() + 1, .grid = {1, 1}}}});
  }
  for (const PatchSchedule& schedule : schedules) {
    for (const InputMode input : kInputModes) {
      const ArenaExecutor executor(q, schedule, input);
      std::vector<std::int8_t> arena(static_cast<std::size_t>(executor.plan().arena_bytes));
      EXPECT_EQ(executor.run(image_source(image, kInput), arena, DeadBytes::kPoison), expected);
    }
  }
}

TEST_P(OperatorTable, FloatNetworksOfItAreQuantised) {
  RandomStream stream(3, std::string(kernel().name));
  const FloatNetwork floats = testing::random_float_network(network(), stream);
  const auto samples = testing::random_samples(floats.network, 20, -2, 2, stream);
  const QuantizedNetwork q =
      quantise(floats, calibrated_ranges(floats, samples, CalibrationRule{}), {});
  EXPECT_GT(layer_noise(floats, q, samples).back().decibels(), 20);
}

TEST_P(OperatorTable, TfliteFilesHoldIt) {
  const QuantizedNetwork q = quantised();
  const std::vector<std::uint8_t> file = export_tflite(q);
  const tflite::Model* const model = tflite::GetModel(file.data());
  std::set<std::string> operators;
  for (const auto* const code : *model->operator_codes()) {
    operators.insert(tflite::EnumNameBuiltinOperator(code->builtin_code()));
  }
  EXPECT_TRUE(operators.contains(std::string(facts().tflite_operator)));
  const QuantizedNetwork read = import_tflite(file, "exported");
  // A copy becomes one for each part of what a file puts together, or for another scale.
  const bool is_a_copy = kernel().function == KernelFunction::kCopy ||
                         kernel().function == KernelFunction::kPad ||
                         kernel().function == KernelFunction::kCopyChannels;
  if (!is_a_copy) {
    ASSERT_EQ(read.network.layer_count(), q.network.layer_count());
    EXPECT_EQ(read.network.layers.back().kind, facts().kind);
  }
  RandomStream stream(3, std::string(kernel().name));
  const auto image = testing::random_bytes(kInput.elements(), stream);
  EXPECT_EQ(run_layer_by_layer(read, image), run_layer_by_layer(q, image));
}

TEST_P(OperatorTable, PackagesCallItsKernelWithItsConstants) {
  const QuantizedNetwork q = quantised();
  const CPackage package = make_c_package(q, {}, InputMode::kResident, "table");
  const std::string& program = package.files.at("table.c");
  const std::string& constants = package.files.at("table_weights.h");
  EXPECT_NE(program.find(std::string(kernel().name) + "("), std::string::npos);
  for (const KernelConstant constant : kernel().constants()) {
    EXPECT_NE(constants.find(constant_facts(constant).type), std::string::npos);
  }
  if (!testing::has_c_compiler()) {
    GTEST_SKIP() << "no C compiler";
  }
  const testing::CompiledPackages compiled({package}, "-DPATCHNAS_CHECKS");
  ASSERT_EQ(compiled.errors(), "");
  RandomStream stream(4, std::string(kernel().name));
  const auto image = testing::random_bytes(kInput.elements(), stream);
  std::vector<std::int8_t> arena(static_cast<std::size_t>(package.arena_bytes));
  EXPECT_EQ(compiled.run_resident("table", image, arena, q.network.output().elements()),
            run_layer_by_layer(q, image));
}

std::vector<KernelFacts> kernels_of_layers() {
  std::vector<KernelFacts> kernels;
  std::copy_if(kKernels.begin(), kKernels.end(), std::back_inserter(kernels),
               [](const KernelFacts& kernel) { return kernel.is_a_layer; });
  return kernels;
}

INSTANTIATE_TEST_SUITE_P(EveryKernel, OperatorTable, ::testing::ValuesIn(kernels_of_layers()),
                         [](const auto& test) { return std::string(test.param.name).substr(9); });

TEST(OperatorTableItself, EveryKindHasAKernel) {
  std::set<LayerKind> kinds;
  for (const KernelFacts& kernel : kernels_of_layers()) {
    kinds.insert(kernel.kind);
  }
  kinds.insert(LayerKind::kInput);  // which nothing computes
  for (const OperatorFacts& facts : kOperators) {
    if (facts.combines()) {
      kinds.insert(facts.kind);  // an operation of one kernel
    }
  }
  for (const OperatorFacts& facts : kOperators) {
    EXPECT_TRUE(kinds.contains(facts.kind)) << facts.name;
  }
}

}  // namespace
}  // namespace patchnas
