#include "tests/deploy/support/qdq_file.h"

#include <algorithm>

#include "deploy/import/dimensions.h"
#include "tests/deploy/support/onnx_builder.h"

namespace patchnas::testing {
namespace {

using onnx::TensorProto;

const Layer& layer_at(const QuantizedNetwork& network, int index) {
  return network.network.layers[static_cast<std::size_t>(index)];
}

// [c, h, w] of each of `outputs` from [h, w, c], of a weight tensor.
std::vector<std::int8_t> channels_first(const std::vector<std::int8_t>& weights, int outputs,
                                        int height, int width, int channels) {
  std::vector<std::int8_t> result(weights.size());
  std::size_t to = 0;
  for (int o = 0; o < outputs; ++o) {
    for (int c = 0; c < channels; ++c) {
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          result[to++] =
              weights[static_cast<std::size_t>(((o * height + y) * width + x) * channels + c)];
        }
      }
    }
  }
  return result;
}

// Whether the layer is the first part of a concatenation that the next layer completes.
bool begins_concatenation(const QuantizedNetwork& network, int index) {
  const Layer& first = layer_at(network, index);
  return first.kind == LayerKind::kCopyChannels && first.inputs[1] == kNoTensor &&
         first.channels.count < first.output.channels && first.channels.from == 0 &&
         first.channels.to == 0 && index + 1 < network.network.layer_count() &&
         layer_at(network, index + 1).inputs[1] == index + 1;
}

bool is_onnx_function(ValueFunction function) {
  return function != ValueFunction::kAbs && function != ValueFunction::kElu &&
         function != ValueFunction::kRsqrt;
}

bool has_form(const QuantizedNetwork& network, int index) {
  const Layer& layer = layer_at(network, index);
  const TensorShape& in = network.network.shape(layer.inputs[0]);
  const TensorQuantisation& from = network.tensors[static_cast<std::size_t>(layer.inputs[0])];
  switch (layer.kind) {
    case LayerKind::kConv2d:
      return layer.groups == 1 || layer.groups < in.channels ||
             layer.output.channels > in.channels || layer.kernel.dilation_h > 1 ||
             layer.kernel.dilation_w > 1;
    case LayerKind::kDepthwiseConv2d:
      return in.channels > 1;
    case LayerKind::kCopy:
    case LayerKind::kPad:
    case LayerKind::kPrelu:
    case LayerKind::kMaximum:
    case LayerKind::kMinimum:
    case LayerKind::kSquaredDifference:
    case LayerKind::kTransposeConv:
      return false;
    case LayerKind::kAdd:
    case LayerKind::kSubtract:
    case LayerKind::kMultiply:
      return !layer.has_constant_map;
    case LayerKind::kCopyChannels:
      return layer.has_constant_map ? false
             : layer.channels.count == layer.output.channels
                 ? layer.inputs[1] == kNoTensor && layer.output != in
             : layer.inputs[1] == kNoTensor ? begins_concatenation(network, index)
                                            : index > 0 && begins_concatenation(network, index - 1);
    case LayerKind::kLookup:
      return is_onnx_function(layer.function) &&
             (layer.function != ValueFunction::kRequantise ||
              from != network.tensors[static_cast<std::size_t>(index) + 1]);
    case LayerKind::kMean:
      return !network.layers[static_cast<std::size_t>(index)].is_sum &&
             (layer.kernel.height == in.height || layer.kernel.height == 1) &&
             (layer.kernel.width == in.width || layer.kernel.width == 1);
    case LayerKind::kAveragePool:
    case LayerKind::kMaxPool:
    case LayerKind::kSoftmax:
      return layer.activation == Activation::kNone;
    default:
      return true;
  }
}

class Writer {
 public:
  Writer(const QuantizedNetwork& network, RandomStream& stream)
      : network_(network), layers_(network.network), stream_(stream) {}

  std::vector<std::uint8_t> write() {
    real_.resize(static_cast<std::size_t>(layers_.tensor_count()));
    stored_ = real_;
    for (TensorId input = 0; input < layers_.input_count(); ++input) {
      write_input(input);
    }
    for (int i = layers_.input_count() - 1; i < layers_.layer_count(); ++i) {
      if (!begins_concatenation(network_, i)) {
        quantise(i + 1, activated(layer_at(network_, i), computed(i)));
      }
    }
    const std::vector<TensorId> outputs = layers_.output_tensors();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const EndNumbers numbers = network_.output_ends[i].numbers;
      const auto id = static_cast<std::size_t>(outputs[i]);
      if (numbers == EndNumbers::kFloat32) {
        file_.output(real_[id]);
      } else {
        file_.output(stored_[id],
                     numbers == EndNumbers::kInt8 ? TensorProto::INT8 : TensorProto::UINT8);
      }
    }
    return file_.bytes();
  }

 private:
  std::vector<int> dimensions(TensorId tensor) const {
    const TensorShape& shape = layers_.shape(tensor);
    return {1, shape.channels, shape.height, shape.width};
  }

  const TensorQuantisation& quantisation(TensorId tensor) const {
    return network_.tensors[static_cast<std::size_t>(tensor)];
  }

  // Scale and zero point of a tensor that is stored as uint8 or int8.
  std::vector<std::string> scales(const TensorQuantisation& q, bool is_uint8) {
    return {file_.constant({}, {q.scale}),
            is_uint8 ? file_.uint8s({}, {static_cast<std::uint8_t>(q.zero_point + 128)})
                     : file_.int8s({}, {static_cast<std::int8_t>(q.zero_point)})};
  }

  std::string dequantised(const std::string& stored, const TensorQuantisation& q, bool is_uint8) {
    const std::vector<std::string> with = scales(q, is_uint8);
    return file_.node("DequantizeLinear", {stored, with[0], with[1]});
  }

  void write_input(TensorId input) {
    const EndNumbers numbers = network_.input_ends[static_cast<std::size_t>(input)].numbers;
    const auto id = static_cast<std::size_t>(input);
    if (numbers == EndNumbers::kFloat32) {
      return quantise(input, file_.input(dimensions(input)));
    }
    const bool is_uint8 = numbers == EndNumbers::kUint8;
    stored_[id] = file_.input(dimensions(input), is_uint8 ? TensorProto::UINT8 : TensorProto::INT8);
    real_[id] = dequantised(stored_[id], quantisation(input), is_uint8);
  }

  void quantise(TensorId tensor, const std::string& real) {
    bool is_uint8 = stream_.chance(0.5);
    const std::vector<TensorId> outputs = layers_.output_tensors();
    if (const auto end = std::find(outputs.begin(), outputs.end(), tensor); end != outputs.end()) {
      const EndNumbers numbers =
          network_.output_ends[static_cast<std::size_t>(end - outputs.begin())].numbers;
      is_uint8 = numbers == EndNumbers::kUint8 || (numbers == EndNumbers::kFloat32 && is_uint8);
    }
    const auto id = static_cast<std::size_t>(tensor);
    const std::vector<std::string> with = scales(quantisation(tensor), is_uint8);
    stored_[id] = file_.node("QuantizeLinear", {real, with[0], with[1]});
    real_[id] = dequantised(stored_[id], quantisation(tensor), is_uint8);
  }

  std::string activated(const Layer& layer, const std::string& tensor) {
    if (layer.activation == Activation::kNone) {
      return tensor;
    }
    return layer.activation == Activation::kRelu
               ? file_.node("Relu", {tensor})
               : file_.node("Clip", {tensor, file_.constant({}, {0}), file_.constant({}, {6})});
  }

  OnnxAttributes window(const Layer& layer) const {
    const Kernel& k = layer.kernel;
    const TensorShape& in = layers_.shape(layer.inputs[0]);
    const int bottom = (layer.output.height - 1) * k.stride_h + k.span_h() - in.height - k.pad_top;
    const int right = (layer.output.width - 1) * k.stride_w + k.span_w() - in.width - k.pad_left;
    return {{"kernel_shape", Integers{k.height, k.width}},
            {"strides", Integers{k.stride_h, k.stride_w}},
            {"pads", Integers{k.pad_top, k.pad_left, std::max(0, bottom), std::max(0, right)}}};
  }

  std::vector<std::string> with_parameters(const std::string& input, int index,
                                           const std::vector<int>& shape,
                                           const std::vector<std::int8_t>& weights) {
    const QuantizedLayer& q = network_.layers[static_cast<std::size_t>(index)];
    const float input_scale = quantisation(layer_at(network_, index).inputs[0]).scale;
    const std::vector<int> per_channel =
        q.weight_scales.size() == 1 ? std::vector<int>{}
                                    : std::vector{static_cast<int>(q.weight_scales.size())};
    std::vector<float> bias_scales;
    for (const float scale : q.weight_scales) {
      bias_scales.push_back(input_scale * scale);
    }
    const OnnxAttributes axis{{"axis", std::int64_t{0}}};
    const std::vector<std::int8_t> zeros(q.weight_scales.size(), 0);
    return {input,
            file_.node("DequantizeLinear",
                       {file_.int8s(shape, weights), file_.constant(per_channel, q.weight_scales),
                        file_.int8s(per_channel, zeros)},
                       axis),
            file_.node("DequantizeLinear",
                       {file_.int32s({static_cast<int>(q.biases.size())}, q.biases),
                        file_.constant(per_channel, bias_scales)},
                       axis)};
  }

  std::string convolved(int index, const std::string& in) {
    const Layer& layer = layer_at(network_, index);
    const std::vector<std::int8_t>& weights =
        network_.layers[static_cast<std::size_t>(index)].weights;
    const bool is_depthwise = layer.kind == LayerKind::kDepthwiseConv2d;
    const int channels = layers_.shape(layer.inputs[0]).channels;
    const int per_group = is_depthwise ? 1 : channels / layer.groups;
    OnnxAttributes attributes = window(layer);
    attributes["dilations"] = Integers{layer.kernel.dilation_h, layer.kernel.dilation_w};
    attributes["group"] = std::int64_t{is_depthwise ? channels : layer.groups};
    const std::vector<int> shape{layer.output.channels, per_group, layer.kernel.height,
                                 layer.kernel.width};
    // [1, kh, kw, C] has the channels last, as an image has.
    return file_.node(
        "Conv",
        with_parameters(in, index, shape,
                        is_depthwise
                            ? channels_first(weights, 1, shape[2], shape[3], shape[0])
                            : channels_first(weights, shape[0], shape[2], shape[3], per_group)),
        attributes);
  }

  std::string connected(int index, const std::string& in) {
    const Layer& layer = layer_at(network_, index);
    const TensorShape& from = layers_.shape(layer.inputs[0]);
    const std::string flat = file_.node("Flatten", {in});
    const std::string out = file_.node(
        "Gemm",
        with_parameters(
            flat, index, {layer.output.channels, static_cast<int>(from.elements())},
            channels_first(network_.layers[static_cast<std::size_t>(index)].weights,
                           layer.output.channels, from.height, from.width, from.channels)),
        {{"transB", std::int64_t{1}}});
    return file_.node("Reshape", {out, file_.integers({1, layer.output.channels, 1, 1})});
  }

  std::string combined(int index, const std::string& in) {
    const Layer& layer = layer_at(network_, index);
    const QuantizedLayer& q = network_.layers[static_cast<std::size_t>(index)];
    const std::string op = layer.kind == LayerKind::kAdd        ? "Add"
                           : layer.kind == LayerKind::kSubtract ? "Sub"
                                                                : "Mul";
    if (layer.inputs[1] != kNoTensor) {
      return file_.node(op, {in, real_[static_cast<std::size_t>(layer.inputs[1])]});
    }
    const std::string constant = dequantised(
        file_.int8s({layer.output.channels, 1, 1}, q.constants), q.constants_quantisation, false);
    return q.constants_come_first ? file_.node(op, {constant, in}) : file_.node(op, {in, constant});
  }

  std::string function_of(int index, const std::string& in) {
    switch (layer_at(network_, index).function) {
      case ValueFunction::kRequantise:
        return in;
      case ValueFunction::kRelu:
        return file_.node("Relu", {in});
      case ValueFunction::kRelu6:
        return file_.node("Clip", {in, file_.constant({}, {0}), file_.constant({}, {6})});
      case ValueFunction::kLeakyRelu:
        return file_.node(
            "LeakyRelu", {in},
            {{"alpha", network_.layers[static_cast<std::size_t>(index)].leaky_slope}});
      case ValueFunction::kLogistic:
        return file_.node("Sigmoid", {in});
      case ValueFunction::kTanh:
        return file_.node("Tanh", {in});
      case ValueFunction::kHardSwish:
        return file_.node("HardSwish", {in});
      case ValueFunction::kAbs:
      case ValueFunction::kElu:
      case ValueFunction::kRsqrt:
      case ValueFunction::kTable:
        break;  // without a form
    }
    return in;
  }

  std::string resized(int index, const std::string& in) {
    const Layer& layer = layer_at(network_, index);
    const std::string coordinates = layer.resizing.align_corners        ? "align_corners"
                                    : layer.resizing.half_pixel_centers ? "half_pixel"
                                                                        : "asymmetric";
    const bool is_plain = coordinates == "asymmetric";
    return file_.node(
        "Resize",
        {in, "", "",
         file_.integers({1, layer.output.channels, layer.output.height, layer.output.width})},
        {{"mode", layer.resizing.is_bilinear ? "linear" : "nearest"},
         {"coordinate_transformation_mode", coordinates},
         {"nearest_mode", is_plain ? "floor" : "round_prefer_ceil"}});
  }

  std::string mean(int index, const std::string& in) {
    const Layer& layer = layer_at(network_, index);
    const TensorShape& from = layers_.shape(layer.inputs[0]);
    Integers axes;
    if (layer.kernel.height == from.height) {
      axes.push_back(2);
    }
    if (layer.kernel.width == from.width) {
      axes.push_back(3);
    }
    return file_.node("ReduceMean", {in}, {{"axes", axes}});
  }

  std::string computed(int index) {
    const Layer& layer = layer_at(network_, index);
    const std::string& in = real_[static_cast<std::size_t>(layer.inputs[0])];
    switch (layer.kind) {
      case LayerKind::kConv2d:
      case LayerKind::kDepthwiseConv2d:
        return convolved(index, in);
      case LayerKind::kFullyConnected:
        return connected(index, in);
      case LayerKind::kAdd:
      case LayerKind::kSubtract:
      case LayerKind::kMultiply:
        return combined(index, in);
      case LayerKind::kAveragePool:
        return file_.node("AveragePool", {in}, window(layer));
      case LayerKind::kMaxPool:
        return file_.node("MaxPool", {in}, window(layer));
      case LayerKind::kMean:
        return mean(index, in);
      case LayerKind::kSoftmax:
        return file_.node("Softmax", {in}, {{"axis", std::int64_t{1}}});
      case LayerKind::kLookup:
        return function_of(index, in);
      case LayerKind::kResize:
        return resized(index, in);
      default:
        return channels_of(index, in);
    }
  }

  std::string channels_of(int index, const std::string& in) {
    const Layer& layer = layer_at(network_, index);
    const OnnxAttributes axis{{"axis", std::int64_t{1}}};
    if (layer.inputs[1] != kNoTensor) {
      const TensorId first = layer_at(network_, index - 1).inputs[0];
      return file_.node("Concat", {real_[static_cast<std::size_t>(first)], in}, axis);
    }
    const ChannelRange& c = layer.channels;
    return file_.node("Slice", {in, file_.integers({c.from}), file_.integers({c.from + c.count}),
                                file_.integers({1})});
  }

  const QuantizedNetwork& network_;
  const Network& layers_;
  RandomStream& stream_;
  OnnxBuilder file_;
  std::vector<std::string> real_, stored_;  // names, by tensor
};

}  // namespace

bool has_qdq_form(const QuantizedNetwork& network) {
  for (int i = 0; i < network.network.layer_count(); ++i) {
    if (!has_form(network, i)) {
      return false;
    }
  }
  return true;
}

std::vector<std::uint8_t> qdq_file(const QuantizedNetwork& network, RandomStream& stream) {
  return Writer(network, stream).write();
}

}  // namespace patchnas::testing
