#pragma once

// A subnet whose batch norm has been folded, with the ranges of its activations: all that int8
// export needs, and what quantisation-aware training (trainer.h) trains.
//
//   FoldedSubnet subnet(fold_batch_norm(float_network), ranges);             // of deploy/
//   Trainer trainer(quantised_recipe(subnet, quantiser), training, config);
//   QuantizedNetwork network = quantiser(subnet.to_float_network(), subnet.ranges());

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <c10/core/Device.h>

#include "arch/float_network.h"
#include "arch/quantized_network.h"
#include "supernet/network/layer_tensors.h"

namespace patchnas {

/// quantise() of deploy/: folded weights and ranges to what is exported. supernet/ does not know
/// deploy/, so whoever trains passes it in.
using Quantiser =
    std::function<QuantizedNetwork(const FloatNetwork&, const std::vector<ValueRange>&)>;

class FoldedSubnet {
 public:
  /// @param folded every layer with weights has a bias and no batch norm
  /// @param ranges one per tensor
  /// @throws InputError if that is not so.
  FoldedSubnet(const FloatNetwork& folded, std::vector<ValueRange> ranges,
               c10::Device device = c10::kCPU);
  /// Weights, biases and ranges of 0, to be loaded.
  explicit FoldedSubnet(Network network, c10::Device device = c10::kCPU);

  [[nodiscard]] const Network& network() const { return network_; }
  /// One per layer, views into parameters(): weight and bias. Writing to them changes the subnet.
  [[nodiscard]] const std::vector<LayerTensors>& layers() const { return layers_; }
  /// All trained values, flat (TrainedForm::kFolded).
  [[nodiscard]] const at::Tensor& parameters() const { return parameters_; }
  [[nodiscard]] const std::vector<ValueRange>& ranges() const { return ranges_; }

  [[nodiscard]] FloatNetwork to_float_network() const;

  /// Weights, biases and ranges.
  [[nodiscard]] std::string save() const;
  /// @throws InputError if the bytes are damaged or belong to another network; nothing has changed
  /// then.
  void load(std::string_view bytes);

 private:
  Network network_;
  at::Tensor parameters_;
  std::vector<LayerTensors> layers_;
  std::vector<ValueRange> ranges_;
};

}  // namespace patchnas
