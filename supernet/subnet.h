#pragma once

// A network with tensors of its own.

#include <c10/core/Device.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arch/float_network.h"
#include "arch/network.h"
#include "supernet/image_set.h"
#include "supernet/layer_tensors.h"

namespace patchnas {

class Subnet {
 public:
  /// Fresh weights from stream "subnet/weights" of `seed`.
  Subnet(Network network, std::uint64_t seed, c10::Device device = c10::kCPU);
  /// Takes tensors as they are; running statistics are added (mean 0, variance 1) where missing.
  Subnet(Network network, std::vector<LayerTensors> layers);

  [[nodiscard]] const Network& network() const { return network_; }
  [[nodiscard]] const std::vector<LayerTensors>& layers() const { return layers_; }
  [[nodiscard]] c10::Device device() const;

  /// Plain numbers for int8 export; batch norm is not folded.
  [[nodiscard]] FloatNetwork to_float_network() const;

  /// Smallest and largest value of every tensor (0 is the image) over `images`, with running statistics.
  /// @param images of the network's input size
  [[nodiscard]] std::vector<ValueRange> observe_ranges(const ImageSet& images,
                                                       const PixelNormalisation& normalisation) const;

  [[nodiscard]] std::string save() const;
  /// @throws InputError if the bytes are damaged or belong to another network; nothing has changed then.
  void load(std::string_view bytes);

 private:
  Network network_;
  std::vector<LayerTensors> layers_;
};

}  // namespace patchnas
