#pragma once

// From the trained winner to int8. What is trained here is left in best/, where the export reads
// it.

#include "arch/quantized_network.h"
#include "search/stages/torch_images.h"
#include "supernet/network/folded_subnet.h"
#include "supernet/network/subnet.h"

namespace patchnas {

/// Batch norm folded, ranges over the calibration images: post-training quantisation.
FoldedSubnet calibrate(const TorchContext& context, RunImages& images, const Subnet& subnet);

/// Quantisation-aware training of the calibrated winner, for hours perhaps; from a checkpoint on,
/// where there is one, and not at all if that is the last. All ranks together.
FoldedSubnet train_quantised(const TorchContext& context, RunImages& images,
                             FoldedSubnet calibrated);

/// The winner as train_quantised() left it, on all ranks together.
/// @throws InputError if its weights are missing or damaged.
FoldedSubnet read_quantised(const TorchContext& context, const Architecture& architecture);

/// The int8 network that a folded subnet becomes.
QuantizedNetwork to_int8(const Config& config, const FoldedSubnet& subnet);

}  // namespace patchnas
