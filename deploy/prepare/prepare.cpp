#include "deploy/prepare/prepare.h"

#include <utility>

#include "arch/layer_order.h"
#include "memory_models/execution_order.h"

namespace patchnas {

Preparation prepare(const QuantizedNetwork& network, Folding folding) {
  FoldedNetwork folded =
      folding == Folding::kExact ? fold(network) : FoldedNetwork{.network = network, .removed = {}};
  return {.network = reordered(folded.network, least_memory_order(folded.network.network).layers),
          .removed = std::move(folded.removed)};
}

}  // namespace patchnas
