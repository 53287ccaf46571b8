#pragma once

// Front door of supernet/network/: one set of weights that holds every network of a space, and its
// networks: forward, loss, evaluation.
//
//   Supernet supernet(space, seed);
//   Subnet subnet = supernet.extract(architecture);
//   recalibrate_batch_norm(subnet, {*data.training, augmenter, seed, "recalibration"}, {});
//   double top1 = accuracy(subnet, data.validation, normalisation);

#include "supernet/network/compute.h"        // IWYU pragma: export
#include "supernet/network/device.h"         // IWYU pragma: export
#include "supernet/network/evaluation.h"     // IWYU pragma: export
#include "supernet/network/folded_subnet.h"  // IWYU pragma: export
#include "supernet/network/loss.h"           // IWYU pragma: export
#include "supernet/network/subnet.h"         // IWYU pragma: export
#include "supernet/network/supernet.h"       // IWYU pragma: export
#include "supernet/network/threads.h"        // IWYU pragma: export
