#pragma once

// Front door of supernet/: one set of weights that holds every network of a search space.
//
//   Supernet supernet(space, seed);
//   Trainer trainer = Trainer::of_largest(supernet, data.training, config);
//   while (trainer.step() < trainer.total_steps()) trainer.train_step();
//   supernet.sort_channels();
//   ... Trainer::of_subnets(...) ...
//   Subnet subnet = supernet.extract(architecture);
//   recalibrate_batch_norm(subnet, data.training, ...);
//   double top1 = accuracy(subnet, data.validation, ...);
//
// Weights are shared as in Once-for-All and MCUNetV2: a smaller kernel is the centre of the larger
// one, fewer channels are the leading ones, a shorter stage is its leading blocks.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "arch/network.h"
#include "arch/search_space.h"
#include "supernet/layer_tensors.h"
#include "supernet/subnet.h"

namespace patchnas {

class Supernet {
 public:
  /// Weights from stream "supernet/weights" of `seed`: He-normal convolutions, gamma 1, beta 0.
  Supernet(const SearchSpace& space, std::uint64_t seed, c10::Device device = c10::kCPU);

  [[nodiscard]] const SearchSpace& space() const { return space_; }
  [[nodiscard]] std::vector<at::Tensor> parameters() const;

  /// The tensors of each layer of a network lowered from an architecture of the space: views into the
  /// shared weights, so gradients flow into exactly the active part. No running statistics.
  [[nodiscard]] std::vector<LayerTensors> active(const Network& network) const;

  /// Permutes channels by falling importance (L1 norm of the weights that read them) without changing
  /// the function of the largest network. Channels of one stage's outputs are tied by its residuals
  /// and move together.
  void sort_channels();

  /// A stand-alone copy of one subnet. Its batch norm has no statistics yet: recalibrate it.
  [[nodiscard]] Subnet extract(const Architecture& architecture) const;

  [[nodiscard]] std::string save() const;
  /// @throws InputError if the bytes are damaged or belong to another space; nothing has changed then.
  void load(std::string_view bytes);

 private:
  using Slot = std::tuple<LayerRole, int, int>;  // role, stage, block

  SearchSpace space_;
  Network largest_;
  std::vector<LayerTensors> shared_;  // per layer of largest_
  std::map<Slot, std::size_t> slots_;
};

}  // namespace patchnas
