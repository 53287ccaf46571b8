// Generated C packages, compiled here, against the integer reference.

#include "deploy/package/c_package.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <sstream>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/join_parts.h"
#include "deploy/reference/end_numbers.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/compiled_package.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/deploy/support/recorded_cases.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

constexpr std::size_t kGuardBytes = 64;
constexpr std::int8_t kGuard = 0x33;

class CPackageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::has_c_compiler()) {
      GTEST_SKIP() << "no C compiler (Debian: gcc)";
    }
  }
};

// An arena with garbage in it, between guards.
class GuardedArena {
 public:
  GuardedArena(std::int64_t bytes, RandomStream& stream)
      : memory_(testing::random_bytes(bytes, stream)) {
    memory_.insert(memory_.begin(), kGuardBytes, kGuard);
    memory_.insert(memory_.end(), kGuardBytes, kGuard);
  }
  std::span<std::int8_t> arena() {
    return std::span(memory_).subspan(kGuardBytes, memory_.size() - 2 * kGuardBytes);
  }
  [[nodiscard]] bool guards_are_intact() const {
    const auto is_guard = [](std::int8_t byte) { return byte == kGuard; };
    return std::all_of(memory_.begin(), memory_.begin() + kGuardBytes, is_guard) &&
           std::all_of(memory_.end() - kGuardBytes, memory_.end(), is_guard);
  }

 private:
  std::vector<std::int8_t> memory_;
};

// A package with what it should compute.
struct Case {
  QuantizedNetwork network;
  PatchSchedule schedule;
  InputMode input;
  std::string name;

  [[nodiscard]] CPackage package() const { return make_c_package(network, schedule, input, name); }
  [[nodiscard]] std::string description() const {
    return name + ", " + to_json(schedule) +
           (input == InputMode::kResident ? ", resident" : ", streamed");
  }
  [[nodiscard]] std::vector<std::int8_t> run(const testing::CompiledPackages& compiled,
                                             std::span<const std::int8_t> image,
                                             std::span<std::int8_t> arena) const {
    const Network& shapes = network.network;
    const std::int64_t output_bytes = shapes.output_elements();
    return input == InputMode::kResident
               ? compiled.run_resident(name, image, arena, output_bytes)
               : compiled.run_streamed(name, image_source(image, shapes.input),
                                       shapes.input.channels, arena, output_bytes);
  }
};

// A graph in which convolutions write parts of a concatenation.
QuantizedNetwork random_joined_network(RandomStream& stream) {
  while (true) {
    const Network network = with_joined_parts(testing::random_graph(stream, 0));
    if (std::any_of(network.layers.begin(), network.layers.end(),
                    [](const Layer& layer) { return layer.writes_part(); })) {
      return testing::random_quantised(network, stream);
    }
  }
}

std::vector<Case> random_cases(int count, RandomStream& stream) {
  std::vector<Case> cases;
  for (int i = 0; i < count; ++i) {
    QuantizedNetwork network =
        i % 5 == 0 ? random_joined_network(stream) : testing::random_quantised_network(stream);
    PatchSchedule schedule = testing::random_schedule(network.network, stream);
    for (const InputMode input : kInputModes) {
      cases.push_back({network, schedule, input, "net" + std::to_string(cases.size())});
    }
  }
  return cases;
}

std::vector<CPackage> packages_of(const std::vector<Case>& cases) {
  std::vector<CPackage> packages;
  std::transform(cases.begin(), cases.end(), std::back_inserter(packages),
                 [](const Case& c) { return c.package(); });
  return packages;
}

TEST_F(CPackageTest, ComputesTheReferencesBitsInsideThePlannedArena) {
  RandomStream stream(31, "c package");
  const std::vector<Case> cases = random_cases(40, stream);
  const std::vector<CPackage> packages = packages_of(cases);
  const testing::CompiledPackages compiled(packages, "-DPATCHNAS_CHECKS");
  ASSERT_EQ(compiled.errors(), "");
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    EXPECT_EQ(packages[i].arena_bytes,
              plan_arena(ExecutionPlan(c.network.network, c.schedule, c.input)).arena_bytes);
    for (int image_index = 0; image_index < 2; ++image_index) {
      const auto image = testing::random_bytes(c.network.network.input.elements(), stream);
      GuardedArena arena(packages[i].arena_bytes, stream);
      ASSERT_EQ(c.run(compiled, image, arena.arena()), run_layer_by_layer(c.network, image))
          << c.description();
      ASSERT_TRUE(arena.guards_are_intact()) << c.description();
    }
  }
}

TEST_F(CPackageTest, CompiledForOneRoundingComputesThatReferencesBits) {
  RandomStream stream(40, "single rounding");
  const std::vector<Case> cases = random_cases(10, stream);
  const testing::CompiledPackages compiled(packages_of(cases), "-DPATCHNAS_SINGLE_ROUNDING");
  ASSERT_EQ(compiled.errors(), "");
  int different = 0;
  for (const Case& c : cases) {
    const auto image = testing::random_bytes(c.network.network.input.elements(), stream);
    GuardedArena arena(c.package().arena_bytes, stream);
    const auto once = run_layer_by_layer(c.network, image, Arithmetic::kTfliteMicroSingleRounding);
    ASSERT_EQ(c.run(compiled, image, arena.arena()), once) << c.description();
    different += once == run_layer_by_layer(c.network, image) ? 0 : 1;
  }
  EXPECT_GT(different, 0) << "the roundings cannot be told apart";
}

// Of these networks other implementations' bytes are on record: recorded_bytes_test.cpp.
TEST_F(CPackageTest, ComputesTheReferencesBitsOfRecordedNetworks) {
  RandomStream stream(44, "recorded networks");
  std::vector<Case> cases;
  std::vector<std::vector<std::int8_t>> images;
  for (const auto& [name, network, image] : testing::network_cases()) {
    const PatchSchedule schedule = testing::random_schedule(network.network, stream);
    const InputMode mode = stream.pick(std::vector(std::begin(kInputModes), std::end(kInputModes)));
    cases.push_back({network, schedule, mode, "net" + std::to_string(cases.size())});
    images.push_back(image);
  }
  const testing::CompiledPackages compiled(packages_of(cases));
  ASSERT_EQ(compiled.errors(), "");
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    GuardedArena arena(c.package().arena_bytes, stream);
    EXPECT_EQ(c.run(compiled, images[i], arena.arena()), run_layer_by_layer(c.network, images[i]))
        << c.description();
    EXPECT_TRUE(arena.guards_are_intact()) << c.description();
  }
}

// The kernels count where they multiply; the model knows shapes and the tile geometry alone.
TEST_F(CPackageTest, ExecutesTheMultiplyAccumulatesThatTheModelCounts) {
  RandomStream stream(42, "executed macs");
  const std::vector<Case> cases = random_cases(40, stream);
  std::vector<CPackage> packages = packages_of(cases);
  packages.front().files["counter.c"] = "#include <stdint.h>\nuint64_t patchnas_executed_macs;\n";
  const testing::CompiledPackages compiled(packages, "-DPATCHNAS_COUNT_MACS");
  ASSERT_EQ(compiled.errors(), "");
  auto* const executed = compiled.function<std::uint64_t>("patchnas_executed_macs");
  int with_halos = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    const Network& network = c.network.network;
    const auto image = testing::random_bytes(network.input.elements(), stream);
    GuardedArena arena(packages[i].arena_bytes, stream);
    *executed = 0;
    ASSERT_EQ(c.run(compiled, image, arena.arena()), run_layer_by_layer(c.network, image))
        << c.description();
    ASSERT_EQ(static_cast<std::int64_t>(*executed), scheduled_macs(network, c.schedule))
        << c.description();
    with_halos += scheduled_macs(network, c.schedule) > network_macs(network) ? 1 : 0;
  }
  EXPECT_GT(with_halos, 10);
}

TEST_F(CPackageTest, ReadsAnImageAnywhereAndLeavesItAsItIs) {
  RandomStream stream(32, "image outside");
  std::vector<Case> cases = random_cases(3, stream);
  std::erase_if(cases, [](const Case& c) { return c.input != InputMode::kResident; });
  const testing::CompiledPackages compiled(packages_of(cases));
  ASSERT_EQ(compiled.errors(), "");
  for (const Case& c : cases) {
    const auto image = testing::random_bytes(c.network.network.input.elements(), stream);
    GuardedArena arena(c.package().arena_bytes, stream);
    const auto copy = image;
    auto* const invoke = compiled.function<testing::InvokeResident>(c.name + "_invoke");
    ASSERT_EQ(invoke(arena.arena().data(), image.data(), nullptr), 0);
    EXPECT_EQ(image, copy);
    const std::int8_t* const output =
        compiled.function<testing::PlaceFunction>(c.name + "_output")(arena.arena().data());
    const auto expected = run_layer_by_layer(c.network, image);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), output)) << c.description();
  }
}

TEST_F(CPackageTest, KeepsNoStateOutsideTheArena) {
  RandomStream stream(33, "interleaved");
  std::vector<Case> cases = random_cases(4, stream);
  std::erase_if(cases, [](const Case& c) { return c.input != InputMode::kStreamed; });
  const testing::CompiledPackages compiled(packages_of(cases));
  ASSERT_EQ(compiled.errors(), "");
  for (const Case& c : cases) {
    const TensorShape& shape = c.network.network.input;
    const auto first = testing::random_bytes(shape.elements(), stream);
    const auto second = testing::random_bytes(shape.elements(), stream);
    const std::int64_t arena_bytes = c.package().arena_bytes;
    GuardedArena arena(arena_bytes, stream);
    GuardedArena other_arena(arena_bytes, stream);
    // Whenever one run asks for a piece of its image, another runs from start to end.
    const ImageSource whole = image_source(first, shape);
    const ImageSource interrupted = [&](const Rect& rect, std::span<std::int8_t> destination) {
      EXPECT_EQ(c.run(compiled, second, other_arena.arena()),
                run_layer_by_layer(c.network, second));
      whole(rect, destination);
    };
    EXPECT_EQ(compiled.run_streamed(c.name, interrupted, shape.channels, arena.arena(),
                                    c.network.network.output_elements()),
              run_layer_by_layer(c.network, first))
        << c.description();
  }
}

TEST_F(CPackageTest, NeedsNoLibraryAndHasNoVariables) {
  RandomStream stream(34, "symbols");
  for (const Case& c : random_cases(2, stream)) {
    const testing::TemporaryFolder folder;
    testing::write_package(c.package(), folder.path());
    const std::string in_folder = "cd '" + folder.path().string() + "' && ";
    const auto built =
        testing::run_command(in_folder + "make CFLAGS='-O2 -Werror -fno-builtin -fno-pie'");
    ASSERT_EQ(built.status, 0) << built.output;
    // One object of everything, so that only what the package lacks stays undefined.
    const auto symbols = testing::run_command(in_folder + "ld -r -o all.o --whole-archive lib" +
                                              c.name + ".a && nm all.o");
    ASSERT_EQ(symbols.status, 0) << symbols.output;
    std::istringstream lines(symbols.output);
    int ours = 0;
    for (std::string line; std::getline(lines, line);) {
      const std::size_t type = line.find_first_not_of("0123456789abcdef ");
      ASSERT_NE(type, std::string::npos);
      const std::string name = line.substr(type + 2);
      EXPECT_EQ(std::string("BbDdCSs").find(line[type]), std::string::npos) << "variable: " << line;
      if (line[type] == 'U') {
        EXPECT_EQ(name, "_GLOBAL_OFFSET_TABLE_");
      } else if (std::isupper(static_cast<unsigned char>(line[type])) != 0) {
        EXPECT_TRUE(name.starts_with(c.name + "_")) << line;
        ++ours;
      }
    }
    EXPECT_GT(ours, 1) << symbols.output;
  }
}

// As an Arduino sketch or a CubeIDE project compiles them: every source, every folder searched.
TEST_F(CPackageTest, SeveralInOneProgramEachCallTheirOwnKernels) {
  RandomStream stream(43, "two packages");
  const std::vector<Case> cases = random_cases(2, stream);
  const testing::CompiledPackages compiled(packages_of(cases), "", testing::PackageFolders::kOwn);
  ASSERT_EQ(compiled.errors(), "");
  for (const Case& c : cases) {
    const auto image = testing::random_bytes(c.network.network.input.elements(), stream);
    GuardedArena arena(c.package().arena_bytes, stream);
    EXPECT_EQ(c.run(compiled, image, arena.arena()), run_layer_by_layer(c.network, image))
        << c.description();
  }
  // Kernels that round otherwise than those of the package beside it, or are of another version.
  std::vector<CPackage> packages = packages_of({cases[0], cases[2]});
  for (auto& [path, text] : packages[1].files) {
    if (path == "runtime/patchnas_runtime.h") {
      text.insert(0, "#define PATCHNAS_SINGLE_ROUNDING\n");
    }
  }
  const testing::CompiledPackages mixed(packages, "", testing::PackageFolders::kOwn);
  ASSERT_EQ(mixed.errors(), "");
  for (const std::size_t i : {0, 2}) {
    const Case& c = cases[i];
    const auto image = testing::random_bytes(c.network.network.input.elements(), stream);
    GuardedArena arena(c.package().arena_bytes, stream);
    EXPECT_EQ(c.run(mixed, image, arena.arena()),
              run_layer_by_layer(
                  c.network, image,
                  i == 0 ? Arithmetic::kTfliteMicro : Arithmetic::kTfliteMicroSingleRounding))
        << c.description();
  }
}

TEST_F(CPackageTest, BringsOnlyTheKernelsItCalls) {
  RandomStream stream(40, "kernels");
  Network network{.input = {6, 6, 2}, .layers = {}, .names = {}};
  network.layers.push_back({.output = {6, 6, 4}, .kernel = {}});
  const CPackage package = make_c_package(testing::random_quantised(network, stream), {},
                                          InputMode::kResident, "pointwise_only");
  EXPECT_TRUE(package.files.contains("runtime/pointwise.c"));
  EXPECT_TRUE(package.files.contains("runtime/patchnas_runtime.h"));
  for (const char* const other : {"add", "convolve", "depthwise", "max_pool", "softmax"}) {
    EXPECT_FALSE(package.files.contains(std::string("runtime/") + other + ".c")) << other;
  }
}

TEST_F(CPackageTest, ChecksItsPointersWhereAsked) {
  RandomStream stream(35, "checks");
  const std::vector<Case> cases = random_cases(1, stream);
  const testing::CompiledPackages compiled(packages_of(cases), "-DPATCHNAS_CHECKS");
  ASSERT_EQ(compiled.errors(), "");
  alignas(4) std::array<std::int8_t, 8> bytes{};
  auto* const resident = compiled.function<testing::InvokeResident>("net0_invoke");
  EXPECT_EQ(resident(nullptr, bytes.data(), nullptr), 1);
  EXPECT_EQ(resident(bytes.data() + 1, bytes.data(), nullptr), 1);
  EXPECT_EQ(resident(bytes.data(), nullptr, nullptr), 2);
  auto* const streamed = compiled.function<testing::InvokeStreamed>("net1_invoke");
  EXPECT_EQ(streamed(nullptr, nullptr, nullptr, nullptr), 1);
  EXPECT_EQ(streamed(bytes.data(), nullptr, nullptr, nullptr), 2);
}

// A callback that writes beside its destination, or not all of it.
TEST_F(CPackageTest, ChecksWhatACallbackWrites) {
  struct Source {
    int fewer_bytes = 0;  // the last of each rectangle that are not written
    int more_bytes = 0;
    int bad_call = 0;  // only from this one on
    int calls = 0;
  };
  const auto read = [](void* context, std::int32_t row_begin, std::int32_t row_end,
                       std::int32_t col_begin, std::int32_t col_end, std::int8_t* destination) {
    Source& source = *static_cast<Source*>(context);
    const bool is_bad = source.calls++ >= source.bad_call;
    const int bytes = (row_end - row_begin) * (col_end - col_begin) * 2;
    for (int i = 0; i < bytes + (is_bad ? source.more_bytes - source.fewer_bytes : 0); ++i) {
      destination[i] = static_cast<std::int8_t>(i * i - row_begin);
    }
  };
  RandomStream stream(45, "callbacks");
  Network network{.input = {12, 12, 2}, .layers = {}, .names = {}};
  network.layers.push_back({.output = {12, 12, 4}, .kernel = {3, 3, 1, 1, 1, 1}});
  network.layers.push_back({.inputs = {1, kNoTensor}, .output = {12, 12, 3}, .kernel = {}});
  const std::vector<Case> cases = {
      {testing::random_quantised(network, stream), {}, InputMode::kStreamed, "whole"},
      {testing::random_quantised(network, stream), PatchSchedule{{Segment::rows(0, 2, 1, 2)}},
       InputMode::kStreamed, "rows"}};
  const testing::CompiledPackages compiled(packages_of(cases), "-DPATCHNAS_CHECKS");
  ASSERT_EQ(compiled.errors(), "");
  for (const Case& c : cases) {
    auto* const invoke = compiled.function<testing::InvokeStreamed>((c.name + "_invoke").c_str());
    const auto status = [&](Source source) {
      GuardedArena arena(c.package().arena_bytes, stream);
      return invoke(arena.arena().data(), read, &source, nullptr);
    };
    EXPECT_EQ(status({}), 0);
    EXPECT_EQ(status({.more_bytes = 1}), 3);
    EXPECT_EQ(status({.fewer_bytes = 8}), 4);
    EXPECT_EQ(status({.fewer_bytes = 20, .bad_call = 1}), c.name == "rows" ? 4 : 0);
  }
}

// Sums of every sort; the image's last rows come after the last that is added up.
TEST_F(CPackageTest, AddsUpAlsoWhereRowsAreLeftOver) {
  RandomStream stream(46, "sums");
  std::vector<Case> cases;
  for (const LayerKind kind :
       {LayerKind::kAveragePool, LayerKind::kMean, LayerKind::kFullyConnected}) {
    for (const int strips : {1, 3}) {
      Network network{.input = {13, 11, 2}, .layers = {}, .names = {}};
      network.layers.push_back({.output = {13, 11, 5}, .kernel = {3, 3, 1, 1, 1, 1}});
      network.layers.push_back({.kind = LayerKind::kMaxPool,
                                .inputs = {1, kNoTensor},
                                .output = {4, 3, 5},
                                .kernel = {3, 3, 3, 3, 0, 0}});
      Layer sum{.kind = kind, .inputs = {2, kNoTensor}, .output = {1, 1, 5}, .kernel = {}};
      if (kind == LayerKind::kFullyConnected) {
        sum.output.channels = 7;
      } else {
        sum.kernel = {4, 3, 4, 3, 0, 0};
      }
      network.layers.push_back(sum);
      validate(network);
      cases.push_back({testing::random_quantised(network, stream),
                       PatchSchedule{{Segment::rows(0, 3, 1, strips)}}, InputMode::kStreamed,
                       "sum" + std::to_string(cases.size())});
    }
  }
  const testing::CompiledPackages compiled(packages_of(cases));
  ASSERT_EQ(compiled.errors(), "");
  for (const Case& c : cases) {
    GuardedArena arena(c.package().arena_bytes, stream);
    const auto image = testing::random_bytes(c.network.network.input.elements(), stream);
    EXPECT_EQ(c.run(compiled, image, arena.arena()), run_layer_by_layer(c.network, image))
        << c.description();
  }
}

TEST_F(CPackageTest, CallsTheHookBeforeEveryLayerOfEveryPatch) {
  RandomStream stream(36, "hook");
  Network network{.input = {12, 12, 2}, .layers = {}, .names = {}};
  network.layers.push_back({.output = {12, 12, 4}, .kernel = {3, 3, 1, 1, 1, 1}});
  network.layers.push_back({.inputs = {1, kNoTensor}, .output = {12, 12, 3}, .kernel = {}});
  network.layers.push_back(
      {.inputs = {2, kNoTensor}, .output = {1, 1, 3}, .kernel = {12, 12, 1, 1, 0, 0}});
  const Case c{testing::random_quantised(network, stream), PatchSchedule::leading({1, 2}, 2),
               InputMode::kResident, "hooked"};
  CPackage package = c.package();
  package.files["hook.c"] =
      "void hook(int layer);\nint called[16];\nint calls = 0;\n"
      "void hook(int layer) { called[calls++] = layer; }\n";
  const testing::CompiledPackages compiled({package}, "-DPATCHNAS_LAYER_HOOK=hook");
  ASSERT_EQ(compiled.errors(), "");
  GuardedArena arena(package.arena_bytes, stream);
  const auto image = testing::random_bytes(network.input.elements(), stream);
  EXPECT_EQ(c.run(compiled, image, arena.arena()), run_layer_by_layer(c.network, image));
  const int* const called = compiled.function<int>("called");
  EXPECT_EQ(std::vector<int>(called, called + *compiled.function<int>("calls")),
            (std::vector<int>{0, 1, 0, 1, 2, 3}));
}

TEST(CPackageNames, AreIdentifiersInLowerCase) {
  EXPECT_EQ(c_package_name("mcunet-5fps (1)"), "mcunet_5fps_1");
  EXPECT_EQ(c_package_name("96_VWW"), "vww");
  EXPECT_EQ(c_package_name("---"), "network");
  EXPECT_EQ(c_package_name("M\xc3\xbcller 2"), "m_ller_2");
  EXPECT_EQ(c_package_name(std::string(300, 'a')).size(), 60U);
  EXPECT_EQ(c_package_name("StdInt"), "net_stdint");
  EXPECT_EQ(c_package_name("patchnas_x"), "net_patchnas_x");
  EXPECT_EQ(c_package_name("my_stdint"), "my_stdint");
  RandomStream stream(37, "names");
  const QuantizedNetwork network = testing::random_quantised_network(stream);
  for (const char* const name :
       {"", "a-b", "9a", "Upper", "a__b", "a/b", "stdint", "main", "patchnas_x"}) {
    EXPECT_THROW(make_c_package(network, {}, InputMode::kResident, name), InputError) << name;
  }
}

// Each with its folder searched first for every header, as it has to be.
TEST(CPackageNames, OfHeadersFunctionsAndKeywordsMakePackagesThatCompile) {
  if (!testing::has_c_compiler()) {
    GTEST_SKIP() << "no C compiler (Debian: gcc)";
  }
  RandomStream stream(44, "names that mean something");
  Network layers{.input = {6, 6, 2}, .layers = {}, .names = {}};
  layers.names = {"stem", "add"};
  layers.layers.push_back({.output = {6, 6, 2}, .kernel = {}});
  layers.layers.push_back(
      {.kind = LayerKind::kAdd, .inputs = {0, 1}, .output = {6, 6, 2}, .kernel = {}});
  const QuantizedNetwork network = testing::random_quantised(layers, stream);
  for (const char* const file : {"patchnas_x", "patchnas", "patchnas_add", "stdint", "stddef",
                                 "features", "arm_acle", "main", "int", "register", "memcpy",
                                 "1_net", "m", "names", "runtime", "span", "NULL", "int8_t"}) {
    const std::string name = c_package_name(file);
    const testing::CompiledPackages compiled(
        {make_c_package(network, {}, InputMode::kResident, name)});
    ASSERT_EQ(compiled.errors(), "") << file;
    const auto image = testing::random_bytes(network.network.input.elements(), stream);
    const std::int64_t arena_bytes =
        plan_arena(ExecutionPlan(network.network, {}, InputMode::kResident)).arena_bytes;
    std::vector<std::int8_t> arena = testing::random_bytes(arena_bytes, stream);
    EXPECT_EQ(compiled.run_resident(name, image, arena, network.network.output().elements()),
              run_layer_by_layer(network, image))
        << file;
  }
}

TEST(CPackageNames, HostileLayerNamesStayInComments) {
  if (!testing::has_c_compiler()) {
    GTEST_SKIP() << "no C compiler (Debian: gcc)";
  }
  RandomStream stream(38, "hostile names");
  Network network{.input = {6, 6, 2}, .layers = {}, .names = {}};
  network.names = {"*/ int x; /*", "int", "same", "same", "a\nb\\", std::string(200, 'q'), "?\?/"};
  for (int i = 0; i < static_cast<int>(network.names.size()); ++i) {
    network.layers.push_back({.inputs = {i, kNoTensor}, .output = {6, 6, 2}, .kernel = {}});
  }
  const QuantizedNetwork quantised = testing::random_quantised(network, stream);
  const testing::CompiledPackages compiled(
      {make_c_package(quantised, PatchSchedule::leading({2, 2}, 3), InputMode::kStreamed, "x")});
  EXPECT_EQ(compiled.errors(), "");
}

class PublishedPackage : public ::testing::TestWithParam<const char*> {};

TEST_P(PublishedPackage, ComputesTheReferencesBits) {
  const std::filesystem::path model =
      testing::shared_models() / (std::string(GetParam()) + ".tflite");
  if (!std::filesystem::exists(model) || !testing::has_c_compiler()) {
    GTEST_SKIP() << "no reference networks in " << testing::shared_models()
                 << ", or no C compiler (Debian: gcc)";
  }
  const QuantizedNetwork network = import_tflite_file(model);
  const std::vector<Case> cases{
      {network, PatchSchedule::layer_by_layer(), InputMode::kResident, "whole"},
      {network, PatchSchedule::leading({3, 2}, 6), InputMode::kStreamed, "patches"}};
  const testing::CompiledPackages compiled(packages_of(cases));
  ASSERT_EQ(compiled.errors(), "");
  RandomStream stream(39, GetParam());
  const auto image = testing::random_bytes(network.network.input.elements(), stream);
  const auto expected = run_layer_by_layer(network, image);
  for (const Case& c : cases) {
    GuardedArena arena(c.package().arena_bytes, stream);
    EXPECT_EQ(c.run(compiled, image, arena.arena()), expected) << c.description();
    EXPECT_TRUE(arena.guards_are_intact()) << c.description();
  }
}

// Two inputs, each read from where it lies; two outputs, together and each in the arena.
TEST_F(CPackageTest, SeveralInputsAndOutputsHaveNames) {
  RandomStream stream(44, "ends");
  const TensorShape shape{4, 5, 3};
  Network network{.input = shape, .layers = {}, .names = {"Other Image", "sum", "scores"}};
  network.layers.push_back({.kind = LayerKind::kInput, .output = shape, .kernel = {}});
  network.layers.push_back(
      {.kind = LayerKind::kSubtract, .inputs = {0, 1}, .output = shape, .kernel = {}});
  network.layers.push_back({.kind = LayerKind::kFullyConnected,
                            .inputs = {2, kNoTensor},
                            .output = {1, 1, 7},
                            .kernel = {}});
  network.outputs = {3, 2};
  const QuantizedNetwork quantised = testing::random_quantised(network, stream);
  const auto inputs = testing::random_bytes(network.input_elements(), stream);
  const auto expected = run_layer_by_layer(quantised, inputs);
  const auto bytes = static_cast<std::size_t>(shape.elements());
  std::vector<CPackage> packages;
  for (const InputMode mode : kInputModes) {
    packages.push_back(make_c_package(quantised, {}, mode, "ends_" + std::string(to_string(mode))));
    const std::string& header =
        packages.back().files.at("ends_" + std::string(to_string(mode)) + ".h");
    for (const char* const text :
         {"_INPUT_OTHER_IMAGE_BYTES 60", "_OUTPUT_SCORES_CHANNELS 7", "_OUTPUT_SUM_SCALE ",
          "_OUTPUT_BYTES 67", "_output_scores(int8_t", "_input_Other_Image(int8_t",
          "_dequantize_sum(int8_t"}) {
      EXPECT_NE(header.find(text), std::string::npos) << text;
    }
  }
  const testing::CompiledPackages compiled(packages, "-DPATCHNAS_CHECKS");
  ASSERT_EQ(compiled.errors(), "");
  using Place = std::int8_t*(std::int8_t*);
  using Read = void(void*, std::int32_t, std::int32_t, std::int32_t, std::int32_t, std::int8_t*);
  using InvokeResident = int(std::int8_t*, const std::int8_t*, const std::int8_t*, std::int8_t*);
  using InvokeStreamed = int(std::int8_t*, Read*, void*, const std::int8_t*, std::int8_t*);
  std::vector<std::int8_t> output(expected.size());
  const std::int8_t* const other = inputs.data() + bytes;
  GuardedArena resident(packages[0].arena_bytes, stream);
  std::int8_t* const arena = resident.arena().data();
  const auto invoke = compiled.function<InvokeResident>("ends_resident_invoke");
  EXPECT_EQ(invoke(arena, inputs.data(), nullptr, output.data()), 2);
  EXPECT_EQ(invoke(arena, inputs.data(), other, output.data()), 0);
  EXPECT_EQ(output, expected);
  const std::int8_t* const sum = compiled.function<Place>("ends_resident_output_sum")(arena);
  EXPECT_TRUE(std::equal(sum, sum + bytes, expected.begin() + 7));
  // In their places in the arena.
  std::int8_t* const image = compiled.function<Place>("ends_resident_input")(arena);
  std::int8_t* const second = compiled.function<Place>("ends_resident_input_Other_Image")(arena);
  std::copy_n(inputs.begin(), bytes, image);
  std::copy_n(other, bytes, second);
  EXPECT_EQ(invoke(arena, image, second, output.data()), 0);
  EXPECT_EQ(output, expected);
  EXPECT_TRUE(resident.guards_are_intact());
  GuardedArena streamed(packages[1].arena_bytes, stream);
  std::vector<std::int8_t> whole(inputs.begin(),
                                 inputs.begin() + static_cast<std::ptrdiff_t>(bytes));
  Read* const read = [](void* context, std::int32_t row, std::int32_t row_end, std::int32_t,
                        std::int32_t, std::int8_t* to) {
    const auto& from = *static_cast<const std::vector<std::int8_t>*>(context);
    std::copy(from.begin() + row * 15, from.begin() + row_end * 15, to);
  };
  EXPECT_EQ(compiled.function<InvokeStreamed>("ends_streamed_invoke")(streamed.arena().data(), read,
                                                                      &whole, other, output.data()),
            0);
  EXPECT_EQ(output, expected);
  EXPECT_TRUE(streamed.guards_are_intact());
}

INSTANTIATE_TEST_SUITE_P(Published, PublishedPackage,
                         ::testing::Values("mcunet-10fps_vww", "mcunet-5fps_vww",
                                           "mcunet-256kb-1mb_imagenet", "tinyengine_vww_int8",
                                           "mlperf_vww_96_int8", "mlperf_resnet8_int8"),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '-', '_');
                           return text;
                         });

// The conversions of NAME.h, which are inline, as functions of the library.
CPackage with_probe(CPackage package, const std::string& name, const NetworkEnd& in,
                    const NetworkEnd& out) {
  std::string probe = "#include \"" + name + ".h\"\n";
  const auto add = [&](const std::string& result, const std::string& function,
                       const std::string& argument) {
    const std::string signature =
        result + " probe_" + name + "_" + function + "(" + argument + " x)";
    probe += signature + ";\n" + signature + " { return " + name + "_" + function + "(x); }\n";
  };
  add("int8_t", "quantize", "float");
  add("float", "dequantize", "int8_t");
  if (in.numbers == EndNumbers::kUint8) {
    add("int8_t", "from_uint8", "uint8_t");
  }
  if (out.numbers == EndNumbers::kUint8) {
    add("uint8_t", "to_uint8", "int8_t");
  }
  package.files[name + "_probe.c"] = probe;
  return package;
}

NetworkEnd random_end(const TensorQuantisation& tensor, RandomStream& stream) {
  NetworkEnd end;
  end.numbers =
      stream.pick(std::vector{EndNumbers::kInt8, EndNumbers::kUint8, EndNumbers::kFloat32});
  if (end.numbers == EndNumbers::kUint8) {
    const std::vector<float> factors{1.0F, 1.0F, 0.37F, 4.0F, 0.001F, 300.0F};
    end.uint8 = {tensor.scale * stream.pick(factors), static_cast<std::int32_t>(stream.below(256))};
  }
  return end;
}

// Halves of steps far beyond int8, and numbers that have no step.
std::vector<float> real_numbers(float scale) {
  std::vector<float> numbers{0.0F, -0.0F, 1e30F, -1e30F, std::numeric_limits<float>::quiet_NaN()};
  for (int half = -700; half <= 700; ++half) {
    numbers.push_back(scale * 0.5F * static_cast<float>(half));
  }
  return numbers;
}

void expect_real_conversions(const Case& each, const testing::CompiledPackages& compiled) {
  const NetworkEnd real{.numbers = EndNumbers::kFloat32};
  const std::string probe = "probe_" + each.name + "_";
  auto* const quantize = compiled.function<std::int8_t(float)>(probe + "quantize");
  auto* const dequantize = compiled.function<float(std::int8_t)>(probe + "dequantize");
  const TensorQuantisation in = each.network.input_quantisation();
  const TensorQuantisation out = each.network.output_quantisation();
  for (const float number : real_numbers(in.scale)) {
    std::vector<std::uint8_t> bytes(sizeof number);
    std::memcpy(bytes.data(), &number, sizeof number);
    EXPECT_EQ(quantize(number), to_int8(bytes, real, in)[0]) << each.name << ": " << number;
  }
  for (int value = -128; value <= 127; ++value) {
    const std::vector one{static_cast<std::int8_t>(value)};
    float expected = 0;
    std::memcpy(&expected, from_int8(one, real, out).data(), sizeof expected);
    EXPECT_EQ(dequantize(one[0]), expected) << each.name << ": " << value;
  }
}

void expect_uint8_conversions(const Case& each, const testing::CompiledPackages& compiled,
                              Arithmetic arithmetic) {
  const QuantizedNetwork& network = each.network;
  const std::string probe = "probe_" + each.name + "_";
  for (int i = 0; i < 256; ++i) {
    const std::vector number{static_cast<std::uint8_t>(i)};
    const std::vector value{static_cast<std::int8_t>(i - 128)};
    if (network.input_ends[0].numbers == EndNumbers::kUint8) {
      auto* const convert = compiled.function<std::int8_t(std::uint8_t)>(probe + "from_uint8");
      EXPECT_EQ(convert(number[0]), to_int8(number, network.input_ends[0],
                                            network.input_quantisation(), arithmetic)[0]);
    }
    if (network.output_ends[0].numbers == EndNumbers::kUint8) {
      auto* const convert = compiled.function<std::uint8_t(std::int8_t)>(probe + "to_uint8");
      EXPECT_EQ(convert(value[0]), from_int8(value, network.output_ends[0],
                                             network.output_quantisation(), arithmetic)[0]);
    }
  }
}

TEST_F(CPackageTest, HeadersConvertTheNumbersOfBothEnds) {
  RandomStream stream(38, "ends");
  std::vector<Case> cases;
  std::vector<CPackage> packages;
  for (int i = 0; i < 8; ++i) {
    QuantizedNetwork network = testing::random_quantised_network(stream);
    while (network.output_ends.size() > 1) {  // whose functions have longer names
      network = testing::random_quantised_network(stream);
    }
    network.input_ends[0] = random_end(network.tensors.front(), stream);
    network.output_ends[0] = random_end(network.tensors.back(), stream);
    if (stream.chance(0.3)) {
      network.output_ends[0].restated = TensorQuantisation{0.3F, 12};
    }
    const std::string name = "ends" + std::to_string(i);
    cases.push_back({network, PatchSchedule::layer_by_layer(), InputMode::kResident, name});
    packages.push_back(
        with_probe(cases.back().package(), name, network.input_ends[0], network.output_ends[0]));
  }
  for (const bool once : {false, true}) {
    const testing::CompiledPackages compiled(packages, once ? "-DPATCHNAS_SINGLE_ROUNDING" : "");
    ASSERT_EQ(compiled.errors(), "");
    for (const Case& each : cases) {
      expect_real_conversions(each, compiled);
      expect_uint8_conversions(
          each, compiled, once ? Arithmetic::kTfliteMicroSingleRounding : Arithmetic::kTfliteMicro);
    }
  }
}

}  // namespace
}  // namespace patchnas
