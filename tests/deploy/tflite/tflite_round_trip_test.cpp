#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "arch/kernel_padding.h"
#include "arch/operator_table.h"
#include "deploy/quantise/requantisation.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/as_imported.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

bool has_pad_operator(const std::vector<std::uint8_t>& file) {
  const std::string bytes(file.begin(), file.end());
  return bytes.find("/pad/paddings") != std::string::npos;
}

TEST(TfliteRoundTrip, LoweredNetworksComeBackEqual) {
  RandomStream stream(41, "round trip of lowered networks");
  for (int i = 0; i < 60; ++i) {
    const QuantizedNetwork network =
        testing::random_quantised(testing::random_lowered_network(stream), stream);
    const std::vector<std::uint8_t> file = export_tflite(network);
    EXPECT_EQ(import_tflite(file, "exported"), testing::as_imported(network)) << "network " << i;
    EXPECT_EQ(export_tflite(network), file) << "the bytes must not change from call to call";
  }
}

// Whether SAME, VALID or the PAD operators that the network has say the padding of all its windows.
bool pads_as_files_do(const Network& network) {
  return std::all_of(network.layers.begin(), network.layers.end(), [&](const Layer& layer) {
    return operator_facts(layer.kind).reads != Reads::kTaps || layer.kind == LayerKind::kMean ||
           kernel_padding(network.shape(layer.inputs[0]), layer);
  });
}

TEST(TfliteRoundTrip, GeneralNetworksComeBackEqualOrAsOthersOfTheSameBytes) {
  RandomStream stream(42, "round trip of general networks");
  int equal = 0;
  int same_bytes = 0;
  for (int i = 0; i < 400; ++i) {
    const QuantizedNetwork network =
        testing::random_quantised(testing::random_general_network(stream), stream);
    const QuantizedNetwork read = import_tflite(export_tflite(network), "exported");
    if (pads_as_files_do(network.network)) {
      EXPECT_EQ(read, testing::as_imported(network)) << "network " << i;
      ++equal;
    } else {
      const auto image = testing::random_bytes(network.network.input.elements(), stream);
      EXPECT_EQ(run_layer_by_layer(read, image), run_layer_by_layer(network, image))
          << "network " << i;
      ++same_bytes;
    }
  }
  EXPECT_GE(equal, 100);
  EXPECT_GE(same_bytes, 100);
}

TEST(TfliteRoundTrip, EndsAndOperatorsComeBackEqual) {
  RandomStream stream(45, "round trip of ends");
  const auto random_end = [&] {
    NetworkEnd end;
    end.numbers =
        stream.pick(std::vector{EndNumbers::kInt8, EndNumbers::kUint8, EndNumbers::kFloat32});
    if (end.numbers == EndNumbers::kUint8) {
      end.uint8 = {0.02F, static_cast<std::int32_t>(stream.below(256))};
    }
    if (stream.chance(0.3)) {
      end.restated = TensorQuantisation{0.3F, 12};
    }
    return end;
  };
  int fully_connected = 0;
  for (int i = 0; i < 60; ++i) {
    QuantizedNetwork network =
        testing::random_quantised(testing::random_lowered_network(stream), stream);
    network.input_ends[0] = random_end();
    network.output_ends[0] = random_end();
    for (int layer = 0; layer < network.network.layer_count(); ++layer) {
      const Layer& shape = network.network.layers[static_cast<std::size_t>(layer)];
      if (shape.kind == LayerKind::kConv2d && shape.kernel == Kernel{} &&
          shape.output.pixels() > 1 && stream.chance(0.5)) {
        network.layers[static_cast<std::size_t>(layer)].convolution_operator =
            ConvolutionOperator::kFullyConnected;
        ++fully_connected;
      }
    }
    network = derive_arithmetic(std::move(network));
    EXPECT_EQ(import_tflite(export_tflite(network), "exported"), testing::as_imported(network))
        << "network " << i;
  }
  EXPECT_GT(fully_connected, 20);
}

TEST(TfliteRoundTrip, OnlySymmetricPaddingNeedsAnOperatorOfItsOwn) {
  RandomStream stream(43, "padding");
  int padded = 0;
  for (int i = 0; i < 60; ++i) {
    const SearchSpace space = testing::random_space(stream);
    const Network network = lower(space, sample(space, stream));
    const std::vector<std::uint8_t> file =
        export_tflite(testing::random_quantised(network, stream));
    if (space.padding == Padding::kSame) {
      EXPECT_FALSE(has_pad_operator(file)) << "network " << i;
    }
    padded += has_pad_operator(file) ? 1 : 0;
  }
  EXPECT_GT(padded, 0);
}

}  // namespace
}  // namespace patchnas
