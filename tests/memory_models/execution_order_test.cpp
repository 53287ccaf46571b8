// The order of least memory, against all orders that there are.

#include "memory_models/execution_order.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "arch/layer_order.h"
#include "memory_models/memory_models.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

std::int64_t peak_bytes(const Network& network) {
  return unplaced_arena_plan(
             ExecutionPlan(network, PatchSchedule::layer_by_layer(), InputMode::kResident))
      .lower_bound_bytes;
}

std::int64_t arena_bytes(const Network& network) {
  return plan_arena(ExecutionPlan(network, PatchSchedule::layer_by_layer(), InputMode::kResident))
      .arena_bytes;
}

// Calls `visit` with every order in which each layer comes after those that it reads, as long as it
// returns true.
void for_each_order(const Network& network,
                    const std::function<bool(const std::vector<int>&)>& visit) {
  std::vector<int> order;
  std::vector<bool> done(static_cast<std::size_t>(network.layer_count()));
  for (int i = 0; i + 1 < network.input_count(); ++i) {
    order.push_back(i);
    done[static_cast<std::size_t>(i)] = true;
  }
  const std::function<bool()> extend = [&] {
    if (static_cast<int>(order.size()) == network.layer_count()) {
      return visit(order);
    }
    for (int i = 0; i < network.layer_count(); ++i) {
      const auto is_there = [&](TensorId tensor) {
        return tensor <= kImage || done[static_cast<std::size_t>(tensor) - 1];
      };
      const auto at = static_cast<std::size_t>(i);
      const auto& inputs = network.layers[at].inputs;
      if (done[at] || !is_there(inputs[0]) || !is_there(inputs[1])) {
        continue;
      }
      done[at] = true;
      order.push_back(i);
      const bool go_on = extend();
      order.pop_back();
      done[at] = false;
      if (!go_on) {
        return false;
      }
    }
    return true;
  };
  extend();
}

TEST(ExecutionOrder, NoOtherHasASmallerPeak) {
  constexpr int kMostOrders = 2000;
  RandomStream stream(3, "order");
  int compared = 0;
  int better = 0;
  while (compared < 600) {
    const Network network = testing::random_graph(stream);
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    int orders = 0;
    for_each_order(network, [&](const std::vector<int>& order) {
      least = std::min(least, peak_bytes(reordered(network, order)));
      return ++orders <= kMostOrders;
    });
    if (orders < 2 || orders > kMostOrders) {
      continue;
    }
    ++compared;
    const ExecutionOrder found = least_memory_order(network);
    EXPECT_TRUE(found.is_least);
    const Network other = reordered(network, found.layers);
    validate(other);
    EXPECT_LE(arena_bytes(other), arena_bytes(network));
    if (other != network) {
      ++better;
      EXPECT_LT(arena_bytes(other), arena_bytes(network));
      EXPECT_EQ(peak_bytes(other), least) << "of " << orders << " orders";
    } else {
      // It stays as it is where the planner has nothing of a smaller peak.
      EXPECT_TRUE(peak_bytes(network) == least || arena_bytes(network) > least);
    }
  }
  EXPECT_GT(better, 40);
}

TEST(ExecutionOrder, ChainsHaveOne) {
  RandomStream stream(4, "order");
  for (int round = 0; round < 20; ++round) {
    const Network network = testing::random_lowered_network(stream);
    EXPECT_EQ(reordered(network, least_memory_order(network).layers), network);
  }
}

}  // namespace
}  // namespace patchnas
