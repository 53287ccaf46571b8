// Resize, by the positions that it takes.

#include <cmath>

#include "arch/resize_samples.h"
#include "deploy/onnx/onnx_importer.h"

namespace patchnas {
namespace {

// Which position of the input ONNX's nearest mode takes, by the names of its attributes.
int nearest_position(const std::string& coordinates, const std::string& rounding, int input,
                     int output, int position) {
  const double ratio = double{static_cast<double>(input)} / output;
  double at = position * ratio;
  if (coordinates == "half_pixel" || (coordinates == "pytorch_half_pixel" && output > 1)) {
    at = (position + 0.5) * ratio - 0.5;
  } else if (coordinates == "align_corners") {
    at = output == 1 ? 0 : position * (input - 1.0) / (output - 1.0);
  } else if (coordinates == "pytorch_half_pixel") {
    at = 0;
  }
  const double rounded = rounding == "floor"               ? std::floor(at)
                         : rounding == "ceil"              ? std::ceil(at)
                         : rounding == "round_prefer_ceil" ? std::floor(at + 0.5)
                                                           : std::ceil(at - 0.5);
  return static_cast<int>(std::clamp<double>(rounded, 0, input - 1));
}

bool takes_the_same(const Resizing& resizing, const std::string& coordinates,
                    const std::string& rounding, int input, int output) {
  const std::vector<ResizeSample> samples = resize_samples(resizing, input, output);
  for (int i = 0; i < output; ++i) {
    if (samples[static_cast<std::size_t>(i)].first !=
        nearest_position(coordinates, rounding, input, output, i)) {
      return false;
    }
  }
  return true;
}

// The resizing of ours that is the same for these extents.
std::optional<Resizing> nearest_resizing(const std::string& coordinates,
                                         const std::string& rounding, const TensorShape& from,
                                         const TensorShape& to) {
  for (const Resizing& ours :
       {Resizing{}, Resizing{.half_pixel_centers = true}, Resizing{.align_corners = true}}) {
    if (takes_the_same(ours, coordinates, rounding, from.height, to.height) &&
        takes_the_same(ours, coordinates, rounding, from.width, to.width)) {
      return ours;
    }
  }
  return std::nullopt;
}

std::optional<Resizing> linear_resizing(const std::string& coordinates, const TensorShape& to) {
  if (coordinates == "half_pixel" ||
      (coordinates == "pytorch_half_pixel" && to.height > 1 && to.width > 1)) {
    return Resizing{.is_bilinear = true, .half_pixel_centers = true};
  }
  if (coordinates == "align_corners") {
    return Resizing{.is_bilinear = true, .align_corners = true};
  }
  return coordinates == "asymmetric" ? std::optional(Resizing{.is_bilinear = true}) : std::nullopt;
}

}  // namespace

std::vector<double> OnnxImporter::resize_factors(const OnnxNode& node,
                                                 const std::vector<int>& dimensions,
                                                 bool are_scales) {
  const std::vector<double>& stated = required_constant(node, are_scales ? 2 : 3).values;
  const auto axes = model_.integers(node, "axes");
  if (!axes || axes->size() != stated.size()) {
    return stated;
  }
  std::vector<double> factors(dimensions.size(), 1.0);
  if (!are_scales) {
    factors.assign(dimensions.begin(), dimensions.end());
  }
  for (std::size_t i = 0; i < axes->size(); ++i) {
    factors[axis_of(model_, node, (*axes)[i], dimensions.size())] = stated[i];
  }
  return factors;
}

void OnnxImporter::import_resize(const OnnxNode& node) {
  constexpr int kFirstWithRegion = 11;  // operator set; before, by other rules
  if (model_.opset() < kFirstWithRegion) {
    model_.fail(node, "is read from version " + std::to_string(kFirstWithRegion) +
                          " of ONNX's operators on");
  }
  const std::string mode = model_.text(node, "mode", "nearest");
  const std::string coordinates = model_.text(node, "coordinate_transformation_mode", "half_pixel");
  const std::string rounding = model_.text(node, "nearest_mode", "round_prefer_floor");
  const OnnxValue in = map(node, 0);
  const std::size_t rank = in.dimensions.size();
  if (model_.integer(node, "antialias", 0) != 0 ||
      model_.text(node, "keep_aspect_ratio_policy", "stretch") != "stretch") {
    model_.fail(node, "has antialias or keep_aspect_ratio_policy, which are not supported");
  }
  std::vector<double> sizes;
  const bool by_scale = !node.has_input(3);
  const std::vector<double> factors = resize_factors(node, in.dimensions, by_scale);
  for (std::size_t i = 0; i < rank && factors.size() == rank; ++i) {
    sizes.push_back(by_scale ? std::floor(in.dimensions[i] * factors[i]) : factors[i]);
    // Positions are found by the scale, ours by the extents.
    const bool is_exact = !by_scale || sizes[i] == in.dimensions[i] * factors[i];
    if (!(sizes[i] >= 1 && sizes[i] <= kLargestExtent) || !is_exact ||
        (i < 2 && sizes[i] != in.dimensions[i])) {
      sizes.clear();
      break;
    }
  }
  if (sizes.size() != rank) {
    model_.fail(node, "must make whole rows and columns, up to " + std::to_string(kLargestExtent) +
                          ", and keep the channels");
  }
  Layer layer;
  layer.kind = LayerKind::kResize;
  layer.inputs = {in.id, kNoTensor};
  layer.output = {rank == 4 ? static_cast<int>(sizes[2]) : 1, static_cast<int>(sizes[rank - 1]),
                  shape(in).channels};
  const std::optional<Resizing> resizing =
      mode == "nearest"  ? nearest_resizing(coordinates, rounding, shape(in), layer.output)
      : mode == "linear" ? linear_resizing(coordinates, layer.output)
                         : std::nullopt;
  if (!resizing) {
    model_.fail(node, "resizes by mode '" + mode + "', coordinates '" + coordinates +
                          (mode == "nearest" ? "', '" + rounding : "") +
                          "'; allowed: linear and nearest where they take the same pixels as "
                          "TensorFlow Lite's");
  }
  layer.resizing = *resizing;
  append_map(node, layer, {}, in);
}

}  // namespace patchnas
