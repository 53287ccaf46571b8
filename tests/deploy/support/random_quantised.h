#pragma once

// Random int8 networks whose activations spread over the int8 range, and the folder of shared
// reference models.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "arch/base/random.h"
#include "arch/patch_schedule.h"
#include "arch/quantized_network.h"

namespace patchnas::testing {

/// Random weights, biases and scales for `network`.
QuantizedNetwork random_quantised(const Network& network, RandomStream& stream);

/// A random network of either kind (support/random_networks.h), some with a softmax at the end.
QuantizedNetwork random_quantised_network(RandomStream& stream);

/// Whether the format has all its layers: it has no transposed convolution padded otherwise than
/// SAME or VALID, and no file gives one.
bool is_written_as_tflite(const Network& network);

std::vector<std::int8_t> random_bytes(std::int64_t count, RandomStream& stream);

/// The folder with the reference networks; it need not exist.
std::filesystem::path shared_models();

}  // namespace patchnas::testing
