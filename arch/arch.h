#pragma once

// Front door of arch/: search spaces, architectures, networks, patch schedules, tile geometry.
//
//   SearchSpace space = parse_search_space(YamlReader::parse_file("space.yaml"));
//   RandomStream stream(/*seed=*/1, "example");
//   Architecture architecture = sample(space, stream);
//   Network network = lower(space, architecture);
//   PatchSchedule schedule = PatchSchedule::leading({3, 3}, /*split_layer=*/7);
//   std::int64_t macs = scheduled_macs(network, schedule);

#include "arch/architecture.h"         // IWYU pragma: export
#include "arch/base/error.h"           // IWYU pragma: export
#include "arch/base/random.h"          // IWYU pragma: export
#include "arch/block_recognition.h"    // IWYU pragma: export
#include "arch/fixed_point.h"          // IWYU pragma: export
#include "arch/float_network.h"        // IWYU pragma: export
#include "arch/kernel_padding.h"       // IWYU pragma: export
#include "arch/network.h"              // IWYU pragma: export
#include "arch/network_description.h"  // IWYU pragma: export
#include "arch/patch_schedule.h"       // IWYU pragma: export
#include "arch/quantized_network.h"    // IWYU pragma: export
#include "arch/search_space.h"         // IWYU pragma: export
#include "arch/tile_geometry.h"        // IWYU pragma: export
#include "arch/value_histogram.h"      // IWYU pragma: export
