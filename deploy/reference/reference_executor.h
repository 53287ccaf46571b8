#pragma once

// The integer reference, layer by layer with every tensor kept whole: what any schedule must
// reproduce bit for bit.
//
//   std::vector<std::int8_t> logits = run_layer_by_layer(network, image);

#include <cstdint>
#include <span>
#include <vector>

#include "arch/base/parallel.h"
#include "arch/quantized_network.h"
#include "deploy/reference/litert_arithmetic.h"

namespace patchnas {

/// All tensors, [H, W, C] each; tensor 0 is the image. Safe to call from several threads.
/// @param image with any further inputs behind it
/// @throws InputError if its size is not the network's.
std::vector<std::vector<std::int8_t>> run_all_layers(
    const QuantizedNetwork& network, std::span<const std::int8_t> image,
    Arithmetic arithmetic = Arithmetic::kTfliteMicro);

/// The network's outputs, one after the other, for one image [H, W, C] as above.
std::vector<std::int8_t> run_layer_by_layer(const QuantizedNetwork& network,
                                            std::span<const std::int8_t> image,
                                            Arithmetic arithmetic = Arithmetic::kTfliteMicro);

/// Outputs back to back for images back to back, computed in all threads of parallel.h.
/// @param before_each of the images
std::vector<std::int8_t> run_images(const QuantizedNetwork& network,
                                    std::span<const std::int8_t> images,
                                    Arithmetic arithmetic = Arithmetic::kTfliteMicro,
                                    const BeforeEach& before_each = {});

}  // namespace patchnas
