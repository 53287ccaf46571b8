#pragma once

// Front door of supernet/: one set of weights that holds every network of a search space.
//
//   Supernet supernet(space, seed);
//   Trainer trainer(largest_recipe(supernet), *data.training, config);
//   while (trainer.step() < trainer.total_steps()) trainer.train_step();
//   supernet.sort_channels();
//   ... Trainer(random_recipe(supernet, 4), *data.training, config) ...
//   Subnet subnet = supernet.extract(architecture);
//   recalibrate_batch_norm(subnet, {*data.training, augmenter, seed, "recalibration"}, {});
//   double top1 = accuracy(subnet, data.validation, normalisation);
//
// Weights are shared as in Once-for-All and MCUNetV2: a smaller kernel is the centre of the larger
// one, fewer channels are the leading ones, a shorter stage is its leading blocks.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <c10/core/Device.h>

#include "arch/network.h"
#include "arch/search_space.h"
#include "supernet/network/layer_tensors.h"
#include "supernet/network/subnet.h"

namespace patchnas {

class Supernet {
 public:
  /// Weights from stream "supernet/weights" of `seed` (layer_tensors.h).
  Supernet(SearchSpace space, std::uint64_t seed, c10::Device device = c10::kCPU);

  [[nodiscard]] const SearchSpace& space() const { return space_; }
  /// All shared values, flat: trained_count(largest_network()) of them.
  [[nodiscard]] const at::Tensor& parameters() const { return parameters_; }
  [[nodiscard]] const Network& largest_network() const { return largest_; }

  /// The tensors of each layer of a network lowered from an architecture of the space: views into
  /// the shared weights, without running statistics.
  [[nodiscard]] std::vector<LayerTensors> active(const Network& network) const {
    return active(network, parameters_);
  }
  /// The same part of another tensor like parameters(), for example of a gradient.
  [[nodiscard]] std::vector<LayerTensors> active(const Network& network,
                                                 const at::Tensor& flat) const;

  /// Permutes channels by falling importance, the L1 norm of the weights that read them, without
  /// changing the function of the largest network. Channels that residuals tie together move
  /// together.
  void sort_channels();

  /// A stand-alone copy of one subnet. Its batch norm has no statistics yet: recalibrate it.
  [[nodiscard]] Subnet extract(const Architecture& architecture) const;

  [[nodiscard]] std::string save() const;
  /// @throws InputError if the bytes are damaged or belong to another space; nothing has changed
  /// then.
  void load(std::string_view bytes);

 private:
  using Slot = std::tuple<LayerRole, int, int>;  // role, stage, block

  SearchSpace space_;
  Network largest_;
  at::Tensor parameters_;
  std::map<Slot, std::size_t> slots_;  // layer of largest_ that holds the weights
};

}  // namespace patchnas
