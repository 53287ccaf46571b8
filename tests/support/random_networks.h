#pragma once

// Random search spaces, architectures and general networks for property tests.

#include "arch/arch.h"

namespace patchnas::testing {

/// A small random space (few channels, small images, both paddings), different for every draw.
SearchSpace random_space(RandomStream& stream);

/// An architecture of a random space, lowered.
Network random_lowered_network(RandomStream& stream);

/// A chain with residual adds, pools, odd channel counts, non-square images and kernels, strides 1
/// and 2 and uneven padding: what an imported network may look like.
Network random_general_network(RandomStream& stream);

/// A graph of everything that an imported network may have: the same, and branches that are
/// combined, concatenated and split, functions of single values, constants, resizing, copies,
/// groups and dilation, several inputs and outputs.
Network random_graph(RandomStream& stream, int most_further_inputs = 2);

/// One of the three.
Network random_network(RandomStream& stream, int most_further_inputs = 2);

/// The same network with random groups in every convolution whose channels they divide.
Network with_random_groups(Network network, RandomStream& stream);

/// MCUNetV2's form, or segments from the first layer to the last: rows cached, patches and layers
/// in none of them, in any order.
PatchSchedule random_schedule(const Network& network, RandomStream& stream);

/// Every p x p schedule, some with other grids, and random ones.
std::vector<PatchSchedule> all_schedules(const Network& network, RandomStream& stream);

}  // namespace patchnas::testing
