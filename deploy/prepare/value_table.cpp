#include "deploy/prepare/value_table.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "arch/operator_table.h"
#include "deploy/reference/reference_kernels.h"

namespace patchnas {
namespace {

bool is_one_number(const std::vector<std::int8_t>& values) {
  return !values.empty() && std::equal(values.begin() + 1, values.end(), values.begin());
}

bool reads_single_values(const Layer& layer, const QuantizedLayer& quantised) {
  switch (layer.kind) {
    case LayerKind::kAveragePool:
    case LayerKind::kMaxPool:
    case LayerKind::kMean:
      return layer.kernel == Kernel{};
    default:
      return operator_facts(layer.kind).combines() &&
             (has_constant_operand(layer) ? is_one_number(quantised.constants)
                                          : layer.inputs[0] == layer.inputs[1]);
  }
}

// All values in turn, as pixels of one channel.
LookupTable answers(const QuantizedNetwork& network, int index, Arithmetic arithmetic) {
  const TensorShape shape{1, 256, 1};
  Layer layer = network.network.layers[static_cast<std::size_t>(index)];
  layer.output = shape;
  layer.has_constant_map = false;
  LayerContext of_network = layer_context(network, index, arithmetic);
  const LayerContext context{.layer = layer,
                             .quantised = of_network.quantised,
                             .inputs = of_network.inputs,
                             .output = of_network.output,
                             .arithmetic = arithmetic};
  std::vector<std::int8_t> values(256);
  std::iota(values.begin(), values.end(), std::int8_t{-128});
  const InputWindow input{values, full_rect(shape), shape};
  LookupTable table(values.size());
  run_layer(context, {input, input}, {table, full_rect(shape), shape}, full_rect(shape));
  return table;
}

LookupTable composed(const LookupTable& first, const LookupTable& second) {
  LookupTable table;
  std::transform(first.begin(), first.end(), std::back_inserter(table),
                 [&](std::int8_t value) { return second[static_cast<std::size_t>(value + 128)]; });
  return table;
}

}  // namespace

std::optional<LookupTables> value_table(const QuantizedNetwork& network, int index) {
  const Layer& layer = network.network.layers[static_cast<std::size_t>(index)];
  const QuantizedLayer& quantised = network.layers[static_cast<std::size_t>(index)];
  if (layer.kind == LayerKind::kLookup) {
    return quantised.lookup;
  }
  if (!reads_single_values(layer, quantised)) {
    return std::nullopt;
  }
  return LookupTables{.twice = answers(network, index, Arithmetic::kTfliteMicro),
                      .once = answers(network, index, Arithmetic::kTfliteMicroSingleRounding)};
}

LookupTables composed(const LookupTables& first, const LookupTables& second) {
  return {.twice = composed(first.twice, second.twice), .once = composed(first.once, second.once)};
}

}  // namespace patchnas
