#pragma once

// How good networks are on validation images: candidates of the search, the networks in training by
// now, the winner. Looks only: weights, random streams and results stay as they are, but for the
// running statistics where that is said.

#include <limits>
#include <string>

#include "arch/quantized_network.h"
#include "search/run/metrics_log.h"
#include "search/stages/torch_images.h"
#include "supernet/network/supernet.h"

namespace patchnas {

/// Measures the statistics of batch norm, on augmented training images drawn from the named
/// stream.
void recalibrate(const TorchContext& context, RunImages& images, Subnet& subnet,
                 const std::string& stream_name);

/// On at most so many of the validation images.
double validation_accuracy(const TorchContext& context, RunImages& images, const Subnet& subnet,
                           int most_images = std::numeric_limits<int>::max());
double validation_accuracy(RunImages& images, const QuantizedNetwork& network,
                           int most_images = std::numeric_limits<int>::max());

/// accuracy_largest, and where the stage trains more than that accuracy_smallest and
/// accuracy_random_mean, over two architectures that are drawn once for all.
MetricsLog::Values evaluate_supernet(const TorchContext& context, RunImages& images,
                                     const Supernet& supernet, StageId stage);

/// accuracy_subnet of the winner, if validates_winner(). Measures the running statistics of the
/// subnet again.
MetricsLog::Values evaluate_subnet(const TorchContext& context, RunImages& images, Subnet& subnet);

/// accuracy_int8, of the exported network, if validates_winner().
MetricsLog::Values evaluate_int8(const TorchContext& context, RunImages& images,
                                 const QuantizedNetwork& network);

}  // namespace patchnas
