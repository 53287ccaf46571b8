#pragma once

// One pass over the operators of a .tflite file, front door and all. Private to the importer
// (tflite_import.h is for others).

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "arch/float_network.h"
#include "arch/quantized_network.h"
#include "deploy/import/file_obstacles.h"
#include "deploy/import/index_runs.h"
#include "deploy/tflite/tflite_import.h"
#include "deploy/tflite/tflite_model.h"
#include "deploy/tflite/tflite_slices.h"
#include "deploy/tflite/tflite_value.h"
#include "deploy/tflite/tflite_views.h"

namespace patchnas {

/// What is taken from a file besides its layers: nothing, int8 values and scales, or float values.
enum class Take { kStructure, kInt8, kFloat };

/// Values of a layer: `int8` for Take::kInt8, `real` for Take::kFloat.
struct LayerValues {
  QuantizedLayer int8{};
  FloatLayer real{};
};

class TfliteImporter {
 public:
  TfliteImporter(const TfliteModel& model, Take take) : model_(model), take_(take) {}
  QuantizedNetwork quantised_network();
  FloatNetwork float_network();
  TfliteStructure structure();
  /// Everything that stands in the way, a line each.
  std::vector<std::string> obstacles();
  /// Whether operators of that kind are read at all.
  static bool reads(tflite::BuiltinOperator code) { return import_of(code) != nullptr; }

 private:
  using OperatorImport = void (TfliteImporter::*)(const FileOperator&);
  // All operators that are read.
  static OperatorImport import_of(tflite::BuiltinOperator code);

  // --- the graph: tflite_import.cpp -------------------------------------------------------------

  // Throws if there are obstacles; the other only finds them.
  void read_layers();
  void try_to_read_layers();
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
  void read_input(FileTensor tensor, TensorId id);
  void import_operator(const FileOperator& op, bool readable);
  void read_outputs();

  // --- reading an operator, and what it computes: tflite_layers.cpp ----------------------------

  // An input that an earlier operator computed, or one of the graph.
  const FileValue& any_value(const FileOperator& op, std::size_t position) const;
  // The same in the numbers of the network. What an operator that computes nothing has made of it
  // is a layer that copies where no later layer can take it into account: from here on, those that
  // read it read that layer's output.
  const FileValue& value(const FileOperator& op, std::size_t position);
  const FileValue& plain(const FileOperator& op, std::size_t position);
  // An input that windows can slide over, perhaps with margins.
  const FileValue& map(const FileOperator& op);
  // The same: margins, if it has any, hold the zero point and are smaller than the kernel.
  const FileValue& map_for_convolution(const FileOperator& op, int kernel_h, int kernel_w);
  // An input whose elements lie as ours do.
  const FileValue& elements(const FileOperator& op, std::size_t position);
  // The same: the file's last dimension is our channels.
  const FileValue& elements_by_channel(const FileOperator& op, std::size_t position);
  [[nodiscard]] bool is_constant_operand(const FileOperator& op, std::size_t position) const {
    return op.input(position) >= 0 && !values_.contains(op.inputs[position]) &&
           model_.is_constant(op.inputs[position]);
  }
  // "axis" of a file, which may count from the end.
  [[nodiscard]] std::size_t axis_of(const FileOperator& op, std::int64_t axis,
                                    std::size_t rank) const;
  template <typename Options>
  [[nodiscard]] const Options& options(const FileOperator& op) const {
    return model_.options<Options>(op);
  }
  [[nodiscard]] Activation activation_function(const FileOperator& op,
                                               tflite::ActivationFunctionType type) const;
  // Dimensions of constant weights.
  [[nodiscard]] std::vector<int> weight_shape(const FileOperator& op, std::size_t rank) const;
  [[nodiscard]] LayerValues parameters(const FileOperator& op, int channel_axis, int outputs) const;
  [[nodiscard]] QuantizedLayer int8_parameters(const FileOperator& op, int channel_axis,
                                               int outputs) const;
  [[nodiscard]] FloatLayer float_parameters(const FileOperator& op) const;
  // That weights and biases are constants of the right type and size.
  void check_parameters(const FileOperator& op, int outputs) const;
  // Scale and zero point of an activation; nothing but its type matters for the structure.
  [[nodiscard]] TensorQuantisation activation_quantisation(FileTensor tensor,
                                                           const FileOperator* op) const;
  [[nodiscard]] TensorQuantisation quantisation(const FileValue& value) const {
    return value.restated.value_or(result_.tensors[static_cast<std::size_t>(value.id)]);
  }
  void add_layer(const Layer& layer, LayerValues values, FileTensor output,
                 const TensorQuantisation& output_quantisation);
  // A layer that does not compute an operator's output.
  FileValue add_copy(const FileOperator& op, const FileValue& in, const StridedCopy& copy,
                     const std::vector<int>& dimensions, FileTensor named_after);
  // What the layer that is appended next computes.
  [[nodiscard]] FileValue next_value(const TensorShape& shape) const {
    return {.id = result_.network.layer_count() + 1, .shape = shape, .margins = {}};
  }
  // A layer whose elements the file's operator writes as `computed`.
  void append(const FileOperator& op, const Layer& layer, LayerValues values,
              const FileValue& computed) {
    append_output(op, 0, layer, std::move(values), computed);
  }
  void append_output(const FileOperator& op, std::size_t output, const Layer& layer,
                     LayerValues values, const FileValue& computed);
  // A layer that computes a map from the map `in`.
  void append_map(const FileOperator& op, const Layer& layer, LayerValues values,
                  const FileValue& in);
  // A layer that computes as many elements as `in` has, in the same order.
  void append_like(const FileOperator& op, const Layer& layer, LayerValues values,
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
  // Whether no window of such a kernel may hold nothing but margins.
  [[nodiscard]] static bool margins_fit(const FileValue& in, int kernel_h, int kernel_w) {
    const Margins& m = in.margins;
    const int rows = in.is_turned() ? kernel_w : kernel_h;
    const int cols = in.is_turned() ? kernel_h : kernel_w;
    return m.top < rows && m.bottom < rows && m.left < cols && m.right < cols;
  }
  [[nodiscard]] static bool is_dilated(const Layer& layer) {
    return layer.kernel.dilation_h != 1 || layer.kernel.dilation_w != 1;
  }
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
  void import_transpose_convolution(const FileOperator& op);
  // With a depth multiplier or dilation it is a convolution in as many groups as there are input
  // channels: of one channel, simply a convolution.
  void import_depthwise(const FileOperator& op);
  void import_pool(const FileOperator& op);
  // Every window has a value inside the image (sliding_layer), so a maximum is the same with and
  // without margins that no value is below. Our poolings read none.
  [[nodiscard]] bool margins_count_in_maximum(const FileValue& in) const;
  // Whether no stored value of the tensor can be below its zero point, whatever that is.
  [[nodiscard]] bool is_never_negative(TensorId tensor) const;
  void import_add(const FileOperator& op);
  // Weights for all elements of the input, or for a pixel's: then it is a 1x1 convolution.
  void import_fully_connected(const FileOperator& op);
  // TensorFlow Lite Micro runs no fully connected layer with one weight scale whose bias has
  // another scale than the products.
  void check_bias_scale(const FileOperator& op, const QuantizedLayer& quantised) const;
  void import_softmax(const FileOperator& op);

  // --- means, sums and maxima over dimensions: tflite_reductions.cpp ----------------------------

  void import_reduction(const FileOperator& op);
  // What of `in` is reduced, whole axes.
  struct Reduction {
    FileValue in;
    bool rows = false;
    bool cols = false;
    bool channels = false;
  };
  [[nodiscard]] std::vector<bool> reduced_dimensions(const FileOperator& op,
                                                     std::size_t rank) const;
  [[nodiscard]] Reduction reduction_of_axes(const FileOperator& op, const FileValue& in) const;
  Reduction reduction_of_groups(const FileOperator& op, const FileValue& in);
  FileValue negated(const FileOperator& op, const FileValue& in);
  [[nodiscard]] std::pair<Layer, LayerValues> negation_of(const TensorShape& shape,
                                                          TensorId tensor) const;
  // What the layer that is appended next computes of `in`.
  [[nodiscard]] FileValue reduced_value(const FileOperator& op, const FileValue& in,
                                        const TensorShape& shape) const;

  // --- element by element: tflite_elements.cpp --------------------------------------------------

  void import_function(const FileOperator& op);
  // ADD, SUB, MUL, PRELU, MAXIMUM, MINIMUM and SQUARED_DIFFERENCE.
  void import_combination(const FileOperator& op);
  // One number, one per channel, or what is repeated to one for each element.
  void import_with_constant(const FileOperator& op, Layer layer, std::size_t constant);
  // One per channel of `shape`, or for each element of `to`.
  [[nodiscard]] LayerValues constants(const FileOperator& op, std::size_t position, bool by_channel,
                                      const TensorShape& shape, const std::vector<int>& to) const;
  // Two tensors, the smaller one repeated along the dimensions that it does not have.
  void import_of_two(const FileOperator& op, Layer layer);
  // The input of an operator, repeated along dimensions that it does not have.
  FileValue repeated(const FileOperator& op, std::size_t position, const std::vector<int>& to,
                     FileTensor named_after);
  [[nodiscard]] StridedCopy moved(const FileOperator& op, const std::vector<int>& counts,
                                  const std::vector<int>& from_strides,
                                  const std::vector<int>& to_strides) const;
  void import_repetition(const FileOperator& op);
  // A constant with a number for each element of such a tensor.
  template <typename Value>
  [[nodiscard]] std::vector<Value> repeated_constant(const FileOperator& op, FileTensor tensor,
                                                     const std::vector<Value>& values,
                                                     const std::vector<int>& to) const;
  // Elements between neighbours along each dimension of `to` of a tensor with the dimensions
  // `from`: 0 where it is repeated.
  [[nodiscard]] std::vector<int> repeating_strides(const FileOperator& op, FileTensor tensor,
                                                   std::vector<int> from,
                                                   const std::vector<int>& to) const;
  // That a constant with a number for each element of such a tensor is not endless.
  void check_constant_map(const FileOperator& op, const std::vector<int>& to) const;
  [[nodiscard]] tflite::ActivationFunctionType fused_function(const FileOperator& op) const;
  void import_resize(const FileOperator& op);

  // --- other places: tflite_places.cpp ----------------------------------------------------------

  void import_join(const FileOperator& op);
  struct JoinedPart {
    std::size_t position = 0;  // of the input
    int begin = 0;             // in the output, along the axis
    std::vector<int> dimensions;
  };
  std::vector<int> joined_dimensions(const FileOperator& op, std::size_t position,
                                     std::size_t axis);
  Layer layer_of_part(const FileOperator& op, const JoinedPart& part, std::size_t axis);
  // The output with what is constant in it, of which the rest does not matter.
  [[nodiscard]] LayerValues joined_constants(const FileOperator& op,
                                             const std::vector<JoinedPart>& parts,
                                             std::size_t axis) const;
  template <typename Value>
  static void place(const std::vector<Value>& values, const JoinedPart& part,
                    const std::vector<int>& to, std::size_t axis, std::vector<Value>& all);
  void import_split(const FileOperator& op);
  [[nodiscard]] std::int64_t split_axis(const FileOperator& op) const;
  void import_slice(const FileOperator& op);
  void import_gather(const FileOperator& op);
  void append_runs(const FileOperator& op, const FileValue& in, std::size_t axis,
                   const std::vector<IndexRun>& runs);
  void append_slice(const FileOperator& op, std::size_t output, const FileValue& in,
                    const FileSlice& slice);
  void import_depth_and_space(const FileOperator& op);
  // Copies that fill the output together.
  void append_copies(const FileOperator& op, const FileValue& in,
                     const std::vector<StridedCopy>& copies, const std::vector<int>& to);
  // The same of a tensor in between.
  FileValue add_copies(const FileOperator& op, const FileValue& in,
                       const std::vector<StridedCopy>& copies, const std::vector<int>& to);
  void import_mirror_pad(const FileOperator& op);
  FileValue mirrored(const FileOperator& op, const FileValue& in, std::size_t axis,
                     const FilePadding& padding);
  void append_padded(const FileOperator& op, const FilePadding& padding);
  [[nodiscard]] bool is_read(FileTensor tensor) const { return read_.contains(tensor); }

  // --- convolutions of blocks: tflite_dilation.cpp ----------------------------------------------

  // SPACE_TO_BATCH_ND, with all up to BATCH_TO_SPACE_ND.
  void import_blocks(const FileOperator& op);
  // The operator that reads what `op` computes, if it is the only one, behind operators that only
  // change its shape, and all of these; else null.
  struct ReaderPath {
    const FileOperator* end = nullptr;
    std::vector<int> operators;
  };
  [[nodiscard]] ReaderPath only_reader(const FileOperator& op) const;
  FileValue blocked_view(const FileOperator& op, const FileOperator& convolution,
                         const FileOperator& end);

  // --- numbers at the ends: tflite_conversions.cpp ----------------------------------------------

  // QUANTIZE and DEQUANTIZE: of an input or an output they are about the user's numbers, and no
  // layers of the network. Nor are those that widen the float16 weights of a float network.
  void import_conversion(const FileOperator& op);
  void import_quantised_input(const FileOperator& op, const FileValue& in);
  void import_converted_output(const FileOperator& op, const FileValue& in);
  // What an earlier QUANTIZE made uint8, not for the network's user alone.
  void import_from_uint8(const FileOperator& op, FileValue in, const NetworkEnd& end);
  [[nodiscard]] NetworkEnd network_end(const FileOperator& op, FileTensor outer) const;
  [[nodiscard]] static EndNumbers end_numbers(tflite::TensorType type) {
    return type == tflite::TensorType::UINT8     ? EndNumbers::kUint8
           : type == tflite::TensorType::FLOAT32 ? EndNumbers::kFloat32
                                                 : EndNumbers::kInt8;
  }

  const TfliteModel& model_;
  Take take_;
  tflite::TensorType type_ = tflite::TensorType::INT8;  // of activations and weights
  QuantizedNetwork result_;
  std::vector<FloatLayer> float_layers_;              // one per layer of `result_`, if asked for
  std::optional<TensorQuantisation> image_as_given_;  // once a layer has read it
  std::unordered_map<FileTensor, FileValue> values_;
  std::unordered_map<FileTensor, NetworkEnd> converted_;  // outputs in the user's numbers
  std::unordered_set<FileTensor> read_;     // by operators that are needed, or of the graph
  std::unordered_set<FileTensor> unknown_;  // what operators with obstacles would have computed
  std::unordered_set<int> merged_;          // operators that an earlier one was imported with
  FileObstacles obstacles_;
};

}  // namespace patchnas
