#include "deploy/tflite_import.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "arch/error.h"
#include "arch/input_file.h"
#include "deploy/requantisation.h"
#include "deploy/tflite_model.h"
#include "deploy/tflite_numbers.h"
#include "deploy/tflite_obstacles.h"
#include "deploy/tflite_value.h"
#include "deploy/tflite_views.h"
#include "deploy/tflite_weights.h"
#include "deploy/tflite_window.h"

namespace patchnas {
namespace {

using tflite::BuiltinOperator;
using tflite::TensorType;

// What is taken from the file besides its layers.
enum class Take { kEverything, kStructure };

// Thrown for an operator that reads what an obstacle has left unknown: not an obstacle of its own.
struct UnknownInput {};

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
            type_ == TensorType::FLOAT32 ? TfliteNumbers::kFloat32 : TfliteNumbers::kInt8};
  }

 private:
  using OperatorImport = void (Importer::*)(const FileOperator&);

  // All operators that are read.
  static OperatorImport import_of(BuiltinOperator code) {
    static const std::unordered_map<BuiltinOperator, OperatorImport> imports = {
        {BuiltinOperator::ADD, &Importer::import_add},
        {BuiltinOperator::AVERAGE_POOL_2D, &Importer::import_pool},
        {BuiltinOperator::CONV_2D, &Importer::import_convolution},
        {BuiltinOperator::DEPTHWISE_CONV_2D, &Importer::import_depthwise},
        {BuiltinOperator::DEQUANTIZE, &Importer::import_conversion},
        {BuiltinOperator::EXPAND_DIMS, &Importer::import_reshape},
        {BuiltinOperator::FULLY_CONNECTED, &Importer::import_fully_connected},
        {BuiltinOperator::MAX_POOL_2D, &Importer::import_pool},
        {BuiltinOperator::MEAN, &Importer::import_mean},
        {BuiltinOperator::PAD, &Importer::import_pad},
        {BuiltinOperator::PADV2, &Importer::import_pad},
        {BuiltinOperator::QUANTIZE, &Importer::import_conversion},
        {BuiltinOperator::RESHAPE, &Importer::import_reshape},
        {BuiltinOperator::SOFTMAX, &Importer::import_softmax},
        {BuiltinOperator::SQUEEZE, &Importer::import_reshape},
        {BuiltinOperator::TRANSPOSE, &Importer::import_transpose}};
    const auto found = imports.find(code);
    return found == imports.end() ? nullptr : found->second;
  }

  // --- the graph ---------------------------------------------------------------------------------

  void read_layers() {
    const FileNumbers numbers = numbers_of(model_);
    const bool readable = numbers == FileNumbers::kInt8 ||
                          (numbers == FileNumbers::kFloat32 && take_ == Take::kStructure);
    type_ = numbers == FileNumbers::kFloat32 ? TensorType::FLOAT32 : TensorType::INT8;
    if (!readable) {
      obstacles_.add(explain(numbers));
    }
    require_one(model_.inputs().size(), "input");
    require_one(model_.outputs().size(), "output");
    if (readable) {
      noting_obstacles(nullptr, [&] { read_inputs(); });
    }
    const std::unordered_set<int> needed = needed_operators(model_);
    for (const FileOperator& op : model_.operators()) {
      if (needed.contains(op.index)) {
        noting_obstacles(&op, [&] { import_operator(op, readable); });
      }
    }
    if (obstacles_.empty()) {
      noting_obstacles(nullptr, [&] { check_output(); });
    }
    if (!obstacles_.empty()) {
      throw InputError(model_.source() +
                       (take_ == Take::kEverything ? ": cannot be run: " : ": cannot be read: ") +
                       obstacles_.text());
    }
  }

  void require_one(std::size_t count, const std::string& what) {
    if (count != 1) {
      obstacles_.add("has " + std::to_string(count) + " " + what + "s, only one is supported");
    }
  }

  // The rest of the file is read as if there were no obstacle, so that all are found.
  template <typename Read>
  void noting_obstacles(const FileOperator* op, const Read& read) {
    try {
      return read();
    } catch (const FileObstacle& obstacle) {
      obstacles_.add(obstacle);
    } catch (const UnknownInput&) {
    }
    if (op != nullptr) {
      std::for_each(op->outputs.begin(), op->outputs.end(),
                    [&](FileTensor output) { assume_value(output, op); });
    }
  }

  // A tensor that nobody computes, as the file declares it.
  void assume_value(FileTensor tensor, const FileOperator* op) {
    if (values_.contains(tensor)) {
      return;
    }
    try {
      const std::vector<int> dimensions = model_.dimensions(tensor, op);
      const TensorQuantisation quantisation = activation_quantisation(tensor, op);
      const TensorShape shape = shape_of(dimensions);
      add_layer({.output = shape, .kernel = {}}, {}, tensor, quantisation);
      values_[tensor] =
          reread({.id = result_.network.layer_count(), .shape = shape, .margins = {}}, dimensions);
    } catch (const FileObstacle&) {
      unknown_.insert(tensor);
    }
  }

  void read_inputs() {
    result_.tensors.emplace_back();
    const std::vector<FileTensor>& inputs = model_.inputs();
    if (inputs.empty()) {
      return;
    }
    const FileTensor image = inputs.front();
    unknown_.insert(image);
    const std::vector<int> dimensions = model_.dimensions(image, nullptr);
    if (dimensions.size() == 4 && dimensions[0] != 1) {
      model_.fail(nullptr, image,
                  "has batch size " + std::to_string(dimensions[0]) + ", only 1 is supported");
    }
    const TensorShape shape = shape_of(dimensions);
    FileValue value{.id = kImage, .shape = shape, .margins = {}};
    const TensorType type = model_.type(image, nullptr);
    value.holds_end_numbers = type != type_ && end_numbers(type) != EndNumbers::kInt8;
    if (!value.holds_end_numbers) {
      result_.tensors[kImage] = activation_quantisation(image, nullptr);
    }
    unknown_.erase(image);
    values_[image] = reread(value, dimensions);
    result_.network.input = shape;
    std::for_each(inputs.begin() + 1, inputs.end(),
                  [&](FileTensor input) { assume_value(input, nullptr); });
  }

  void import_operator(const FileOperator& op, bool readable) {
    const OperatorImport import = import_of(op.code);
    if (import == nullptr) {
      model_.fail(op, kUnsupportedOperator);
    }
    if (!readable) {
      return;
    }
    if (op.outputs.size() != 1 || values_.contains(op.outputs[0])) {
      model_.fail(op, "must write exactly one tensor, which nothing else writes");
    }
    (this->*import)(op);
  }

  void check_output() {
    const auto output = values_.find(model_.outputs().front());
    const int last = result_.network.layer_count();
    if (last == 0 || output == values_.end() || output->second.id != last ||
        output->second.has_margins() || !output->second.is_ordered()) {
      model_.fail(nullptr, model_.outputs().front(), "must be what the last operator computes");
    }
    if (output->second.restated) {
      result_.output_end.restated = output->second.restated;
    }
  }

  // --- reading an operator -----------------------------------------------------------------------

  // An input that an earlier operator computed, or one of the graph.
  [[nodiscard]] const FileValue& any_value(const FileOperator& op, std::size_t position) const {
    const FileTensor tensor = op.input(position);
    if (unknown_.contains(tensor)) {
      throw UnknownInput{};
    }
    const auto found = values_.find(tensor);
    if (found == values_.end()) {
      model_.fail(&op, tensor,
                  "input " + std::to_string(position) +
                      (model_.is_constant(tensor) ? " is a constant, which is not supported"
                                                  : " is not computed by an earlier operator"));
    }
    return found->second;
  }

  // The same in the numbers of the network.
  [[nodiscard]] const FileValue& value(const FileOperator& op, std::size_t position) const {
    const FileValue& found = any_value(op, position);
    if (found.holds_end_numbers) {
      model_.require_type(op.inputs[position], type_, &op);
    }
    if (found.restated && found.id != kImage) {
      model_.fail(
          &op, op.inputs[position],
          "has been given another scale or zero point by an operator that computes nothing, "
          "which is only supported at the ends of the network");
    }
    return found;
  }

  // An input that windows can slide over, perhaps with margins.
  [[nodiscard]] const FileValue& map(const FileOperator& op) const {
    const FileValue& found = value(op, 0);
    if (!found.is_map()) {
      model_.fail(&op, op.inputs[0],
                  found.is_ordered()
                      ? "is reshaped to other rows, columns or channels than it was computed with, "
                        "which this operator may not read"
                      : "is transposed, which this operator may not read");
    }
    return found;
  }

  // An input whose elements lie as ours do.
  [[nodiscard]] const FileValue& elements(const FileOperator& op, std::size_t position) const {
    const FileValue& found = value(op, position);
    if (!found.is_ordered() || found.has_margins()) {
      model_.fail(&op, op.inputs[position],
                  "is padded or transposed, which this operator may not read");
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
    const bool is_float = type_ == TensorType::FLOAT32;
    model_.constant(op.input(1), type_, op);
    const FileTensor bias = op.input(2);
    if (bias < 0) {
      return;
    }
    const auto bias_type = is_float ? TensorType::FLOAT32 : TensorType::INT32;
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

  [[nodiscard]] TensorQuantisation quantisation(const FileValue& value) const {
    return value.restated.value_or(result_.tensors[static_cast<std::size_t>(value.id)]);
  }

  // --- what an operator computes -----------------------------------------------------------------

  void add_layer(const Layer& layer, QuantizedLayer quantised, FileTensor output,
                 const TensorQuantisation& output_quantisation) {
    result_.network.layers.push_back(layer);
    result_.network.names.push_back(model_.tensor_name(output));
    result_.tensors.push_back(output_quantisation);
    result_.layers.push_back(std::move(quantised));
  }

  // What the layer that is appended next computes.
  [[nodiscard]] FileValue next_value(const TensorShape& shape) const {
    return {.id = result_.network.layer_count() + 1, .shape = shape, .margins = {}};
  }

  // A layer whose elements the file's operator writes as `computed`.
  void append(const FileOperator& op, const Layer& layer, QuantizedLayer quantised,
              const FileValue& computed) {
    const FileTensor output = op.outputs[0];
    if (model_.dimensions(output, &op) != computed.dimensions()) {
      model_.fail(op, "its output's shape does not follow from its inputs");
    }
    const TensorQuantisation output_quantisation = activation_quantisation(output, &op);
    for (const FileTensor input : op.inputs) {
      if (const auto found = values_.find(input);
          found != values_.end() && found->second.id == kImage) {
        read_image_as(op, found->second);
      }
    }
    add_layer(layer, std::move(quantised), output, output_quantisation);
    values_[output] = computed;
  }

  // A layer that computes a map from the map `in`.
  void append_map(const FileOperator& op, const Layer& layer, QuantizedLayer quantised,
                  const FileValue& in) {
    FileValue computed = next_value(layer.output);
    computed.axes = in.axes;
    if (!computed.is_ordered()) {
      model_.fail(op, "makes a map of both rows and columns from one that is turned");
    }
    append(op, layer, std::move(quantised), computed);
  }

  // A layer that computes as many elements as `in` has, in the same order.
  void append_like(const FileOperator& op, const Layer& layer, QuantizedLayer quantised,
                   const FileValue& in) {
    FileValue computed = in;
    computed.id = result_.network.layer_count() + 1;
    computed.has_pad_operator = false;
    append(op, layer, std::move(quantised), computed);
  }

  // An image's bytes have the shape and the scale of the first layer that reads them.
  void read_image_as(const FileOperator& op, const FileValue& view) {
    TensorQuantisation& image = result_.tensors[kImage];
    if (!image_as_given_) {
      image_as_given_ = image;
      result_.network.input = view.shape;
      if (view.restated) {
        result_.input_end.restated = image;
        image = *view.restated;
      }
    } else if (view.shape != result_.network.input ||
               view.restated.value_or(*image_as_given_) != image) {
      model_.fail(op, "reads the input in another shape or scale than an earlier operator");
    }
  }

  // The output of an operator that computes nothing: another view of a tensor of ours.
  void pass_on(const FileOperator& op, const FileValue& view) {
    const FileTensor output = op.outputs[0];
    if (model_.dimensions(output, &op) != view.dimensions()) {
      model_.fail(op, "its output's shape does not follow from its inputs");
    }
    if (view.holds_end_numbers) {
      model_.require_type(output, model_.type(op.inputs[0], &op), &op);
    } else if (activation_quantisation(output, &op) != quantisation(view)) {
      model_.fail(op, "its output must have its input's scale and zero point");
    }
    values_[output] = view;
  }

  // The same for operators that copy bytes, whatever scale their output states.
  void pass_on_bytes(const FileOperator& op, FileValue view) {
    if (!view.holds_end_numbers) {
      const TensorQuantisation stated = activation_quantisation(op.outputs[0], &op);
      if (stated != quantisation(view)) {
        view.restated = stated;
      }
    }
    pass_on(op, view);
  }

  template <typename Options>
  [[nodiscard]] Layer convolution_layer(const FileOperator& op, LayerKind kind, const FileValue& in,
                                        const std::vector<int>& weights,
                                        int output_channels) const {
    const auto& o = options<Options>(op);
    if (o.dilation_h_factor() != 1 || o.dilation_w_factor() != 1) {
      model_.fail(op, "dilation is not supported");
    }
    if (in.has_margins() && in.margin_fill == MarginFill::kLowest) {
      model_.fail(op, "is padded with -128, which only a MAX_POOL_2D may read");
    }
    const WindowOptions window{weights[1], weights[2], o.stride_h(), o.stride_w(), o.padding()};
    Layer layer = window_layer(model_, op, kind, in, window, output_channels);
    layer.activation = activation_function(op, o.fused_activation_function());
    layer.pad_operator = pad_operator(in);
    return layer;
  }

  [[nodiscard]] static PadOperator pad_operator(const FileValue& in) {
    return in.has_pad_operator ? PadOperator{in.extent(FileAxis::kRows), in.extent(FileAxis::kCols)}
                               : PadOperator{};
  }

  // --- one function per operator -----------------------------------------------------------------

  void import_pad(const FileOperator& op) {
    const FileValue& in = value(op, 0);
    const bool knows_zero = take_ == Take::kEverything;
    pass_on(op,
            padded_view(model_, op, in,
                        knows_zero ? std::optional(quantisation(in).zero_point) : std::nullopt));
  }

  void import_reshape(const FileOperator& op) {
    pass_on_bytes(op, reshaped_view(model_, op, any_value(op, 0)));
  }

  void import_transpose(const FileOperator& op) {
    pass_on_bytes(op, transposed_view(model_, op, any_value(op, 0)));
  }

  void import_convolution(const FileOperator& op) {
    const FileValue& in = map(op);
    const std::vector<int> shape = weight_shape(op, 4);
    Layer layer =
        convolution_layer<tflite::Conv2DOptions>(op, LayerKind::kConv2d, in, shape, shape[0]);
    layer.groups = group_count(op, in.shape.channels, shape);
    QuantizedLayer quantised = parameters(op, 0, shape[0]);
    if (in.is_turned()) {
      quantised.weights = turned_weights(quantised.weights, shape);
    }
    append_map(op, layer, std::move(quantised), in);
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

  // With a depth multiplier it is a convolution in as many groups as there are input channels: of
  // one channel, simply a convolution.
  void import_depthwise(const FileOperator& op) {
    const FileValue& in = map(op);
    const std::vector<int> shape = weight_shape(op, 4);
    const int channels = in.shape.channels;
    const int multiplier = shape[3] / channels;
    if (shape[0] != 1 || multiplier * channels != shape[3]) {
      model_.fail(
          &op, op.inputs[1],
          "weights must be [1, height, width, a multiple of " + std::to_string(channels) + "]");
    }
    if (multiplier > 1 && channels > 1 && take_ == Take::kEverything) {
      model_.fail(&op, op.inputs[1],
                  "depth multiplier " + std::to_string(multiplier) + " of " +
                      std::to_string(channels) +
                      " channels can be estimated, not executed; allowed: 1, or one channel");
    }
    const LayerKind kind = multiplier == 1 ? LayerKind::kDepthwiseConv2d : LayerKind::kConv2d;
    Layer layer = convolution_layer<tflite::DepthwiseConv2DOptions>(op, kind, in, shape, shape[3]);
    layer.groups = multiplier == 1 ? 1 : channels;
    QuantizedLayer quantised = parameters(op, 3, shape[3]);
    if (in.is_turned()) {
      quantised.weights = turned_weights(quantised.weights, shape);
    }
    if (multiplier != 1) {
      quantised.weights = outputs_first(quantised.weights, shape);
    }
    append_map(op, layer, std::move(quantised), in);
  }

  void import_pool(const FileOperator& op) {
    const auto& o = options<tflite::Pool2DOptions>(op);
    const FileValue& in = map(op);
    const bool is_max = op.code == BuiltinOperator::MAX_POOL_2D;
    if (in.has_margins()) {
      if (!is_max) {
        model_.fail(op, "averages the zeros of a PAD operator, which is not supported");
      }
      check_margins_of_maximum(op, in);
    }
    const WindowOptions window{o.filter_height(), o.filter_width(), o.stride_h(), o.stride_w(),
                               o.padding()};
    Layer layer = window_layer(model_, op, is_max ? LayerKind::kMaxPool : LayerKind::kAveragePool,
                               in, window, in.shape.channels);
    layer.activation = activation_function(op, o.fused_activation_function());
    if (is_max) {
      layer.pad_operator = pad_operator(in);
    }
    append_map(op, layer, {}, in);
  }

  // Every window has a value inside the image (window_layer), so a maximum is the same with and
  // without margins that no value is below. Our poolings read none.
  void check_margins_of_maximum(const FileOperator& op, const FileValue& in) const {
    if (take_ == Take::kEverything && in.margin_fill == MarginFill::kZero &&
        quantisation(in).zero_point != -128 && !is_never_negative(in.id)) {
      model_.fail(
          op,
          "takes the maximum with the zeros of a PAD operator, which is only supported where "
          "no value can be negative, as behind RELU");
    }
  }

  // Whether no stored value of the tensor can be below its zero point, whatever that is.
  [[nodiscard]] bool is_never_negative(TensorId tensor) const {
    if (tensor == kImage) {
      return false;
    }
    const Layer& layer = result_.network.layers[static_cast<std::size_t>(tensor) - 1];
    const bool is_pool = layer.kind == LayerKind::kMaxPool || layer.kind == LayerKind::kAveragePool;
    return layer.activation != Activation::kNone || (is_pool && is_never_negative(layer.inputs[0]));
  }

  void import_add(const FileOperator& op) {
    for (const std::size_t position : {0U, 1U}) {
      if (op.input(position) >= 0 && !values_.contains(op.inputs[position]) &&
          model_.is_constant(op.inputs[position])) {
        model_.fail(op, "adds a constant, which is not supported");
      }
    }
    const FileValue& a = elements(op, 0);
    const FileValue& b = elements(op, 1);
    if (a.shape != b.shape) {
      model_.fail(op, a.dimensions() == b.dimensions()
                          ? "adds tensors that were computed in other rows and columns each"
                          : "adds tensors of different shapes");
    }
    Layer layer;
    layer.kind = LayerKind::kAdd;
    layer.inputs = {a.id, b.id};
    layer.output = a.shape;
    layer.activation =
        activation_function(op, options<tflite::AddOptions>(op).fused_activation_function());
    // Dimensions of 1 in front may be absent from either.
    append_like(op, layer, {}, a.dimensions().size() < b.dimensions().size() ? b : a);
  }

  // Weights for all elements of the input, or for a pixel's: then it is a 1x1 convolution.
  void import_fully_connected(const FileOperator& op) {
    const auto& o = options<tflite::FullyConnectedOptions>(op);
    if (o.weights_format() != tflite::FullyConnectedWeightsFormat::DEFAULT) {
      model_.fail(op, "shuffled weights are not supported");
    }
    const FileValue& in = elements(op, 0);
    const std::vector<int> shape = weight_shape(op, 2);
    const bool reads_all = shape[1] == in.shape.elements();
    if (!reads_all && shape[1] != in.shape.channels) {
      model_.fail(&op, op.inputs[1],
                  "weights for " + std::to_string(shape[1]) + " inputs fit neither the " +
                      std::to_string(in.shape.elements()) + " values of the input nor the " +
                      std::to_string(in.shape.channels) + " channels of a pixel");
    }
    Layer layer;
    layer.kind = reads_all ? LayerKind::kFullyConnected : LayerKind::kConv2d;
    layer.inputs = {in.id, kNoTensor};
    layer.output = {1, 1, shape[0]};
    layer.activation = activation_function(op, o.fused_activation_function());
    QuantizedLayer quantised = parameters(op, 0, shape[0]);
    if (!reads_all) {
      layer.output = {in.shape.height, in.shape.width, shape[0]};
      quantised.convolution_operator = ConvolutionOperator::kFullyConnected;
    }
    check_bias_scale(op, quantised);
    const std::vector<int> dimensions = model_.dimensions(op.outputs[0], &op);
    if (dimensions.empty() || dimensions.back() != shape[0]) {
      model_.fail(op, "its output's shape does not follow from its inputs");
    }
    append(op, layer, std::move(quantised), reread(next_value(layer.output), dimensions));
  }

  // TensorFlow Lite Micro runs no fully connected layer with one weight scale whose bias has
  // another scale than the products.
  void check_bias_scale(const FileOperator& op, const QuantizedLayer& quantised) const {
    constexpr double kTolerance = 0.02;  // of the output's scale
    if (take_ == Take::kStructure || op.input(2) < 0 || quantised.weight_scales.size() != 1) {
      return;
    }
    const double product = double{model_.activation_quantisation(op.input(0), &op).scale} *
                           double{quantised.weight_scales[0]};
    const double difference = std::abs(product - double{model_.first_scale(op.input(2))});
    if (difference > kTolerance * double{activation_quantisation(op.outputs[0], &op).scale}) {
      model_.fail(&op, op.input(2),
                  "its scale must be the product of the input's and the weights' scales");
    }
  }

  void import_softmax(const FileOperator& op) {
    if (options<tflite::SoftmaxOptions>(op).beta() != 1.0F) {
      model_.fail(op, "beta must be 1");
    }
    const FileValue& in = elements(op, 0);
    if (!in.ends_in_channels()) {
      model_.fail(&op, op.inputs[0], "is reshaped so that its last dimension is not the channels");
    }
    Layer layer;
    layer.kind = LayerKind::kSoftmax;
    layer.inputs = {in.id, kNoTensor};
    layer.output = in.shape;
    append_like(op, layer, {}, in);
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

  // QUANTIZE and DEQUANTIZE: of the image or the output they are about the user's numbers, and no
  // layers of the network.
  void import_conversion(const FileOperator& op) {
    const FileValue& in = any_value(op, 0);
    const TensorType to = model_.type(op.outputs[0], &op);
    const bool quantises = op.code == BuiltinOperator::QUANTIZE;
    if (type_ == TensorType::INT8 && in.holds_end_numbers && in.id == kImage && quantises) {
      return import_quantised_image(op, in);
    }
    if (type_ == TensorType::INT8 && !in.holds_end_numbers) {
      if (quantises && to == TensorType::INT8) {
        return import_requantisation(op);
      }
      if (to == (quantises ? TensorType::UINT8 : TensorType::FLOAT32)) {
        return import_converted_output(op, in);
      }
    }
    model_.fail(op, "only the network's input may be quantised, its output dequantised");
  }

  void import_quantised_image(const FileOperator& op, const FileValue& in) {
    FileValue view = in;
    view.holds_end_numbers = false;
    const TensorQuantisation quantised = activation_quantisation(op.outputs[0], &op);
    const bool is_first = result_.input_end.numbers == EndNumbers::kInt8;
    if (!is_first && quantised != result_.input_quantisation()) {
      model_.fail(op,
                  "quantises the input to another scale or zero point than an earlier operator");
    }
    if (is_first) {
      result_.tensors[kImage] = quantised;
      result_.input_end = network_end(op, op.inputs[0]);
    }
    pass_on(op, view);
  }

  void import_converted_output(const FileOperator& op, const FileValue& in) {
    FileValue view = in;
    view.holds_end_numbers = true;
    if (model_.dimensions(op.outputs[0], &op) != view.dimensions()) {
      model_.fail(op, "its output's shape does not follow from its inputs");
    }
    result_.output_end = network_end(op, op.outputs[0]);
    result_.output_end.restated = in.restated;
    view.restated.reset();
    values_[op.outputs[0]] = view;
  }

  [[nodiscard]] NetworkEnd network_end(const FileOperator& op, FileTensor outer) const {
    NetworkEnd end{.numbers = end_numbers(model_.type(outer, &op))};
    if (take_ == Take::kEverything && end.numbers == EndNumbers::kUint8) {
      end.uint8 = model_.activation_quantisation(outer, &op, TensorType::UINT8);
    }
    return end;
  }

  [[nodiscard]] static EndNumbers end_numbers(TensorType type) {
    return type == TensorType::UINT8     ? EndNumbers::kUint8
           : type == TensorType::FLOAT32 ? EndNumbers::kFloat32
                                         : EndNumbers::kInt8;
  }

  // From one int8 scale to another: a depthwise convolution with weights of 1, whose multiplier is
  // the quotient of the scales as that of QUANTIZE is.
  void import_requantisation(const FileOperator& op) {
    const FileValue& in = elements(op, 0);
    if (model_.activation_quantisation(op.inputs[0], &op) ==
        model_.activation_quantisation(op.outputs[0], &op)) {
      return pass_on(op, in);
    }
    const auto channels = static_cast<std::size_t>(in.shape.channels);
    Layer layer;
    layer.kind = LayerKind::kDepthwiseConv2d;
    layer.inputs = {in.id, kNoTensor};
    layer.output = in.shape;
    QuantizedLayer quantised;
    if (take_ == Take::kEverything) {
      quantised.weights.assign(channels, 1);
      quantised.weight_scales = {1.0F};
      quantised.biases.assign(channels, 0);
    }
    append_like(op, layer, std::move(quantised), in);
  }

  const TfliteModel& model_;
  Take take_;
  TensorType type_ = TensorType::INT8;  // of activations and weights
  QuantizedNetwork result_;
  std::optional<TensorQuantisation> image_as_given_;  // once a layer has read it
  std::unordered_map<FileTensor, FileValue> values_;
  std::unordered_set<FileTensor> unknown_;  // what operators with obstacles would have computed
  FileObstacles obstacles_;
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
  const std::string bytes = read_input(path);
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
