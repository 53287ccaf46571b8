#pragma once

// How good the networks in training are by now, on validation images. Looks only: weights, random
// streams and results stay as they are.

#include "search/run/metrics_log.h"
#include "search/stages/torch_workspace.h"

namespace patchnas {

/// accuracy_largest, and where the stage trains more than that accuracy_smallest and
/// accuracy_random_mean, over two architectures that are drawn once for all.
MetricsLog::Values evaluate_supernet(TorchWorkspace& workspace, const Supernet& supernet,
                                     StageId stage);

/// accuracy_subnet of the winner, if validates_winner(). Measures the running statistics of the
/// subnet again.
MetricsLog::Values evaluate_subnet(TorchWorkspace& workspace, Subnet& subnet);

/// accuracy_int8, of the exported network, if validates_winner().
MetricsLog::Values evaluate_int8(TorchWorkspace& workspace, const QuantizedNetwork& network);

}  // namespace patchnas
