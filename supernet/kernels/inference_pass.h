#pragma once

// A network with running statistics on the CPU, or an int8 one: each thread takes a few images
// through all layers while they stay in its cache.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "arch/network.h"
#include "arch/quantized_network.h"
#include "supernet/kernels/fused_layers.h"

namespace patchnas::kernels {

class InferencePass {
 public:
  /// `network` must be supported() and outlive the pass.
  InferencePass(const Network& network, std::span<const LayerValues> values);

  /// `network` must also be exact_in_floats(): logits are those of the exported network. Images are
  /// pixel_steps().
  explicit InferencePass(const QuantizedNetwork& network);

  /// Writes the images, normalised or in steps, [end - begin, H, W, C] to `target`; called in
  /// several threads.
  using ImageSource = std::function<void(int begin, int end, float* target)>;

  /// @return logits [count, classes]
  [[nodiscard]] std::vector<float> run(const ImageSource& source, int count) const;

 private:
  // What readers apply to a raw output before the clamp.
  struct Norm {
    std::vector<float> scale;  ///< empty: nothing, and no clamp
    std::vector<float> shift;
  };
  struct Thread;

  InferencePass(const Network& network, std::vector<FusedLayer> layers);

  void run_images(Thread& thread, const ImageSource& source, int begin, int end,
                  float* logits) const;
  [[nodiscard]] ActivationView view(TensorId tensor, const float* raw) const;

  const Network& network_;
  std::vector<FusedLayer> layers_;
  std::vector<Norm> norms_;        // per layer
  std::vector<int> last_readers_;  // per tensor
  int images_at_once_ = 1;
};

}  // namespace patchnas::kernels
