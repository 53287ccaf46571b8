#pragma once

namespace patchnas {

/// Batch norm's epsilon, everywhere.
inline constexpr double kBatchNormEpsilon = 1e-5;

}  // namespace patchnas
