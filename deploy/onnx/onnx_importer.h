#pragma once

// One pass over the nodes of an .onnx file, front door and all. Private to the importer
// (onnx_import.h is for others).

#include <algorithm>
#include <array>
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
#include "deploy/onnx/onnx_folding.h"
#include "deploy/onnx/onnx_import.h"
#include "deploy/onnx/onnx_model.h"
#include "deploy/onnx/onnx_view.h"

namespace patchnas {

/// What a tensor of the file that depends on the inputs is in our network.
struct OnnxValue {
  TensorId id = kNoTensor;
  std::vector<int> dimensions;
  OnnxView view;
  /// Between a QuantizeLinear and its DequantizeLinear: integers, of this kind.
  std::optional<EndNumbers> stored{};
  /// Of a float input that no QuantizeLinear has read yet, in a quantised file.
  bool is_users_float = false;
};

/// Rows and columns before and behind a map.
struct OnnxMargins {
  int top = 0;
  int left = 0;
  int bottom = 0;
  int right = 0;
  bool operator==(const OnnxMargins&) const = default;
};

/// A layer's numbers: of float files the first, of quantised ones the second.
struct OnnxParameters {
  FloatLayer floats{};
  QuantizedLayer quantised{};
};

class OnnxImporter {
 public:
  explicit OnnxImporter(const OnnxModel& model);
  FloatNetwork float_network();
  QuantizedNetwork quantised_network();
  OnnxStructure structure();
  /// Everything that stands in the way of running it, a line each.
  std::vector<std::string> obstacles();
  [[nodiscard]] OnnxNumbers numbers() const { return numbers_; }
  /// Dimensions of everything that nodes computed, by name; after the others.
  [[nodiscard]] const std::unordered_map<std::string, OnnxValue>& values() const { return values_; }
  /// Whether nodes of that kind are read at all, if only of constants.
  static bool reads(const std::string& op);

 private:
  using NodeImport = void (OnnxImporter::*)(const OnnxNode&);
  // All nodes that are read.
  static NodeImport import_of(const std::string& op);

  // --- the graph: onnx_import.cpp ---------------------------------------------------------------

  [[nodiscard]] bool is_quantised() const { return numbers_ == OnnxNumbers::kInt8; }
  // Throws if there are obstacles; the other only finds them.
  void read_layers(const char* purpose);
  void try_to_read_layers();
  // Thrown for a node that reads what an obstacle has left unknown: not an obstacle of its own.
  struct UnknownInput {};
  // The rest of the file is read as if there were no obstacle, so that all are found.
  template <typename Read>
  void noting_obstacles(const OnnxNode* node, const Read& read) {
    try {
      return read();
    } catch (const FileObstacle& obstacle) {
      obstacles_.add(obstacle);
    } catch (const UnknownInput&) {
    }
    if (node != nullptr) {
      std::for_each(node->data->output().begin(), node->data->output().end(),
                    [&](const std::string& output) { assume_value(output); });
    }
  }
  // A tensor that nobody computes, as the file declares it.
  void assume_value(const std::string& tensor);
  void read_inputs();
  void read_input(const OnnxDeclaration& input, TensorId id);
  // Constants may stand behind what reads them.
  void read_constants();
  void import_node(const OnnxNode& node);
  void read_outputs();

  // --- operands and what is computed of them: onnx_operands.cpp ---------------------------------

  // The inputs that are constants.
  [[nodiscard]] OnnxConstants constants(const OnnxNode& node);
  // A constant of the file or of nodes that were folded, or null.
  const OnnxConstant* constant(const std::string& tensor, const OnnxNode* at);
  const OnnxConstant& required_constant(const OnnxNode& node, std::size_t position);
  // What an earlier node computed, or an input of the graph, whatever its numbers are.
  const OnnxValue& any_value(const OnnxNode& node, std::size_t position) const;
  // The same in the numbers that layers compute with; of an input that no layer has read yet, the
  // view is of the file's order.
  OnnxValue value(const OnnxNode& node, std::size_t position);
  // The same, and an input has its usual layout if no layer has read it yet.
  OnnxValue settled(const OnnxNode& node, std::size_t position);
  // Its layout is `layout` from here on: as it is, as an input that no layer has read yet comes, or
  // by a copy.
  OnnxValue laid_out(const OnnxNode& node, const OnnxValue& in, const OnnxLayout& layout);
  // [1, C, H, W], or [1, C, W] as a map of one row.
  OnnxValue map(const OnnxNode& node, std::size_t position);
  // With dimension `axis` as the channels of our tensor.
  OnnxValue by_channel(const OnnxNode& node, const OnnxValue& in, std::size_t axis);
  [[nodiscard]] bool has_channels(const OnnxValue& in, std::size_t axis) const;
  // The view of a tensor that has `count` channels where that of `in`, at `axis`, has others.
  [[nodiscard]] OnnxView with_channels(const OnnxValue& in, std::size_t axis, int count) const;
  // Whether each dimension is at most one digit.
  [[nodiscard]] static bool has_simple_axes(const OnnxValue& in);
  OnnxValue with_simple_axes(const OnnxNode& node, const OnnxValue& in);
  [[nodiscard]] std::vector<Digit> digit_of_each(const OnnxNode& node, const OnnxView& view,
                                                 const std::vector<int>& dimensions) const;
  // A layer that does not compute a node's output. @param from may repeat elements of `in`
  OnnxValue add_copy(const OnnxNode* at, const OnnxValue& in, const OnnxView& from,
                     const std::vector<int>& dimensions, const OnnxLayout& layout,
                     const std::string& name);
  [[nodiscard]] const TensorShape& shape(const OnnxValue& in) const {
    return network_.shape(in.id);
  }
  // The places of our tensor, where the layout of an input is decided by who reads it first.
  struct InputLayout {
    bool is_decided = false;
    OnnxView from, to;
  };
  [[nodiscard]] bool is_undecided(const OnnxValue& in) const {
    return in.id < static_cast<TensorId>(input_layouts_.size()) &&
           !input_layouts_[static_cast<std::size_t>(in.id)].is_decided;
  }
  void decide_input(const OnnxValue& first_reading, const OnnxLayout& layout);
  // By the shape that the file gives it, where the first layer does not mind.
  void decide_as_declared(TensorId input);
  // Whether the first that nodes do with it, but for arithmetic, is to bring its channels forward.
  [[nodiscard]] bool has_channels_last(const std::string& tensor, int depth = 0) const;
  [[nodiscard]] OnnxView view_in_layers(const OnnxNode* at, const OnnxValue& in) const;

  // A layer, whose output is named for the node's.
  TensorId add_layer(const Layer& layer, OnnxParameters parameters, const std::string& name);
  [[nodiscard]] std::optional<TensorQuantisation> implied_quantisation(const Layer& layer) const;
  void append(const OnnxNode& node, const Layer& layer, OnnxParameters parameters,
              const std::vector<int>& dimensions, const OnnxView& view) {
    append_output(node, 0, layer, std::move(parameters), dimensions, view);
  }
  void append_output(const OnnxNode& node, std::size_t position, const Layer& layer,
                     OnnxParameters parameters, const std::vector<int>& dimensions,
                     const OnnxView& view);
  // Of a map, [1, channels, H, W] or [1, channels, W] as `in` is.
  void append_map(const OnnxNode& node, const Layer& layer, OnnxParameters parameters,
                  const OnnxValue& in);
  // The output of a node that computes nothing.
  void pass_on(const OnnxNode& node, OnnxValue value);
  // The layer that computes what the node reads, if nobody else reads that and its numbers are not
  // rounded in between: what the node does can be a part of it.
  Layer* open_layer(const OnnxNode& node, std::size_t position);
  // What `node` does is now a part of that layer.
  void join(const OnnxNode& node, std::size_t position);
  [[nodiscard]] bool is_only_reader(const OnnxNode& node, const std::string& tensor) const;
  [[nodiscard]] FloatLayer& float_layer(TensorId tensor) {
    return float_layers_[static_cast<std::size_t>(tensor) - 1];
  }
  [[nodiscard]] std::optional<TensorQuantisation>& quantisation(TensorId tensor) {
    return quantisations_[static_cast<std::size_t>(tensor)];
  }

  // --- layers with weights: onnx_weights.cpp ----------------------------------------------------

  void import_convolution(const OnnxNode& node);
  void import_transposed_convolution(const OnnxNode& node);
  void import_gemm(const OnnxNode& node);
  void import_matmul(const OnnxNode& node);
  void import_batch_norm(const OnnxNode& node);
  // The second input; in float files what it was dequantised to.
  OnnxConstant weights_of(const OnnxNode& node);
  // @param weights [O, K]
  void append_dense(const OnnxNode& node, const OnnxConstant& weights, const OnnxConstant* bias);
  // @param weights in our order, the outputs along `channel_axis`
  OnnxParameters parameters(const OnnxNode& node, const OnnxConstant& weights,
                            std::size_t channel_axis, const OnnxConstant* bias, int outputs,
                            TensorId input);
  void read_quantised(const OnnxNode& node, const OnnxConstant& weights, std::size_t channel_axis,
                      QuantizedLayer& result) const;
  [[nodiscard]] std::vector<std::int32_t> quantised_biases(const OnnxNode& node,
                                                           const OnnxConstant& bias,
                                                           std::vector<float> scales, int outputs,
                                                           TensorId input);
  // Adds to the bias of a layer that is open, if it can.
  bool join_bias(const OnnxNode& node, std::size_t position, const OnnxConstant& constant);

  // --- windows: onnx_sliding.cpp ----------------------------------------------------------------

  struct Window {
    std::array<int, 2> kernel{1, 1}, strides{1, 1}, dilations{1, 1};
    OnnxMargins pads{};
    std::string auto_pad;
    bool rounds_up = false;
  };
  [[nodiscard]] Window window(const OnnxNode& node, const std::vector<int>& kernel) const;
  // The layer without what depends on its kind.
  // @param in a map; gets margins of zeros, if a window has to read them
  Layer sliding_layer(const OnnxNode& node, LayerKind kind, OnnxValue& in, const Window& window,
                      int channels, bool counts_zeros);
  struct TransposedAxis {
    int before = 0;
    int output = 0;
  };
  // Rows and columns of a transposed convolution.
  [[nodiscard]] std::array<TransposedAxis, 2> transposed_axes(const OnnxNode& node,
                                                              const OnnxValue& in,
                                                              const Window& w) const;
  OnnxValue with_margins(const OnnxNode& node, const OnnxValue& map, const OnnxMargins& margins);
  void import_pool(const OnnxNode& node);

  // --- means, sums, maxima and minima: onnx_reductions.cpp --------------------------------------

  void import_global_pool(const OnnxNode& node);
  void import_reduction(const OnnxNode& node);
  void reduce(const OnnxNode& node, const std::vector<bool>& is_reduced, bool keeps_dimensions);
  // The same with -1 in place of 1, exactly.
  OnnxValue negated(const OnnxNode& node, const OnnxValue& in);
  static TensorQuantisation negated(const TensorQuantisation& q) {
    return {q.scale, -1 - q.zero_point};
  }
  // Input, kernel and output of a layer that reduces; returns the view of what it writes.
  OnnxView place_reduction(const OnnxNode& node, const OnnxValue& found,
                           const std::vector<bool>& is_reduced, Layer& layer);
  OnnxView place_reduction_of_groups(const OnnxNode& node, const OnnxValue& found,
                                     const std::vector<bool>& is_reduced, Layer& layer);

  // --- element by element: onnx_elements.cpp ----------------------------------------------------

  void import_function(const OnnxNode& node);
  void append_function(const OnnxNode& node, ValueFunction function, float slope);
  void import_relu(const OnnxNode& node);
  void import_clip(const OnnxNode& node);
  // Joins the layer before it, or is a table.
  void import_activation(const OnnxNode& node, Activation activation);
  void import_prelu(const OnnxNode& node);
  void import_negation(const OnnxNode& node);
  [[nodiscard]] std::pair<Layer, OnnxParameters> negation_of(const OnnxValue& in) const;
  void import_hard_sigmoid(const OnnxNode& node);
  // Add, Sub, Mul, Div, Max and Min.
  void import_combination(const OnnxNode& node);
  void import_with_constant(const OnnxNode& node, Layer layer, std::size_t position);
  // `in` as large as what is computed of it and `operand`, which becomes a number for each element,
  // placed as those of `in` are.
  OnnxValue with_constant_map(const OnnxNode& node, const OnnxValue& in, OnnxConstant& operand,
                              std::size_t position);
  // What `layer` combines a tensor with, quantised as `other`, that is computed.
  OnnxParameters operands(const OnnxNode& node, const OnnxConstant& operand, const Layer& layer,
                          const std::optional<TensorQuantisation>& other, std::size_t position = 0);
  // Along the dimensions of `to` that it does not have, laid out so.
  [[nodiscard]] OnnxView repeated_view(const OnnxNode& node, const OnnxValue& in,
                                       const std::vector<int>& to) const;
  OnnxValue repeated(const OnnxNode& node, const OnnxValue& in, const std::vector<int>& to,
                     const OnnxLayout& layout);
  OnnxValue append_scalar(const OnnxNode& node, LayerKind kind, const OnnxValue& in, double scalar,
                          Activation activation);
  void import_of_two(const OnnxNode& node, Layer layer);
  // x * HardSigmoid(x), as PyTorch's older exports have a hard swish.
  bool import_hard_swish(const OnnxNode& node);
  void import_softmax(const OnnxNode& node);

  // --- other places: onnx_places.cpp ------------------------------------------------------------

  void import_view(const OnnxNode& node);
  void import_shape(const OnnxNode& node);
  void import_cast(const OnnxNode& node);
  void import_transpose(const OnnxNode& node);
  void import_concatenation(const OnnxNode& node);
  [[nodiscard]] std::vector<int> concatenated_dimensions(const OnnxNode& node) const;
  // What copies `in` to its place in a tensor of dimensions `to`, from `begin` on along `axis`.
  [[nodiscard]] Layer part_layer(const OnnxNode& node, std::size_t position, const OnnxValue& in,
                                 const std::vector<int>& to, std::size_t axis, int begin) const;
  OnnxValue rescaled(const OnnxNode& node, const OnnxValue& in,
                     const std::optional<TensorQuantisation>& to);
  void import_split(const OnnxNode& node);
  void import_slice(const OnnxNode& node);
  void append_slice(const OnnxNode& node, std::size_t output, const OnnxValue& in,
                    const OnnxSlice& slice);
  // Of constant indices: one slice, or a copy for each run of evenly spaced ones.
  void import_gather(const OnnxNode& node);
  std::vector<IndexRun> gathered_runs(const OnnxNode& node, int extent);
  void append_runs(const OnnxNode& node, const OnnxValue& in, std::size_t axis,
                   const std::vector<IndexRun>& runs, const std::vector<int>& made,
                   const std::vector<int>& to);
  // DepthToSpace and SpaceToDepth: each place in a block is a copy.
  void import_depth_and_space(const OnnxNode& node);
  void append_copies(const OnnxNode& node, const OnnxValue& in,
                     const std::vector<StridedCopy>& copies, const std::vector<int>& to,
                     const OnnxLayout& layout);
  void import_pad(const OnnxNode& node);
  OnnxValue with_margins(const OnnxNode& node, const OnnxValue& in, const std::vector<int>& before,
                         const std::vector<int>& after, double fill);

  // --- between pixels: onnx_resize.cpp ----------------------------------------------------------

  void import_resize(const OnnxNode& node);
  // Scales or sizes, one for each dimension.
  std::vector<double> resize_factors(const OnnxNode& node, const std::vector<int>& dimensions,
                                     bool are_scales);

  // --- QuantizeLinear and DequantizeLinear: onnx_quantisation.cpp -------------------------------

  void import_quantise(const OnnxNode& node);
  void import_dequantise(const OnnxNode& node);
  [[nodiscard]] TensorQuantisation stated_quantisation(const OnnxNode& node,
                                                       const std::vector<int>& dimensions,
                                                       ConstantType type);
  // What a QuantizeLinear makes of the tensor, if one reads it.
  std::optional<TensorQuantisation> quantisation_ahead(const std::string& tensor);
  [[nodiscard]] NetworkEnd output_end(const OnnxDeclaration& output, const OnnxValue& value);
  // Of all tensors; every layer has one by then.
  [[nodiscard]] std::vector<TensorQuantisation> all_quantisations() const;

  const OnnxModel& model_;
  OnnxNumbers numbers_ = OnnxNumbers::kFloat32;
  std::unordered_set<int> needed_;
  Network network_;
  std::vector<FloatLayer> float_layers_;
  std::vector<QuantizedLayer> quantised_layers_;
  std::vector<std::optional<TensorQuantisation>> quantisations_;  // one per tensor
  std::vector<NetworkEnd> input_ends_, output_ends_;
  std::vector<InputLayout> input_layouts_;
  std::unordered_map<std::string, OnnxValue> values_;
  std::unordered_map<std::string, OnnxConstant> constants_;
  std::unordered_map<std::string, OnnxMargins> margins_;  // of a Pad that convolutions take in
  std::unordered_map<std::string, std::string> hard_sigmoids_;  // of which tensor, until its Mul
  std::unordered_map<TensorId, std::string> names_;  // of a layer's output as it was computed
  std::unordered_set<std::string> unknown_;  // what nodes with obstacles would have computed
  FileObstacles obstacles_;
};

}  // namespace patchnas
