// Gather of constant indices, and blocks of pixels that become channels or come from them.

#include <numeric>

#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_importer.h"

namespace patchnas {

void OnnxImporter::append_copies(const OnnxNode& node, const OnnxValue& in,
                                 const std::vector<StridedCopy>& copies, const std::vector<int>& to,
                                 const OnnxLayout& layout) {
  Layer layer;
  layer.kind = LayerKind::kCopy;
  layer.inputs = {in.id, kNoTensor};
  layer.output = layout.shape;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    layer.copy = copies[i];
    if (i + 1 == copies.size()) {
      return append(node, layer, {}, to, layout.view);
    }
    layer.inputs[1] = add_layer(layer, {}, node.output());
  }
}

std::vector<IndexRun> OnnxImporter::gathered_runs(const OnnxNode& node, int extent) {
  const OnnxConstant& constant = required_constant(node, 1);
  std::vector<std::int64_t> indices;
  for (const double index : constant.values) {
    const bool is_inside = index >= -extent && index < extent;
    if (!is_inside) {
      model_.fail(
          &node, node.input(1),
          "must be indices from " + std::to_string(-extent) + " to " + std::to_string(extent - 1));
    }
    indices.push_back(static_cast<std::int64_t>(index < 0 ? index + extent : index));
  }
  std::vector<IndexRun> runs = index_runs(indices);
  if (runs.empty() || runs.size() > kMostIndexRuns) {
    model_.fail(&node, node.input(1),
                "take their elements in " + std::to_string(runs.size()) +
                    " runs of evenly spaced ones; allowed: from 1 to " +
                    std::to_string(kMostIndexRuns));
  }
  return runs;
}

void OnnxImporter::import_gather(const OnnxNode& node) {
  const OnnxValue in = settled(node, 0);
  const std::vector<int>& from = in.dimensions;
  const std::size_t axis = axis_of(model_, node, model_.integer(node, "axis", 0), from.size());
  const std::vector<IndexRun> runs = gathered_runs(node, from[axis]);
  // What is taken lies along the axis first, and gets the indices' dimensions in its place then.
  std::vector<int> made = from;
  const std::vector<int>& of_indices = required_constant(node, 1).dimensions;
  made[axis] = static_cast<int>(element_count(of_indices));
  std::vector<int> to = made;
  to.insert(to.erase(to.begin() + static_cast<std::ptrdiff_t>(axis)), of_indices.begin(),
            of_indices.end());
  if (element_count(made) > kMostElements) {
    model_.fail(node, "makes too many elements");
  }
  if (runs.size() > 1 || runs[0].step < 1) {
    return append_runs(node, in, axis, runs, made, to);
  }
  OnnxSlice slice{.begins = std::vector<int>(from.size(), 0),
                  .counts = made,
                  .steps = std::vector<int>(from.size(), 1)};
  slice.begins[axis] = runs[0].begin;
  slice.steps[axis] = runs[0].step;
  append_slice(node, 0, in, slice);
  values_.at(node.output()).dimensions = to;
}

void OnnxImporter::append_runs(const OnnxNode& node, const OnnxValue& found, std::size_t axis,
                               const std::vector<IndexRun>& runs, const std::vector<int>& made,
                               const std::vector<int>& to) {
  const OnnxValue in = with_simple_axes(node, found);
  const OnnxLayout layout = usual_layout(made);
  std::vector<StridedCopy> copies;
  int at = 0;
  for (const IndexRun& run : runs) {
    std::vector<Digit> digits = digit_of_each(node, in.view, in.dimensions);
    std::vector<Digit> places = digit_of_each(node, layout.view, made);
    const int begin = run.begin * digits[axis].stride;
    digits[axis] = {run.count, digits[axis].stride * run.step};
    places[axis].extent = run.count;
    std::optional<StridedCopy> copy = copy_between(OnnxView(digits), OnnxView(places));
    if (!copy) {
      model_.fail(node, "takes elements that lie in more than three strides");
    }
    copy->from = begin;
    copy->to = at * places[axis].stride;
    at += run.count;
    copies.push_back(*copy);
  }
  append_copies(node, in, copies, to, layout);
}

void OnnxImporter::import_depth_and_space(const OnnxNode& node) {
  const bool to_space = node.op == "DepthToSpace";
  const std::int64_t stated = model_.integer(node, "blocksize", 0);
  const OnnxValue in = map(node, 0);
  const TensorShape from = shape(in);
  const auto block = static_cast<int>(std::clamp<std::int64_t>(stated, 0, kLargestExtent));
  const std::int64_t area = std::int64_t{block} * block;
  const bool fits =
      in.dimensions.size() == 4 && block > 0 &&
      (to_space ? from.channels % area == 0 : from.height % block == 0 && from.width % block == 0);
  if (!fits || area > static_cast<std::int64_t>(kMostIndexRuns)) {
    model_.fail(node, "has blocks of " + std::to_string(stated) +
                          " rows, which do not divide its input, or are too large");
  }
  const TensorShape to = to_space ? TensorShape{from.height * block, from.width * block,
                                                from.channels / static_cast<int>(area)}
                                  : TensorShape{from.height / block, from.width / block,
                                                from.channels * static_cast<int>(area)};
  const TensorShape& deep = to_space ? from : to;
  const TensorShape& wide = to_space ? to : from;
  // Which channels of a pixel are one place in the block: side by side, or evenly spaced.
  const bool is_spaced = to_space && model_.text(node, "mode", "DCR") == "CRD";
  const int channel_stride = is_spaced ? static_cast<int>(area) : 1;
  const int place_stride = is_spaced ? 1 : wide.channels;
  std::vector<StridedCopy> copies;
  for (int place = 0; place < static_cast<int>(area); ++place) {
    const std::array<int, 3> in_deep{deep.width * deep.channels, deep.channels, channel_stride};
    const std::array<int, 3> in_wide{block * wide.width * wide.channels, block * wide.channels, 1};
    const int deep_at = place * place_stride;
    const int wide_at = (place / block * wide.width + place % block) * wide.channels;
    copies.push_back({.counts = {deep.height, deep.width, wide.channels},
                      .from_strides = to_space ? in_deep : in_wide,
                      .to_strides = to_space ? in_wide : in_deep,
                      .from = to_space ? deep_at : wide_at,
                      .to = to_space ? wide_at : deep_at});
  }
  const std::vector<int> dimensions{1, to.channels, to.height, to.width};
  append_copies(node, in, copies, dimensions, usual_layout(dimensions));
}

}  // namespace patchnas
