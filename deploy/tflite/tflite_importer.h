#pragma once

// One pass over the operators of a .tflite file, front door and all. Private to the importer
// (tflite_import.h is for others).

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "arch/quantized_network.h"
#include "deploy/tflite/tflite_import.h"
#include "deploy/tflite/tflite_model.h"
#include "deploy/tflite/tflite_obstacles.h"
#include "deploy/tflite/tflite_value.h"

namespace patchnas {

/// What is taken from a file besides its layers.
enum class Take { kEverything, kStructure };

class TfliteImporter {
 public:
  TfliteImporter(const TfliteModel& model, Take take) : model_(model), take_(take) {}
  QuantizedNetwork quantised_network();
  TfliteStructure structure();

 private:
  using OperatorImport = void (TfliteImporter::*)(const FileOperator&);
  // All operators that are read.
  static OperatorImport import_of(tflite::BuiltinOperator code);

  // --- the graph: tflite_import.cpp -------------------------------------------------------------

  void read_layers();
  void require_one(std::size_t count, const std::string& what);
  // Thrown for an operator that reads what an obstacle has left unknown: not an obstacle of its
  // own.
  struct UnknownInput {};

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
  void assume_value(FileTensor tensor, const FileOperator* op);
  void read_inputs();
  void import_operator(const FileOperator& op, bool readable);
  void check_output();

  // --- reading an operator, and what it computes: tflite_layers.cpp ----------------------------

  // An input that an earlier operator computed, or one of the graph.
  [[nodiscard]] const FileValue& any_value(const FileOperator& op, std::size_t position) const;
  // The same in the numbers of the network.
  [[nodiscard]] const FileValue& value(const FileOperator& op, std::size_t position) const;
  // An input that windows can slide over, perhaps with margins.
  [[nodiscard]] const FileValue& map(const FileOperator& op) const;
  // An input whose elements lie as ours do.
  [[nodiscard]] const FileValue& elements(const FileOperator& op, std::size_t position) const;
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
                                               tflite::ActivationFunctionType type) const;
  // Dimensions of constant weights.
  [[nodiscard]] std::vector<int> weight_shape(const FileOperator& op, std::size_t rank) const;
  [[nodiscard]] QuantizedLayer parameters(const FileOperator& op, int channel_axis,
                                          int outputs) const;
  // That weights and biases are constants of the right type and size.
  void check_parameters(const FileOperator& op, int outputs) const;
  // Scale and zero point of an activation; nothing but its type matters for the structure.
  [[nodiscard]] TensorQuantisation activation_quantisation(FileTensor tensor,
                                                           const FileOperator* op) const;
  [[nodiscard]] TensorQuantisation quantisation(const FileValue& value) const {
    return value.restated.value_or(result_.tensors[static_cast<std::size_t>(value.id)]);
  }
  void add_layer(const Layer& layer, QuantizedLayer quantised, FileTensor output,
                 const TensorQuantisation& output_quantisation);
  // What the layer that is appended next computes.
  [[nodiscard]] FileValue next_value(const TensorShape& shape) const {
    return {.id = result_.network.layer_count() + 1, .shape = shape, .margins = {}};
  }
  // A layer whose elements the file's operator writes as `computed`.
  void append(const FileOperator& op, const Layer& layer, QuantizedLayer quantised,
              const FileValue& computed);
  // A layer that computes a map from the map `in`.
  void append_map(const FileOperator& op, const Layer& layer, QuantizedLayer quantised,
                  const FileValue& in);
  // A layer that computes as many elements as `in` has, in the same order.
  void append_like(const FileOperator& op, const Layer& layer, QuantizedLayer quantised,
                   const FileValue& in);
  // An image's bytes have the shape and the scale of the first layer that reads them.
  void read_image_as(const FileOperator& op, const FileValue& view);
  // The output of an operator that computes nothing: another view of a tensor of ours.
  void pass_on(const FileOperator& op, const FileValue& view);
  // The same for operators that copy bytes, whatever scale their output states.
  void pass_on_bytes(const FileOperator& op, FileValue view);

  // --- one function per operator: tflite_operators.cpp ------------------------------------------

  template <typename Options>
  [[nodiscard]] Layer convolution_layer(const FileOperator& op, LayerKind kind, const FileValue& in,
                                        const std::vector<int>& weights, int output_channels) const;
  [[nodiscard]] static PadOperator pad_operator(const FileValue& in) {
    return in.has_pad_operator ? PadOperator{in.extent(FileAxis::kRows), in.extent(FileAxis::kCols)}
                               : PadOperator{};
  }
  void import_pad(const FileOperator& op);
  void import_reshape(const FileOperator& op);
  void import_transpose(const FileOperator& op);
  void import_convolution(const FileOperator& op);
  // A CONV_2D has groups where its [O, kh, kw, I] weights have fewer channels than its input.
  [[nodiscard]] int group_count(const FileOperator& op, int input_channels,
                                const std::vector<int>& weights) const;
  // With a depth multiplier it is a convolution in as many groups as there are input channels: of
  // one channel, simply a convolution.
  void import_depthwise(const FileOperator& op);
  void import_pool(const FileOperator& op);
  // Every window has a value inside the image (sliding_layer), so a maximum is the same with and
  // without margins that no value is below. Our poolings read none.
  void check_margins_of_maximum(const FileOperator& op, const FileValue& in) const;
  // Whether no stored value of the tensor can be below its zero point, whatever that is.
  [[nodiscard]] bool is_never_negative(TensorId tensor) const;
  void import_add(const FileOperator& op);
  // Weights for all elements of the input, or for a pixel's: then it is a 1x1 convolution.
  void import_fully_connected(const FileOperator& op);
  // TensorFlow Lite Micro runs no fully connected layer with one weight scale whose bias has
  // another scale than the products.
  void check_bias_scale(const FileOperator& op, const QuantizedLayer& quantised) const;
  void import_softmax(const FileOperator& op);
  // Over rows or columns, or both. No average pooling: TensorFlow Lite rounds the two differently.
  void import_mean(const FileOperator& op);

  // --- numbers at the ends: tflite_conversions.cpp ----------------------------------------------

  // QUANTIZE and DEQUANTIZE: of the image or the output they are about the user's numbers, and no
  // layers of the network.
  void import_conversion(const FileOperator& op);
  void import_quantised_image(const FileOperator& op, const FileValue& in);
  void import_converted_output(const FileOperator& op, const FileValue& in);
  [[nodiscard]] NetworkEnd network_end(const FileOperator& op, FileTensor outer) const;
  [[nodiscard]] static EndNumbers end_numbers(tflite::TensorType type) {
    return type == tflite::TensorType::UINT8     ? EndNumbers::kUint8
           : type == tflite::TensorType::FLOAT32 ? EndNumbers::kFloat32
                                                 : EndNumbers::kInt8;
  }
  // From one int8 scale to another: a depthwise convolution with weights of 1, whose multiplier is
  // the quotient of the scales as that of QUANTIZE is.
  void import_requantisation(const FileOperator& op);

  const TfliteModel& model_;
  Take take_;
  tflite::TensorType type_ = tflite::TensorType::INT8;  // of activations and weights
  QuantizedNetwork result_;
  std::optional<TensorQuantisation> image_as_given_;  // once a layer has read it
  std::unordered_map<FileTensor, FileValue> values_;
  std::unordered_set<FileTensor> unknown_;  // what operators with obstacles would have computed
  FileObstacles obstacles_;
};

}  // namespace patchnas
