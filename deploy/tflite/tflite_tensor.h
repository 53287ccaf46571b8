#pragma once

namespace patchnas {

/// Index into the tensors of a .tflite file; -1 marks an optional input that is absent.
using FileTensor = int;

}  // namespace patchnas
