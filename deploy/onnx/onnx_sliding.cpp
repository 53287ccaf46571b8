// Windows that slide over maps.

#include "arch/kernel_padding.h"
#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_importer.h"

namespace patchnas {
namespace {

struct WindowAxis {
  int input = 0;
  int span = 1;
  int stride = 1;
  int before = 0;
  int behind = 0;

  [[nodiscard]] bool reads_only_padding(int output) const {
    return before >= span || std::int64_t{output - 1} * stride - before >= input;
  }
};

// Implicit padding as explicit.
void pad_implicitly(WindowAxis& axis, const std::string& auto_pad) {
  if (auto_pad == "VALID") {
    axis.before = axis.behind = 0;
  } else if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    const int output = (axis.input + axis.stride - 1) / axis.stride;
    const std::int64_t missing = std::int64_t{output - 1} * axis.stride + axis.span - axis.input;
    const int all = static_cast<int>(std::max<std::int64_t>(0, missing));
    axis.before = auto_pad == "SAME_UPPER" ? all / 2 : all - all / 2;
    axis.behind = all - axis.before;
  }
}

// 0 if the window does not fit.
int output_extent(const WindowAxis& axis, bool rounds_up) {
  const std::int64_t padded = std::int64_t{axis.input} + axis.before + axis.behind;
  if (padded < axis.span) {
    return 0;
  }
  const std::int64_t rest = padded - axis.span;
  std::int64_t output = rest / axis.stride + 1;
  // A window more where one begins before the padding behind.
  if (rounds_up && rest % axis.stride != 0 &&
      output * axis.stride < std::int64_t{axis.input} + axis.before) {
    ++output;
  }
  return static_cast<int>(output);
}

}  // namespace

OnnxImporter::Window OnnxImporter::window(const OnnxNode& node,
                                          const std::vector<int>& kernel) const {
  Window result;
  const auto read = [&](const char* name, std::size_t count, std::int64_t least) {
    std::vector<std::int64_t> list =
        model_.integers(node, name).value_or(std::vector<std::int64_t>(count, least));
    if (list.size() == count / 2) {  // of one row
      list.insert(list.begin(), least);
      if (count == 4) {
        list.insert(list.begin() + 2, least);
      }
    }
    if (list.size() != count || std::any_of(list.begin(), list.end(), [&](std::int64_t value) {
          return value < least || value > kLargestExtent;
        })) {
      model_.fail(node, std::string(name) + " must be " + std::to_string(count) + " numbers from " +
                            std::to_string(least) + " to " + std::to_string(kLargestExtent));
    }
    return list;
  };
  const auto pair = [](const std::vector<std::int64_t>& list) {
    return std::array{static_cast<int>(list[0]), static_cast<int>(list[1])};
  };
  result.kernel = pair(read("kernel_shape", 2, 1));
  if (!kernel.empty()) {
    if (model_.attribute(node, "kernel_shape") != nullptr &&
        result.kernel != std::array{kernel[0], kernel[1]}) {
      model_.fail(node, "kernel_shape is not that of its weights");
    }
    result.kernel = {kernel[0], kernel[1]};
  }
  result.strides = pair(read("strides", 2, 1));
  result.dilations = pair(read("dilations", 2, 1));
  const std::vector<std::int64_t> pads = read("pads", 4, 0);
  result.pads = {static_cast<int>(pads[0]), static_cast<int>(pads[1]), static_cast<int>(pads[2]),
                 static_cast<int>(pads[3])};
  result.auto_pad = model_.text(node, "auto_pad", "NOTSET");
  result.rounds_up = model_.integer(node, "ceil_mode", 0) != 0;
  for (std::size_t i = 0; i < 2; ++i) {
    if (result.kernel[i] > kLargestExtent ||
        result.dilations[i] > kLargestExtent / result.kernel[i]) {
      model_.fail(node, "its window is too large; allowed: up to " +
                            std::to_string(kLargestExtent) + " rows and columns");
    }
  }
  return result;
}

Layer OnnxImporter::sliding_layer(const OnnxNode& node, LayerKind kind, OnnxValue& in,
                                  const Window& w, int channels, bool counts_zeros) {
  Layer layer;
  layer.kind = kind;
  layer.kernel = {.height = w.kernel[0],
                  .width = w.kernel[1],
                  .stride_h = w.strides[0],
                  .stride_w = w.strides[1],
                  .dilation_h = w.dilations[0],
                  .dilation_w = w.dilations[1]};
  WindowAxis rows{shape(in).height, layer.kernel.span_h(), w.strides[0], w.pads.top, w.pads.bottom};
  WindowAxis cols{shape(in).width, layer.kernel.span_w(), w.strides[1], w.pads.left, w.pads.right};
  pad_implicitly(rows, w.auto_pad);
  pad_implicitly(cols, w.auto_pad);
  layer.output = {output_extent(rows, w.rounds_up), output_extent(cols, w.rounds_up), channels};
  if (layer.output.pixels() == 0) {
    model_.fail(node, "its window does not fit into its input");
  }
  const bool is_padded = rows.before + rows.behind + cols.before + cols.behind > 0;
  const bool is_far =
      rows.reads_only_padding(layer.output.height) || cols.reads_only_padding(layer.output.width);
  if (is_far && kind == LayerKind::kMaxPool) {
    model_.fail(node, "is padded so far that a window holds nothing but padding");
  }
  if (is_padded && (is_far || counts_zeros)) {
    in = with_margins(node, in, {rows.before, cols.before, rows.behind, cols.behind});
  } else {
    layer.kernel.pad_top = rows.before;
    layer.kernel.pad_left = cols.before;
  }
  layer.inputs = {in.id, kNoTensor};
  return layer;
}

std::array<OnnxImporter::TransposedAxis, 2> OnnxImporter::transposed_axes(const OnnxNode& node,
                                                                          const OnnxValue& in,
                                                                          const Window& w) const {
  const auto two = [&](const char* name) {
    std::vector<std::int64_t> list =
        model_.integers(node, name).value_or(std::vector<std::int64_t>{0, 0});
    if (list.size() == 1) {  // of one row
      list.insert(list.begin(), in.dimensions.size() == 3 && std::string(name) == "output_shape");
    }
    if (list.size() != 2 || std::any_of(list.begin(), list.end(), [](std::int64_t value) {
          return value < 0 || value > kLargestExtent;
        })) {
      model_.fail(node, std::string(name) + " must be two numbers from 0 to " +
                            std::to_string(kLargestExtent));
    }
    return list;
  };
  const std::vector<std::int64_t> added = two("output_padding");
  const std::vector<std::int64_t> stated = two("output_shape");
  const std::array extents{shape(in).height, shape(in).width};
  const std::array before{w.pads.top, w.pads.left};
  const std::array behind{w.pads.bottom, w.pads.right};
  std::array<TransposedAxis, 2> result;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t all = std::int64_t{extents[i] - 1} * w.strides[i] + w.kernel[i] + added[i];
    std::int64_t output = all - before[i] - behind[i];
    result[i].before = before[i];
    if (stated[i] > 0 || w.auto_pad.starts_with("SAME")) {
      output = stated[i] > 0 ? stated[i] : std::int64_t{extents[i]} * w.strides[i];
      const std::int64_t cut = std::max<std::int64_t>(0, all - output);
      result[i].before = static_cast<int>(w.auto_pad == "SAME_UPPER" ? cut / 2 : cut - cut / 2);
    }
    if (output < 1 || output > kLargestExtent || result[i].before >= w.kernel[i]) {
      model_.fail(node, "its padding does not fit its window, or its output is too large");
    }
    result[i].output = static_cast<int>(output);
  }
  return result;
}

OnnxValue OnnxImporter::with_margins(const OnnxNode& node, const OnnxValue& map,
                                     const OnnxMargins& margins) {
  std::vector<int> before(map.dimensions.size(), 0);
  std::vector<int> behind = before;
  before.back() = margins.left;
  behind.back() = margins.right;
  if (before.size() == 4) {
    before[2] = margins.top;
    behind[2] = margins.bottom;
  }
  return with_margins(node, map, before, behind, 0);
}

void OnnxImporter::import_pool(const OnnxNode& node) {
  const bool is_max = node.op == "MaxPool";
  if (model_.attribute(node, "kernel_shape") == nullptr) {
    model_.fail(node, "has no kernel_shape");
  }
  if (!node.output(1).empty() && !model_.readers(node.output(1)).empty()) {
    model_.fail(node, "its indices are read, which is not supported");
  }
  const Window w = window(node, {});
  if (w.dilations != std::array{1, 1}) {
    model_.fail(node, "has a dilation, which only a convolution may have");
  }
  OnnxValue in = map(node, 0);
  const bool counts_zeros = !is_max && model_.integer(node, "count_include_pad", 0) != 0;
  Layer layer = sliding_layer(node, is_max ? LayerKind::kMaxPool : LayerKind::kAveragePool, in, w,
                              shape(in).channels, counts_zeros);
  if (is_max) {
    layer.pad_operator = required_pad_operator(shape(in), layer);
  }
  append_map(node, layer, {}, in);
}

}  // namespace patchnas
