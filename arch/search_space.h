#pragma once

// The set of architectures and patch schedules that a search may choose from, MCUNetV2's form (Lin
// et al., NeurIPS 2021): per block kernel, expansion and width; per stage depth; input resolution;
// patch counts and split layers. And MobileNetV3's choices (Howard et al., ICCV 2019): per block
// activation and squeeze-and-excitation.
//
//   SearchSpace space = parse_search_space(reader.map("space"));
//   RandomStream stream(seed, "search/initial");
//   Network network = lower(space, sample(space, stream));

#include <string>
#include <vector>

#include "arch/architecture.h"
#include "arch/base/random.h"
#include "arch/base/yaml_reader.h"
#include "arch/network.h"
#include "arch/patch_schedule.h"

namespace patchnas {

/// What every block of a stage may choose. The first block of the stage has its stride, the others
/// stride 1.
struct StageSpace {
  int stride = 1;
  std::vector<int> depths;
  std::vector<int> kernel_sizes;
  std::vector<int> expand_ratios;
  std::vector<int>
      widths;  ///< output channels: base width times each multiplier, rounded, without duplicates
  std::vector<BlockActivation> activations{BlockActivation::kRelu6};
  std::vector<SqueezeExcitation> squeeze_excitations{SqueezeExcitation::kAbsent};
  /// Of the 1x1 convolutions. Channels are shuffled between the groups, as ShuffleNet does; a
  /// depthwise convolution commutes with that, so it only decides which channels the projection's
  /// groups read, and is no layer. Priced, neither trained nor executed.
  int groups = 1;
  bool residual = true;  ///< whether blocks whose input and output shapes agree add their input
  bool operator==(const StageSpace&) const = default;
};

/// How strided layers are padded: as TensorFlow's SAME (surplus at the bottom and right; a .tflite
/// needs no PAD operator), or kernel_size / 2 on every side, as the PyTorch versions of published
/// networks.
enum class Padding { kSame, kSymmetric };

struct SearchSpace {
  int input_channels = 3;
  int classes = 2;
  std::vector<int> resolutions;
  Padding padding = Padding::kSame;
  int stem_width = 16;
  int stem_kernel_size = 3;
  int stem_stride = 2;
  std::vector<StageSpace> stages;
  int head_width = 0;  ///< channels of a 1x1 convolution before the pooling; 0 for none
  ScheduleSpace schedules;
  bool operator==(const SearchSpace&) const = default;
};

/// Reads the `space` mapping of a config. A stage gives `width`, multiplied by `width_multiplier`
/// and rounded to `channel_divisor`, or the final `widths`; its `groups` must divide them and the
/// widths before it. @throws InputError with file, line and column.
SearchSpace parse_search_space(YamlReader reader);
/// The YAML text that parse_search_space reads back as an equal space, indented by `indent` spaces.
std::string to_yaml(const SearchSpace& space, int indent);

/// Channels as MobileNets round them: the nearest multiple of `divisor`, never below `divisor` and
/// never more than 10 % below `width` (Sandler et al., 2018).
int round_channels(double width, int divisor);

/// Number of architectures, exactly, in decimal (it exceeds any integer type).
std::string count_architectures(const SearchSpace& space);

/// Every combination of what a block of the stage may choose, the smallest first.
std::vector<BlockChoice> block_choices(const StageSpace& stage);

/// Every choice drawn uniformly and independently.
Architecture sample(const SearchSpace& space, RandomStream& stream);
/// The architecture with the largest value of every choice, and the smallest.
Architecture largest(const SearchSpace& space);
Architecture smallest(const SearchSpace& space);
/// Draws each choice again with probability `rate`.
Architecture mutate(const SearchSpace& space, const Architecture& parent, double rate,
                    RandomStream& stream);
/// Takes each choice (resolution, each stage's depth, each of a block's) from either parent.
Architecture crossover(const SearchSpace& space, const Architecture& a, const Architecture& b,
                       RandomStream& stream);

/// Whether the space offers this architecture; if not, `reason` names the first choice outside it.
struct Membership {
  bool contained = true;
  std::string reason;
};
Membership contains(const SearchSpace& space, const Architecture& architecture);

/// The one lowering: an architecture as layers with all shapes resolved. A block is
/// expand 1x1 + ReLU6 (absent where expand_ratio is 1), depthwise k x k + ReLU6, project 1x1, and
/// an add where input and output shapes agree (unless the stage has none); then the optional 1x1
/// head, global average pooling, classifier. A hard-swish in place of ReLU6 is a layer of its own.
/// Squeeze-and-excitation lies before the projection: global average pooling, 1x1 + ReLU to a
/// quarter of the channels, 1x1, logistic function, multiplication. Every convolution of a map is
/// followed by batch norm while training; it is folded for int8.
/// @throws InputError if the space does not contain the architecture or the image is too small for
/// it.
Network lower(const SearchSpace& space, const Architecture& architecture);
/// The same into `network`, whose memory is used again.
void lower(const SearchSpace& space, const Architecture& architecture, Network& network);

}  // namespace patchnas
