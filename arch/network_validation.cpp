// What a network must fulfil.

#include <algorithm>

#include "arch/base/error.h"
#include "arch/kernel_padding.h"
#include "arch/network.h"
#include "arch/operator_table.h"

namespace patchnas {
namespace {

// Whether an output of `output` positions can come from `input`: every window must start before the
// input's end and overlap it.
bool axis_is_consistent(int input, int output, int kernel, int stride, int pad_before) {
  if (output < 1 || kernel < 1 || stride < 1 || pad_before < 0 || pad_before >= kernel) {
    return false;
  }
  const std::int64_t last_begin = std::int64_t{output - 1} * stride - pad_before;
  return last_begin < input;
}

// Means are taken over blocks that the axis consists of.
bool axis_is_of_blocks(int input, int output, int kernel, int stride, int pad_before) {
  return stride == kernel && pad_before == 0 && std::int64_t{output} * kernel == input;
}

// Whether any input position is in the output, `pad` behind its own.
bool pads_axis(int input, int output, int pad) { return -input < pad && pad < output; }

// `where` is a function, and messages are put together only to be thrown: a search validates every
// network that it looks at.
template <typename Where>
void check_shape(const TensorShape& shape, const Where& where) {
  const auto fail = [&](const std::string& what) {
    throw InputError(where() + ": shape " + std::to_string(shape.height) + "x" +
                     std::to_string(shape.width) + "x" + std::to_string(shape.channels) + " " +
                     what);
  };
  const auto require_up_to = [&](std::int64_t value, std::int64_t limit, const char* unit) {
    if (value > limit) {
      fail("is too large; allowed: up to " + std::to_string(limit) + " " + unit);
    }
  };
  if (shape.height < 1 || shape.width < 1 || shape.channels < 1) {
    fail("is empty");
  }
  require_up_to(std::max(shape.height, shape.width), kLargestExtent, "rows and columns");
  require_up_to(shape.channels, kLargestChannels, "channels");
  require_up_to(shape.elements(), kMostElements, "elements");
}

bool is_extent(int value) { return value >= 1 && value <= kLargestExtent; }

// Whether all that is copied lies in an array of so many elements.
bool is_inside(const StridedCopy& copy, int begin, const std::array<int, 3>& strides,
               std::int64_t elements) {
  std::int64_t last = begin;
  for (std::size_t i = 0; i < 3; ++i) {
    if (copy.counts[i] < 1 || copy.counts[i] > kMostElements || strides[i] < 0) {
      return false;
    }
    last += (std::int64_t{copy.counts[i]} - 1) * strides[i];
    if (last >= elements) {
      return false;
    }
  }
  return begin >= 0;
}

void check_layer(const Network& network, int index) {
  const Layer& layer = network.layers[static_cast<std::size_t>(index)];
  const auto where = [&] {
    return "layer " + std::to_string(index) + " (" + network.layer_name(index) + ")";
  };
  const auto fail = [&](const std::string& what) { throw InputError(where() + ": " + what); };
  const auto require = [&](bool condition, const char* what) {
    if (!condition) {
      fail(what);
    }
  };
  const OperatorFacts& facts = operator_facts(layer.kind);
  for (int j = 0; j < 2; ++j) {
    const TensorId tensor = layer.inputs[static_cast<std::size_t>(j)];
    const bool is_none = tensor == kNoTensor && j >= facts.least_inputs;
    const int inputs = facts.inputs + (layer.writes_part() ? 1 : 0);
    require(is_none || (j < inputs && tensor >= 0 && tensor <= index),
            "reads a tensor that does not exist yet");
  }
  const TensorShape& in = network.shape(layer.inputs[0]);
  const TensorShape& out = layer.output;
  check_shape(out, where);
  if (layer.kind == LayerKind::kInput) {
    require(layer.inputs[0] == kImage && index < network.input_count() - 1,
            "is an input behind a layer that computes");
    return;
  }
  const Kernel& k = layer.kernel;
  if (!is_extent(k.height) || !is_extent(k.width) || !is_extent(k.stride_h) ||
      !is_extent(k.stride_w)) {
    fail("kernel and stride must be from 1 to " + std::to_string(kLargestExtent));
  }
  if (layer.groups != 1) {
    require(layer.kind == LayerKind::kConv2d, "has groups, which only a convolution may have");
    if (layer.groups < 1 || in.channels % layer.groups != 0 || out.channels % layer.groups != 0) {
      fail("has " + std::to_string(layer.groups) + " groups; allowed: divisors of its " +
           std::to_string(in.channels) + " input and " + std::to_string(out.channels) +
           " output channels");
    }
  }
  if (const std::int64_t weights = weight_count(network, index); weights > kMostWeights) {
    fail("has " + std::to_string(weights) + " weights; allowed: up to " +
         std::to_string(kMostWeights));
  }
  require(!layer.repeats_second ||
              (kernel_function(layer) == KernelFunction::kCombine && layer.inputs[1] != kNoTensor),
          "repeats a second input, which only combinations other than additions may do");
  require(!layer.has_constant_map || has_constant_operand(layer) || fills(layer),
          "has a constant that it does not read");
  require(!layer.has_constant_map || out.elements() <= kMostConstants,
          "has a constant of too many numbers");
  const PadOperator& pad = layer.pad_operator;
  require(pad == PadOperator{} || facts.may_have_pad_operator,
          "has a PAD operator, which only a convolution or maximum pooling may have");
  require(is_extent(k.dilation_h) && is_extent(k.dilation_w) && is_extent(k.span_h()) &&
              is_extent(k.span_w()),
          "has a dilation that is too large");
  require((k.dilation_h == 1 && k.dilation_w == 1) || layer.kind == LayerKind::kConv2d,
          "has a dilation, which only a convolution may have");
  if (layer.kind == LayerKind::kConv2d) {
    const ChannelRange& c = layer.channels;
    require(c == ChannelRange{} ||
                (c.from == 0 && c.to >= 0 && c.count > 0 && c.count <= out.channels - c.to),
            "writes channels that its output does not have");
    require(!layer.writes_part() || kernel_function(layer) != KernelFunction::kConvolveGroups,
            "writes a part of its output, which only a convolution without groups or dilation may");
    require(layer.inputs[1] == kNoTensor || network.shape(layer.inputs[1]) == out,
            "goes on with a tensor of another shape");
  }
  if (layer.kind == LayerKind::kCopyChannels || layer.kind == LayerKind::kCopy) {
    require(layer.inputs[1] == kNoTensor || network.shape(layer.inputs[1]) == out,
            "copies over a tensor of another shape");
    if (layer.kind == LayerKind::kCopy) {
      require(is_inside(layer.copy, layer.copy.from, layer.copy.from_strides, in.elements()) &&
                  is_inside(layer.copy, layer.copy.to, layer.copy.to_strides, out.elements()),
              "copies elements that its input or output does not have");
      return;
    }
    const ChannelRange& c = layer.channels;
    require(in.height == out.height && in.width == out.width && c.count > 0 && c.from >= 0 &&
                c.to >= 0 && c.count <= in.channels - c.from && c.count <= out.channels - c.to,
            "copies channels that its input or output does not have");
    return;
  }
  if (layer.kind == LayerKind::kPad) {
    require(in.channels == out.channels && pads_axis(in.height, out.height, k.pad_top) &&
                pads_axis(in.width, out.width, k.pad_left) &&
                k == Kernel{.pad_top = k.pad_top, .pad_left = k.pad_left},
            "has margins that leave nothing of its input");
    return;
  }
  if (layer.kind == LayerKind::kResize) {
    require(in.channels == out.channels, "changes the number of channels");
    return;
  }
  if (layer.kind == LayerKind::kTransposeConv) {
    require(axis_is_consistent(out.height, in.height, k.height, k.stride_h, k.pad_top) &&
                axis_is_consistent(out.width, in.width, k.width, k.stride_w, k.pad_left),
            "has an output that its kernel cannot have read its input from");
    return;
  }
  if (facts.reads == Reads::kPosition) {
    const TensorShape second = layer.repeats_second ? TensorShape{1, 1, in.channels} : in;
    require(in == out && (layer.inputs[1] == kNoTensor || network.shape(layer.inputs[1]) == second),
            "combines tensors of different shapes");
    return;
  }
  if (facts.reads == Reads::kEverything) {
    facts.weights == WeightLayout::kNone ? require(in == out, "changes the shape")
                                         : require(out.pixels() == 1, "has a spatial output");
    return;
  }
  require(!facts.keeps_channels || in.channels == out.channels, "changes the number of channels");
  if (layer.kind == LayerKind::kMean) {
    require(axis_is_of_blocks(in.height, out.height, k.height, k.stride_h, k.pad_top) &&
                axis_is_of_blocks(in.width, out.width, k.width, k.stride_w, k.pad_left),
            "is a mean over blocks that do not make up its input");
    if (std::int64_t{k.height} * k.width > kMostMeanValues) {
      fail("is a mean over more than " + std::to_string(kMostMeanValues) + " values");
    }
    return;
  }
  require(axis_is_consistent(in.height, out.height, k.span_h(), k.stride_h, k.pad_top) &&
              axis_is_consistent(in.width, out.width, k.span_w(), k.stride_w, k.pad_left),
          "has an output that its kernel cannot produce");
  if (pad != PadOperator{}) {
    require(is_extent(pad.height) && is_extent(pad.width) && kernel_padding(in, layer),
            "has a PAD operator that does not give its padding");
    check_shape({pad.height, pad.width, in.channels},
                [&] { return where() + ": its PAD operator"; });
  }
}

// Mostly the next layer does.
bool is_read(const Network& network, TensorId tensor) {
  const auto first = network.layers.begin() + std::max(tensor, network.input_count() - 1);
  return std::any_of(first, network.layers.end(), [tensor](const Layer& layer) {
    return layer.inputs[0] == tensor || layer.inputs[1] == tensor;
  });
}

// What a layer writes of its output that another reads or goes on with: by channel.
using Written = std::vector<bool>;

// Channels that parts of concatenations leave, which later ones have to write before anything reads
// them.
class PartWriters {
 public:
  explicit PartWriters(const Network& network)
      : network_(network), written_(static_cast<std::size_t>(network.tensor_count())) {}

  void check() {
    for (int i = network_.input_count() - 1; i < network_.layer_count(); ++i) {
      check_layer(i);
    }
    for (const TensorId output : network_.output_tensors()) {
      require(is_whole(output), output - 1, "leaves channels of an output");
    }
  }

 private:
  void check_layer(int i) {
    const Layer& l = network_.layers[static_cast<std::size_t>(i)];
    const TensorId rest = l.inputs[1];
    require(is_whole(l.inputs[0]), i, "reads channels that are not written yet");
    const bool goes_on = rest != kNoTensor && continued_tensor(network_, i) == rest;
    require(rest == kNoTensor || goes_on || (!l.writes_part() && is_whole(rest)), i,
            "goes on with a tensor that it cannot write into");
    if (!goes_on && !l.writes_part()) {
      return;
    }
    Written& written = written_[static_cast<std::size_t>(i) + 1];
    if (goes_on) {
      // Nothing else may read what is written over.
      require(readers(rest) == 1, i, "writes over what others read");
      written = written_[static_cast<std::size_t>(rest)];
    } else {
      written.assign(static_cast<std::size_t>(l.output.channels), false);
    }
    for (int c = 0; c < l.channels.count && !written.empty(); ++c) {
      written[static_cast<std::size_t>(l.channels.to + c)] = true;
    }
    if (std::find(written.begin(), written.end(), false) == written.end()) {
      written.clear();
    }
  }

  [[nodiscard]] bool is_whole(TensorId tensor) const {
    return written_[static_cast<std::size_t>(tensor)].empty();
  }
  [[nodiscard]] std::ptrdiff_t readers(TensorId tensor) const {
    const auto reads = [tensor](const Layer& layer) {
      return layer.inputs[0] == tensor || layer.inputs[1] == tensor;
    };
    return std::count_if(network_.layers.begin() + tensor, network_.layers.end(), reads) +
           (is_output(tensor) ? 1 : 0);
  }
  [[nodiscard]] bool is_output(TensorId tensor) const {
    const std::vector<TensorId>& outputs = network_.outputs;
    return std::find(outputs.begin(), outputs.end(), tensor) != outputs.end();
  }
  void require(bool condition, int layer, const char* what) const {
    if (!condition) {
      throw InputError("layer " + std::to_string(layer) + " (" + network_.layer_name(layer) +
                       "): " + what);
    }
  }

  const Network& network_;
  std::vector<Written> written_;  // by tensor; empty where all channels are
};

}  // namespace

void validate(const Network& network) {
  check_shape(network.input, [] { return std::string("network input"); });
  if (network.layers.empty() || network.layers.size() > static_cast<std::size_t>(kMostLayers)) {
    throw InputError("network has " + std::to_string(network.layers.size()) +
                     " layers; allowed: 1 to " + std::to_string(kMostLayers));
  }
  std::int64_t macs = 0;
  for (int i = 0; i < network.layer_count(); ++i) {
    check_layer(network, i);
    macs += layer_macs(network, i);
    if (macs > kMostMacs) {
      throw InputError("layer " + std::to_string(i) + " (" + network.layer_name(i) +
                       "): the network needs more than " + std::to_string(kMostMacs) +
                       " multiply-accumulates up to here");
    }
  }
  for (const TensorId output : network.outputs) {
    if (std::count(network.outputs.begin(), network.outputs.end(), output) > 1) {
      throw InputError("tensor " + std::to_string(output) + " is two outputs");
    }
    if (output < network.input_count() || output > network.layer_count()) {
      throw InputError("output " + std::to_string(output) + " is no layer's");
    }
  }
  const auto is_output = [&](TensorId tensor) {
    return std::find(network.outputs.begin(), network.outputs.end(), tensor) !=
           network.outputs.end();
  };
  const int last = network.outputs.empty() ? network.layer_count() - 1 : network.layer_count();
  for (TensorId tensor = kImage; tensor <= last; ++tensor) {
    if (!is_read(network, tensor) && !is_output(tensor)) {
      throw InputError(tensor == kImage
                           ? std::string("nothing reads the image")
                           : "layer " + std::to_string(tensor - 1) + " (" +
                                 network.layer_name(tensor - 1) + "): nothing reads its output");
    }
  }
  const auto writes_part = [](const Layer& layer) { return layer.writes_part(); };
  if (std::any_of(network.layers.begin(), network.layers.end(), writes_part)) {
    PartWriters(network).check();
  }
}

}  // namespace patchnas
