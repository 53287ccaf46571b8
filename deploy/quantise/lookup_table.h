#pragma once

// Functions of a single int8 value as tables of what each of the 256 becomes.

#include "arch/quantized_network.h"

namespace patchnas {

/// What TensorFlow Lite Micro's reference kernels compute for every stored value of the input.
/// @param slope of ValueFunction::kLeakyRelu below zero
/// @throws InputError saying why for scales or zero points with which its kernels do not run.
LookupTables lookup_tables(ValueFunction function, const TensorQuantisation& input,
                           const TensorQuantisation& output, float slope);

}  // namespace patchnas
