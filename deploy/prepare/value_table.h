#pragma once

// What layers do to single values.

#include <optional>

#include "arch/quantized_network.h"

namespace patchnas {

/// What the layer makes of each stored value, where each element of its output follows from the
/// same element of one tensor: tables, arithmetic with one number or with itself, windows of one
/// pixel. Else nothing.
std::optional<LookupTables> value_table(const QuantizedNetwork& network, int layer);

/// First `first`, then `second`.
LookupTables composed(const LookupTables& first, const LookupTables& second);

}  // namespace patchnas
