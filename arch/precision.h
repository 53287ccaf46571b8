#pragma once

namespace patchnas {

/// Of training. kMixed: LibTorch's autocast, with a loss scale that adapts itself (Micikevicius et
/// al., 2018). Evaluation is always in float32.
enum class Precision { kFloat32, kMixed };

}  // namespace patchnas
