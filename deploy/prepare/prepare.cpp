#include "deploy/prepare/prepare.h"

#include <utility>

#include "arch/join_parts.h"
#include "arch/layer_order.h"
#include "memory_models/arena_plan.h"
#include "memory_models/execution_order.h"

namespace patchnas {
namespace {

QuantizedNetwork in_least_order(const QuantizedNetwork& network) {
  return reordered(network, least_memory_order(network.network).layers);
}

std::int64_t arena_bytes(const Network& network) {
  return plan_arena(ExecutionPlan(network, PatchSchedule::layer_by_layer(), InputMode::kResident))
      .arena_bytes;
}

}  // namespace

Preparation prepare(const QuantizedNetwork& network, Folding folding) {
  FoldedNetwork folded =
      folding == Folding::kExact ? fold(network) : FoldedNetwork{.network = network, .removed = {}};
  QuantizedNetwork apart = in_least_order(folded.network);
  QuantizedNetwork joined = in_least_order(with_joined_parts(folded.network));
  const bool is_less = arena_bytes(joined.network) <= arena_bytes(apart.network);
  return {.network = std::move(is_less ? joined : apart), .removed = std::move(folded.removed)};
}

}  // namespace patchnas
