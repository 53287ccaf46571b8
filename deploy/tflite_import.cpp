#include "deploy/tflite_import.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <unordered_map>

#include "arch/error.h"
#include "deploy/requantisation.h"
#include "deploy/tflite_model.h"
#include "deploy/tflite_value.h"
#include "deploy/tflite_views.h"
#include "deploy/tflite_window.h"

namespace patchnas {
namespace {

using tflite::BuiltinOperator;

// What is taken from the file besides its layers.
enum class Take { kEverything, kStructure };

class Importer {
 public:
  Importer(const TfliteModel& model, Take take) : model_(model), take_(take) {}

  QuantizedNetwork quantised_network() {
    read_layers();
    return derive_arithmetic(std::move(result_));
  }

  TfliteStructure structure() {
    read_layers();
    validate(result_.network);
    return {std::move(result_.network),
            type_ == tflite::TensorType::FLOAT32 ? TfliteNumbers::kFloat32 : TfliteNumbers::kInt8};
  }

 private:
  void read_layers() {
    const FileTensor input = model_.input();
    result_.network.input = model_.activation_shape(input, nullptr);
    // An image of another type may have a QUANTIZE behind it; the network is int8 then.
    const bool is_quantised = take_ == Take::kStructure && is_quantised_first(input);
    if (take_ == Take::kStructure && !is_quantised &&
        model_.type(input, nullptr) == tflite::TensorType::FLOAT32) {
      type_ = tflite::TensorType::FLOAT32;
    }
    result_.tensors.push_back(is_quantised ? TensorQuantisation{}
                                           : activation_quantisation(input, nullptr));
    values_[input] = image_value(kImage, result_.network.input, input, nullptr);
    for (const FileOperator& op : model_.operators()) {
      import_operator(op);
    }
    const auto output = values_.find(model_.output());
    const int last = result_.network.layer_count();
    if (last == 0 || output == values_.end() || output->second.id != last ||
        output->second.has_margins()) {
      model_.fail(nullptr, model_.output(), "must be what the last operator computes");
    }
  }

  void import_operator(const FileOperator& op) {
    if (op.outputs.size() != 1 || values_.contains(op.outputs[0])) {
      model_.fail(op, "must write exactly one tensor, which nothing else writes");
    }
    switch (op.code) {
      case BuiltinOperator::CONV_2D:
        return import_convolution(op);
      case BuiltinOperator::DEPTHWISE_CONV_2D:
        return import_depthwise(op);
      case BuiltinOperator::ADD:
        return import_add(op);
      case BuiltinOperator::AVERAGE_POOL_2D:
      case BuiltinOperator::MAX_POOL_2D:
        return import_pool(op);
      case BuiltinOperator::FULLY_CONNECTED:
        return import_fully_connected(op);
      case BuiltinOperator::SOFTMAX:
        return import_softmax(op);
      case BuiltinOperator::MEAN:
        return import_mean(op);
      case BuiltinOperator::PAD:
        return pass_on(op, padded_view(model_, op, padded_image(op)));
      case BuiltinOperator::RESHAPE:
        return pass_on(op, reshaped_view(model_, op, value(op, 0)));
      case BuiltinOperator::TRANSPOSE:
        return pass_on(op, transposed_view(model_, op, value(op, 0)));
      case BuiltinOperator::QUANTIZE:
      case BuiltinOperator::DEQUANTIZE:
        return import_conversion(op);
      default:
        model_.fail(op, "this operator is not supported");
    }
  }

  // --- reading an operator -----------------------------------------------------------------------

  // An input that an earlier operator computed.
  [[nodiscard]] const FileValue& value(const FileOperator& op, std::size_t position) const {
    const auto found = values_.find(op.input(position));
    if (found == values_.end()) {
      model_.fail(&op, op.input(position),
                  "input " + std::to_string(position) + " is not computed by an earlier operator");
    }
    return found->second;
  }

  // An input whose pixels are those of our tensor, perhaps with margins around them.
  [[nodiscard]] const FileValue& padded_image(const FileOperator& op) const {
    const FileValue& found = value(op, 0);
    if (!found.is_image()) {
      model_.fail(&op, op.inputs[0],
                  "is flattened or transposed, which this operator may not read");
    }
    return found;
  }

  [[nodiscard]] const FileValue& image(const FileOperator& op, std::size_t position) const {
    const FileValue& found = value(op, position);
    if (!found.is_image() || found.has_margins()) {
      model_.fail(&op, op.inputs[position],
                  "is padded, flattened or transposed, which this operator may not read");
    }
    return found;
  }

  // The operator's options, which the file must give in the type that belongs to it.
  template <typename Options>
  [[nodiscard]] const Options& options(const FileOperator& op) const {
    const Options* const found = op.data->builtin_options_as<Options>();
    if (found == nullptr) {
      model_.fail(op, "has no options");
    }
    return *found;
  }

  [[nodiscard]] Activation activation_function(const FileOperator& op,
                                               tflite::ActivationFunctionType type) const {
    switch (type) {
      case tflite::ActivationFunctionType::NONE:
        return Activation::kNone;
      case tflite::ActivationFunctionType::RELU:
        return Activation::kRelu;
      case tflite::ActivationFunctionType::RELU6:
        return Activation::kRelu6;
      default:
        model_.fail(op, "its fused activation function is not supported; NONE, RELU and RELU6 are");
    }
  }

  // Dimensions of constant weights.
  [[nodiscard]] std::vector<int> weight_shape(const FileOperator& op, std::size_t rank) const {
    std::vector<int> shape = model_.dimensions(op.input(1), &op);
    if (shape.size() != rank) {
      model_.fail(&op, op.inputs[1], "weights must have " + std::to_string(rank) + " dimensions");
    }
    return shape;
  }

  [[nodiscard]] QuantizedLayer parameters(const FileOperator& op, int channel_axis,
                                          int outputs) const {
    QuantizedLayer result;
    if (take_ == Take::kStructure) {
      check_parameters(op, outputs);
      return result;
    }
    result.weights = model_.int8_data(op.input(1), op);
    result.weight_scales = model_.weight_scales(op.input(1), channel_axis, op);
    const FileTensor bias = op.input(2);
    if (bias < 0) {
      result.biases.assign(static_cast<std::size_t>(outputs), 0);
      return result;
    }
    result.biases = model_.int32_data(bias, op);
    if (static_cast<int>(result.biases.size()) != outputs) {
      model_.fail(&op, bias, "needs one bias per output channel");
    }
    return result;
  }

  // That weights and biases are constants of the right type and size.
  void check_parameters(const FileOperator& op, int outputs) const {
    const bool is_float = type_ == tflite::TensorType::FLOAT32;
    model_.constant(op.input(1), type_, op);
    const FileTensor bias = op.input(2);
    if (bias < 0) {
      return;
    }
    const auto bias_type = is_float ? tflite::TensorType::FLOAT32 : tflite::TensorType::INT32;
    if (model_.constant(bias, bias_type, op).size() !=
        static_cast<std::size_t>(outputs) * sizeof(std::int32_t)) {
      model_.fail(&op, bias, "needs one bias per output channel");
    }
  }

  // Scale and zero point of an activation; nothing but its type matters for the structure.
  [[nodiscard]] TensorQuantisation activation_quantisation(FileTensor tensor,
                                                           const FileOperator* op) const {
    if (take_ == Take::kEverything) {
      return model_.activation_quantisation(tensor, op);
    }
    model_.require_type(tensor, type_, op);
    return {};
  }

  // Whether the first operator that reads `input` turns it into int8.
  [[nodiscard]] bool is_quantised_first(FileTensor input) const {
    const auto reads_input = [&](const FileOperator& op) { return op.input(0) == input; };
    const auto reader =
        std::find_if(model_.operators().begin(), model_.operators().end(), reads_input);
    return reader != model_.operators().end() && reader->code == BuiltinOperator::QUANTIZE;
  }

  // --- what an operator computes -----------------------------------------------------------------

  // A tensor as the file declares it when nothing has moved its pixels: four dimensions, or two.
  [[nodiscard]] FileValue image_value(TensorId id, const TensorShape& shape, FileTensor tensor,
                                      const FileOperator* op) const {
    FileValue result{.id = id, .shape = shape, .margins = {}};
    if (model_.dimensions(tensor, op).size() == 2) {
      result.axes = {FileAxis::kBatch, FileAxis::kChannels};
    }
    return result;
  }

  void append(const FileOperator& op, const Layer& layer, QuantizedLayer quantised = {}) {
    const FileTensor output = op.outputs[0];
    if (model_.activation_shape(output, &op) != layer.output) {
      model_.fail(op, "its output's shape does not follow from its inputs");
    }
    const FileValue computed =
        image_value(result_.network.layer_count() + 1, layer.output, output, &op);
    append(op, layer, std::move(quantised), computed);
  }

  void append(const FileOperator& op, const Layer& layer, QuantizedLayer quantised,
              const FileValue& computed) {
    const FileTensor output = op.outputs[0];
    result_.network.layers.push_back(layer);
    result_.network.names.push_back(model_.tensor_name(output));
    result_.tensors.push_back(activation_quantisation(output, &op));
    result_.layers.push_back(std::move(quantised));
    values_[output] = computed;
  }

  // The output of an operator that computes nothing: another view of a tensor of ours.
  void pass_on(const FileOperator& op, const FileValue& view) {
    const FileTensor output = op.outputs[0];
    if (model_.dimensions(output, &op) != view.dimensions()) {
      model_.fail(op, "its output's shape does not follow from its inputs");
    }
    if (activation_quantisation(output, &op) !=
        result_.tensors[static_cast<std::size_t>(view.id)]) {
      model_.fail(op, "its output must have its input's scale and zero point");
    }
    values_[output] = view;
  }

  template <typename Options>
  [[nodiscard]] Layer convolution_layer(const FileOperator& op, LayerKind kind, const FileValue& in,
                                        const std::vector<int>& weights,
                                        int output_channels) const {
    const auto& o = options<Options>(op);
    if (o.dilation_h_factor() != 1 || o.dilation_w_factor() != 1) {
      model_.fail(op, "dilation is not supported");
    }
    const WindowOptions window{weights[1], weights[2], o.stride_h(), o.stride_w(), o.padding()};
    Layer layer = window_layer(model_, op, kind, in, window, output_channels);
    layer.activation = activation_function(op, o.fused_activation_function());
    if (in.has_pad_operator) {
      layer.pad_operator = {in.extent(FileAxis::kRows), in.extent(FileAxis::kCols)};
    }
    return layer;
  }

  // --- one function per operator -----------------------------------------------------------------

  void import_convolution(const FileOperator& op) {
    const FileValue& in = padded_image(op);
    const std::vector<int> shape = weight_shape(op, 4);
    Layer layer =
        convolution_layer<tflite::Conv2DOptions>(op, LayerKind::kConv2d, in, shape, shape[0]);
    layer.groups = group_count(op, in.shape.channels, shape);
    append(op, layer, parameters(op, 0, shape[0]));
  }

  // A CONV_2D has groups where its [O, kh, kw, I] weights have fewer channels than its input.
  [[nodiscard]] int group_count(const FileOperator& op, int input_channels,
                                const std::vector<int>& weights) const {
    const int groups = input_channels / weights[3];
    if (groups * weights[3] != input_channels || weights[0] % groups != 0) {
      model_.fail(&op, op.inputs[1],
                  "weights for " + std::to_string(weights[3]) + " channels, the input has " +
                      std::to_string(input_channels) + ", the output " +
                      std::to_string(weights[0]) + "; these are no groups of equal size");
    }
    if (groups != 1 && take_ == Take::kEverything) {
      model_.fail(&op, op.inputs[1], "grouped convolutions can be estimated, not executed");
    }
    return groups;
  }

  void import_depthwise(const FileOperator& op) {
    const FileValue& in = padded_image(op);
    const std::vector<int> shape = weight_shape(op, 4);
    if (shape[0] != 1 || shape[3] != in.shape.channels) {
      model_.fail(&op, op.inputs[1],
                  "weights must be [1, height, width, " + std::to_string(in.shape.channels) +
                      "]; only depth multiplier 1 is supported");
    }
    append(op,
           convolution_layer<tflite::DepthwiseConv2DOptions>(op, LayerKind::kDepthwiseConv2d, in,
                                                             shape, shape[3]),
           parameters(op, 3, shape[3]));
  }

  void import_pool(const FileOperator& op) {
    const auto& o = options<tflite::Pool2DOptions>(op);
    const FileValue& in = image(op, 0);
    const auto kind =
        op.code == BuiltinOperator::MAX_POOL_2D ? LayerKind::kMaxPool : LayerKind::kAveragePool;
    const WindowOptions window{o.filter_height(), o.filter_width(), o.stride_h(), o.stride_w(),
                               o.padding()};
    Layer layer = window_layer(model_, op, kind, in, window, in.shape.channels);
    layer.activation = activation_function(op, o.fused_activation_function());
    append(op, layer);
  }

  void import_add(const FileOperator& op) {
    const FileValue& a = image(op, 0);
    const FileValue& b = image(op, 1);
    if (a.shape != b.shape) {
      model_.fail(op, "adds tensors of different shapes");
    }
    Layer layer;
    layer.kind = LayerKind::kAdd;
    layer.inputs = {a.id, b.id};
    layer.output = a.shape;
    layer.activation =
        activation_function(op, options<tflite::AddOptions>(op).fused_activation_function());
    append(op, layer);
  }

  void import_fully_connected(const FileOperator& op) {
    const auto& o = options<tflite::FullyConnectedOptions>(op);
    if (o.weights_format() != tflite::FullyConnectedWeightsFormat::DEFAULT) {
      model_.fail(op, "shuffled weights are not supported");
    }
    const FileValue& in = value(op, 0);
    const std::vector<int> shape = weight_shape(op, 2);
    if (in.has_margins() || !in.is_ordered() || shape[1] != in.shape.elements()) {
      model_.fail(&op, op.inputs[1],
                  "weights for " + std::to_string(shape[1]) + " inputs do not fit the input");
    }
    Layer layer;
    layer.kind = LayerKind::kFullyConnected;
    layer.inputs = {in.id, kNoTensor};
    layer.output = {1, 1, shape[0]};
    layer.activation = activation_function(op, o.fused_activation_function());
    append(op, layer, parameters(op, 0, shape[0]));
  }

  void import_softmax(const FileOperator& op) {
    if (options<tflite::SoftmaxOptions>(op).beta() != 1.0F) {
      model_.fail(op, "beta must be 1");
    }
    const FileValue& in = image(op, 0);
    Layer layer;
    layer.kind = LayerKind::kSoftmax;
    layer.inputs = {in.id, kNoTensor};
    layer.output = in.shape;
    append(op, layer);
  }

  // Over rows or columns, or both. No average pooling: TensorFlow Lite rounds the two differently.
  void import_mean(const FileOperator& op) {
    FileValue view = value(op, 0);
    if (view.has_margins()) {
      model_.fail(op, "reads a padded tensor");
    }
    const bool keep = options<tflite::ReducerOptions>(op).keep_dims();
    const std::vector<std::int32_t> reduced = model_.int32_data(op.input(1), op);
    Layer layer;
    layer.kind = LayerKind::kMean;
    layer.inputs = {view.id, kNoTensor};
    std::vector<FileAxis> kept;
    for (std::size_t i = 0; i < view.axes.size(); ++i) {
      const bool over_this = std::any_of(reduced.begin(), reduced.end(), [&](int axis) {
        return axis == static_cast<int>(i) ||
               axis == static_cast<int>(i) - static_cast<int>(view.axes.size());
      });
      if (over_this && view.axes[i] == FileAxis::kRows) {
        layer.kernel.height = layer.kernel.stride_h = view.shape.height;
      } else if (over_this && view.axes[i] == FileAxis::kCols) {
        layer.kernel.width = layer.kernel.stride_w = view.shape.width;
      } else if (over_this) {
        model_.fail(op, "only means over rows and columns are supported");
      }
      if (keep || !over_this) {
        kept.push_back(view.axes[i]);
      }
    }
    view.id = result_.network.layer_count() + 1;
    view.shape.height /= layer.kernel.height;
    view.shape.width /= layer.kernel.width;
    view.axes = kept;
    layer.output = view.shape;
    if (model_.dimensions(op.outputs[0], &op) != view.dimensions()) {
      model_.fail(op, "its output's shape does not follow from its inputs");
    }
    append(op, layer, {}, view);
  }

  // QUANTIZE of the image to int8, and DEQUANTIZE or QUANTIZE of the int8 result: both are about
  // the caller's numbers, and no layers of the network.
  void import_conversion(const FileOperator& op) {
    if (take_ == Take::kEverything) {
      model_.fail(op, "this operator is not supported");
    }
    const FileTensor from = op.input(0);
    const FileTensor to = op.outputs[0];
    const bool leads = from == model_.input() && op.code == BuiltinOperator::QUANTIZE;
    if (!leads && to != model_.output()) {
      model_.fail(op, "only the network's input may be quantised, its output dequantised");
    }
    const FileTensor outer = leads ? from : to;
    if (model_.type(outer, &op) != tflite::TensorType::UINT8) {
      model_.require_type(outer, tflite::TensorType::FLOAT32, &op);
    }
    model_.require_type(leads ? to : from, tflite::TensorType::INT8, &op);
    const FileValue& view = value(op, 0);
    if (model_.dimensions(op.outputs[0], &op) != view.dimensions()) {
      model_.fail(op, "its output's shape does not follow from its inputs");
    }
    values_[to] = view;
  }

  const TfliteModel& model_;
  Take take_;
  tflite::TensorType type_ = tflite::TensorType::INT8;  // of activations and weights
  QuantizedNetwork result_;
  std::unordered_map<FileTensor, FileValue> values_;
};

// Errors of `import` that do not know the file name it.
template <typename Import>
auto naming(const std::string& source, Import import) {
  try {
    return import();
  } catch (const InputError& error) {
    const std::string message = error.what();
    throw InputError(message.starts_with(source) ? message : source + ": " + message);
  }
}

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file),
                                std::istreambuf_iterator<char>()};
  if (!file) {
    throw InputError(path.string() + ": cannot be read");
  }
  return {bytes.begin(), bytes.end()};
}

}  // namespace

QuantizedNetwork import_tflite(std::span<const std::uint8_t> bytes, const std::string& source) {
  const TfliteModel model(bytes, source);
  return naming(source, [&] { return Importer(model, Take::kEverything).quantised_network(); });
}

QuantizedNetwork import_tflite_file(const std::filesystem::path& path) {
  return import_tflite(read_bytes(path), path.string());
}

TfliteStructure import_tflite_structure(std::span<const std::uint8_t> bytes,
                                        const std::string& source) {
  const TfliteModel model(bytes, source);
  return naming(source, [&] { return Importer(model, Take::kStructure).structure(); });
}

TfliteStructure import_tflite_structure_file(const std::filesystem::path& path) {
  return import_tflite_structure(read_bytes(path), path.string());
}

}  // namespace patchnas
