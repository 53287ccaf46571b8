#pragma once

// One pass over the layers of a network that is written as a .tflite file. Private to the exporter
// (tflite_export.h is for others).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arch/kernel_padding.h"
#include "arch/quantized_network.h"
#include "deploy/tflite/tflite_array_operators.h"
#include "deploy/tflite/tflite_strided_box.h"
#include "deploy/tflite/tflite_writer.h"

namespace patchnas {

class TfliteExporter {
 public:
  explicit TfliteExporter(const QuantizedNetwork& network)
      : network_(network), shapes_(network.network) {}
  std::vector<std::uint8_t> run();

 private:
  using LayerExport = void (TfliteExporter::*)(int layer);
  // All kinds of layers that are written. Each function leaves what its layer computes in
  // written_.
  static LayerExport export_of(LayerKind kind);

  // --- the graph: tflite_export.cpp -------------------------------------------------------------

  // From the tensor that the file's user writes to that of the network; returns the former.
  FileTensor export_input(TensorId input);
  // From the network's output to the tensor that the file's user reads; returns the latter.
  FileTensor export_output(std::size_t output);
  // A tensor in the numbers of the file's user.
  FileTensor add_outer(const std::string& name, const std::vector<int>& dimensions,
                       const NetworkEnd& end);

  [[noreturn]] void fail(int layer, const std::string& what) const;
  [[nodiscard]] const Layer& layer_at(int layer) const {
    return shapes_.layers[static_cast<std::size_t>(layer)];
  }
  [[nodiscard]] const QuantizedLayer& parameters(int layer) const {
    return network_.layers[static_cast<std::size_t>(layer)];
  }
  [[nodiscard]] const TensorQuantisation& quantisation(TensorId tensor) const {
    return network_.tensors[static_cast<std::size_t>(tensor)];
  }
  [[nodiscard]] std::string tensor_name(TensorId tensor) const {
    return tensor == kImage ? "image" : shapes_.layer_name(tensor - 1);
  }
  [[nodiscard]] std::vector<int> map_dimensions(TensorId tensor) const {
    const TensorShape& shape = shapes_.shape(tensor);
    return {1, shape.height, shape.width, shape.channels};
  }
  // As it is written: a map, or what follows a fully connected layer, [1, C].
  [[nodiscard]] FileTensor written(TensorId tensor) const {
    return written_[static_cast<std::size_t>(tensor)];
  }
  // As a map, [1, H, W, C].
  FileTensor map(TensorId tensor);
  // Of a layer, with these dimensions or those of its map.
  FileTensor add_output(int layer, std::vector<int> dimensions);
  FileTensor add_output(int layer) { return add_output(layer, map_dimensions(layer + 1)); }
  // Of a layer that an operator has already written.
  void set_output(int layer, FileTensor tensor);
  [[nodiscard]] std::int8_t zero_point(TensorId tensor) const {
    return static_cast<std::int8_t>(quantisation(tensor).zero_point);
  }
  static tflite::ActivationFunctionType fused_function(Activation activation);
  // The operators that move elements for a layer whose output they have in the end.
  ArrayOperators array_operators(int layer) {
    return {writer_, shapes_.layer_name(layer), quantisation(layer + 1), written(kImage)};
  }

  // --- one function per kind of layer: tflite_export_layers.cpp ---------------------------------

  void export_convolution(int layer);
  void export_depthwise(int layer);
  void export_transpose_convolution(int layer);
  void export_fully_connected(int layer);
  void export_mean(int layer);
  void add_reduction(int layer, FileTensor input, const std::vector<std::int32_t>& axes,
                     FileTensor output, bool keeps_dimensions);
  void export_softmax(int layer);
  void export_combination(int layer);
  void export_function(int layer);
  void export_resize(int layer);

  void add_depthwise(int layer, const std::vector<std::int8_t>& weights);
  // Of all elements of the input, or of a pixel's.
  void add_fully_connected(int layer, FileTensor input, int inputs);

  // Inputs of an operator with weights: the activation, the weights and the biases.
  std::vector<FileTensor> weighted_inputs(int layer, FileTensor input,
                                          const std::vector<int>& dimensions, int channel_axis,
                                          const std::vector<std::int8_t>& weights);

  // --- windows: tflite_export_windows.cpp -------------------------------------------------------

  // What windows slide over, and how the operator itself pads it.
  struct Window {
    FileTensor input = 0;
    tflite::Padding padding = tflite::Padding::VALID;
  };
  static tflite::Padding operator_padding(const WindowPadding& padding);
  // With a PAD operator that pads with `fill` where SAME or VALID alone do not say the padding.
  Window window(int layer, std::int8_t fill);
  void export_max_pool(int layer);
  // One padded otherwise than SAME or VALID is put together from poolings without padding, each of
  // the windows that have as many pixels inside the image.
  void export_average_pool(int layer);
  void add_pool(int layer, tflite::BuiltinOperator code, const Window& window);

  // --- copies: tflite_export_copies.cpp ---------------------------------------------------------

  // Copies over one another into parts of the same tensor are one concatenation, written with the
  // last of them.
  void export_copy(int layer);
  // Either kind of copy.
  struct Copy {
    CopyAxes axes;
    int from = 0;
    int to = 0;
  };
  [[nodiscard]] Copy copy_of(int layer) const;
  [[nodiscard]] bool is_output(int layer) const;
  [[nodiscard]] std::optional<ArrayBand> band(int layer) const;
  // Whether the next copy writes over this layer's output in another band of it, and nothing else
  // reads it.
  [[nodiscard]] bool is_continued(int layer) const;
  // What a copy reads, in the order in which it writes it.
  FileTensor gathered(int layer, const ArrayOperators& arrays);
  // The copies that end in `layer`, one band each; and that concatenation.
  [[nodiscard]] std::vector<int> chain(int layer) const;
  FileTensor concatenated(int layer, const ArrayOperators& arrays);
  // What the output's elements that a copy leaves are, unless one number.
  std::optional<FileTensor> rest_of(int layer);
  // A copy to anywhere.
  FileTensor scattered(int layer, const ArrayOperators& arrays);

  const QuantizedNetwork& network_;
  const Network& shapes_;
  TfliteWriter writer_;
  // Per tensor of the network; kNotWritten where a later layer's operator has it.
  static constexpr FileTensor kNotWritten = -1;
  std::vector<FileTensor> written_;
};

}  // namespace patchnas
