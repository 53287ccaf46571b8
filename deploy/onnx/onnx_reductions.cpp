// Means, sums, maxima and minima over any dimensions.

#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_importer.h"

namespace patchnas {

void OnnxImporter::import_global_pool(const OnnxNode& node) {
  const OnnxValue& in = any_value(node, 0);
  std::vector<bool> is_reduced(in.dimensions.size(), true);
  if (is_reduced.size() < 3) {
    model_.fail(&node, node.input(0),
                "has the shape " + dimensions_text(in.dimensions) +
                    "; allowed: a map of one or two dimensions");
  }
  is_reduced[0] = is_reduced[1] = false;
  reduce(node, is_reduced, true);
}

void OnnxImporter::import_reduction(const OnnxNode& node) {
  const std::size_t rank = any_value(node, 0).dimensions.size();
  auto axes = integers_of(model_, node, constants(node), 1, "axes");
  if (axes && axes->empty()) {
    axes.reset();
  }
  if (!axes && model_.integer(node, "noop_with_empty_axes", 0) != 0) {
    return import_view(node);
  }
  std::vector<bool> is_reduced(rank, !axes);
  for (const std::int64_t axis : axes.value_or(std::vector<std::int64_t>{})) {
    is_reduced[axis_of(model_, node, axis, rank)] = true;
  }
  reduce(node, is_reduced, model_.integer(node, "keepdims", 1) != 0);
}

void OnnxImporter::reduce(const OnnxNode& node, const std::vector<bool>& is_reduced,
                          bool keeps_dimensions) {
  const bool is_least = node.op == "ReduceMin";
  OnnxValue in = value(node, 0);
  std::vector<int> to;
  for (std::size_t i = 0; i < in.dimensions.size(); ++i) {
    if (!is_reduced[i] || keeps_dimensions) {
      to.push_back(is_reduced[i] ? 1 : in.dimensions[i]);
    }
  }
  if (is_least) {
    in = negated(node, settled(node, 0));
  }
  Layer layer;
  OnnxParameters parameters;
  layer.kind = is_least || node.op == "ReduceMax" || node.op == "GlobalMaxPool"
                   ? LayerKind::kMaxPool
                   : LayerKind::kMean;
  parameters.floats.is_sum = parameters.quantised.is_sum = node.op == "ReduceSum";
  const OnnxView view = place_reduction(node, in, is_reduced, layer);
  if (!is_least) {
    return append(node, layer, std::move(parameters), to, view);
  }
  const TensorId largest = add_layer(layer, {}, node.output());
  const auto [negation, minus_one] = negation_of({.id = largest, .dimensions = to, .view = view});
  append(node, negation, minus_one, to, view);
  if (const auto& given = quantisation(in.id)) {
    quantisation(values_.at(node.output()).id) = negated(*given);
  }
}

OnnxValue OnnxImporter::negated(const OnnxNode& node, const OnnxValue& in) {
  const auto [layer, minus_one] = negation_of(in);
  OnnxValue result = in;
  result.id = add_layer(layer, minus_one, node.output());
  if (const auto& given = quantisation(in.id)) {
    quantisation(result.id) = negated(*given);
  }
  return result;
}

OnnxView OnnxImporter::place_reduction(const OnnxNode& node, const OnnxValue& found,
                                       const std::vector<bool>& is_reduced, Layer& layer) {
  const std::size_t rank = found.dimensions.size();
  // The channels are those of a map, or else the last dimension that stays.
  std::size_t axis = usual_channel_axis(found.dimensions);
  for (std::size_t i = rank; rank > 0 && is_reduced[axis] && i-- > 0;) {
    axis = is_reduced[i] ? axis : i;
  }
  std::vector<int> all = found.dimensions;
  std::size_t columns_at = rank;
  for (std::size_t i = 0; i < rank; ++i) {
    columns_at = i == axis ? columns_at : i;
  }
  std::array<int, 2> reduced{1, 1};  // rows and columns
  std::int64_t rows = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    if (i == axis) {
      continue;
    }
    rows *= i == columns_at ? 1 : all[i];
    if (is_reduced[i]) {
      reduced[i == columns_at ? 1 : 0] *= all[i];
      all[i] = 1;
    }
  }
  const bool all_rows = reduced[0] == 1 || reduced[0] == rows;
  if (rank == 0 || (is_reduced[axis] && all[axis] > 1) || !all_rows) {
    return place_reduction_of_groups(node, found, is_reduced, layer);
  }
  const OnnxValue in = laid_out(node, found, layout_by(found.dimensions, axis));
  layer.inputs = {in.id, kNoTensor};
  layer.kernel.height = layer.kernel.stride_h = reduced[0];
  layer.kernel.width = layer.kernel.stride_w = reduced[1];
  layer.output = {shape(in).height / reduced[0], shape(in).width / reduced[1], shape(in).channels};
  return layout_by(all, axis).view;
}

// Dimensions that lie next to each other, and are reduced together or kept together, are one. Of
// the last three that are left windows slide over rows and columns: channels that are reduced are
// columns of one channel.
OnnxView OnnxImporter::place_reduction_of_groups(const OnnxNode& node, const OnnxValue& found,
                                                 const std::vector<bool>& is_reduced,
                                                 Layer& layer) {
  struct Group {
    int extent = 1;
    bool is_reduced = false;
  };
  std::vector<Group> groups;
  for (std::size_t i = 0; i < found.dimensions.size(); ++i) {
    if (found.dimensions[i] > 1 && (groups.empty() || groups.back().is_reduced != is_reduced[i])) {
      groups.push_back({1, is_reduced[i]});
    }
    if (!groups.empty()) {
      groups.back().extent *= found.dimensions[i];
    }
  }
  if (groups.size() > 3) {
    model_.fail(node, "reduces dimensions that lie too far apart in memory");
  }
  groups.insert(groups.begin(), 3 - groups.size(), Group{});
  const auto window = [](const Group& group) { return group.is_reduced ? group.extent : 1; };
  const auto [rows, columns, channels] = std::array{groups[0], groups[1], groups[2]};
  TensorShape from{rows.extent, columns.extent, channels.extent};
  int taps = window(columns);
  if (channels.is_reduced) {
    from = {rows.extent, columns.extent * channels.extent, 1};
    taps = channels.extent;
  }
  const OnnxValue in =
      laid_out(node, found, {from, OnnxView({{static_cast<int>(from.elements()), 1}})});
  layer.inputs = {in.id, kNoTensor};
  layer.kernel.height = layer.kernel.stride_h = window(rows);
  layer.kernel.width = layer.kernel.stride_w = taps;
  layer.output = {from.height / window(rows), from.width / taps, from.channels};
  return OnnxView({{static_cast<int>(layer.output.elements()), 1}});
}

}  // namespace patchnas
