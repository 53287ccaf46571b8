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
    require(is_none || (j < facts.inputs && tensor >= 0 && tensor <= index),
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
}

}  // namespace patchnas
