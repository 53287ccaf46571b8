#pragma once

// A network with tensors of its own.
//
//   Subnet subnet = supernet.extract(architecture);
//   recalibrate_batch_norm(subnet, ...);                       // evaluation.h
//   FloatNetwork plain = subnet.to_float_network();            // for int8 export

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <c10/core/Device.h>

#include "arch/float_network.h"
#include "arch/network.h"
#include "arch/value_histogram.h"
#include "supernet/data/image_set.h"
#include "supernet/network/layer_tensors.h"

namespace patchnas {

class Subnet {
 public:
  /// Fresh weights from stream "subnet/weights" of `seed`; running mean 0 and variance 1.
  explicit Subnet(Network network, std::uint64_t seed = 0, c10::Device device = c10::kCPU);
  /// Copies tensors; running mean 0 and variance 1 where there are none.
  Subnet(Network network, const std::vector<LayerTensors>& layers);

  [[nodiscard]] const Network& network() const { return network_; }
  [[nodiscard]] c10::Device device() const { return parameters_.device(); }
  /// One per layer, views into parameters() and the running statistics. Writing to them changes the
  /// subnet.
  [[nodiscard]] const std::vector<LayerTensors>& layers() const { return layers_; }
  /// All trained values, flat (layer_tensors.h).
  [[nodiscard]] const at::Tensor& parameters() const { return parameters_; }

  /// Plain numbers for int8 export; batch norm is not folded.
  [[nodiscard]] FloatNetwork to_float_network() const;

  /// Smallest and largest value of every tensor (0 is the image) over `images`, with running
  /// statistics.
  /// @param images of the network's input size
  /// @throws InputError if they have another size, or there are none.
  [[nodiscard]] std::vector<ValueRange> observe_ranges(
      const ImageSet& images, const PixelNormalisation& normalisation) const;
  /// All values of every tensor, as observe_ranges() sees them. Runs the images twice.
  [[nodiscard]] std::vector<ValueHistogram> observe_histograms(
      const ImageSet& images, const PixelNormalisation& normalisation) const;

  /// Weights and running statistics.
  [[nodiscard]] std::string save() const;
  /// @throws InputError if the bytes are damaged or belong to another network; nothing has changed
  /// then.
  void load(std::string_view bytes);

 private:
  using Observe = std::function<void(TensorId, std::span<const float>)>;
  void observe(const ImageSet& images, const PixelNormalisation& normalisation,
               const Observe& observe) const;

  Network network_;
  at::Tensor parameters_;
  std::vector<LayerTensors> layers_;
};

/// @throws InputError naming both sizes.
void check_image_size(const Network& network, const ImageSet& images);

}  // namespace patchnas
