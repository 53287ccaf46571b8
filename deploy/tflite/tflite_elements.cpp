// Operators that compute element by element, or interpolate between elements.

#include <algorithm>

#include "arch/base/error.h"
#include "deploy/tflite/tflite_importer.h"

namespace patchnas {

using tflite::BuiltinOperator;

// ----- one value at a time

void TfliteImporter::import_function(const FileOperator& op) {
  static const std::unordered_map<BuiltinOperator, ValueFunction> functions = {
      {BuiltinOperator::QUANTIZE, ValueFunction::kRequantise},
      {BuiltinOperator::RELU, ValueFunction::kRelu},
      {BuiltinOperator::RELU6, ValueFunction::kRelu6},
      {BuiltinOperator::LEAKY_RELU, ValueFunction::kLeakyRelu},
      {BuiltinOperator::LOGISTIC, ValueFunction::kLogistic},
      {BuiltinOperator::TANH, ValueFunction::kTanh},
      {BuiltinOperator::HARD_SWISH, ValueFunction::kHardSwish},
      {BuiltinOperator::ABS, ValueFunction::kAbs},
      {BuiltinOperator::ELU, ValueFunction::kElu},
      {BuiltinOperator::RSQRT, ValueFunction::kRsqrt}};
  const FileValue& found = value(op, 0);
  const FileValue& in = found.has_margins() ? plain(op, 0) : found;
  Layer layer;
  layer.kind = LayerKind::kLookup;
  layer.inputs = {in.id, kNoTensor};
  layer.output = in.shape;
  layer.function = functions.at(op.code);
  if (layer.function == ValueFunction::kRequantise &&
      model_.activation_quantisation(op.inputs[0], &op) ==
          model_.activation_quantisation(op.outputs[0], &op)) {
    return pass_on(op, in);
  }
  LayerValues values;
  if (layer.function == ValueFunction::kLeakyRelu) {
    values.int8.leaky_slope = values.real.leaky_slope =
        options<tflite::LeakyReluOptions>(op).alpha();
  }
  append_like(op, layer, std::move(values), in);
}

// ----- two values at a time

tflite::ActivationFunctionType TfliteImporter::fused_function(const FileOperator& op) const {
  switch (op.code) {
    case BuiltinOperator::ADD:
      return options<tflite::AddOptions>(op).fused_activation_function();
    case BuiltinOperator::SUB:
      return options<tflite::SubOptions>(op).fused_activation_function();
    case BuiltinOperator::MUL:
      return options<tflite::MulOptions>(op).fused_activation_function();
    default:
      return tflite::ActivationFunctionType::NONE;
  }
}

void TfliteImporter::import_combination(const FileOperator& op) {
  static const std::unordered_map<BuiltinOperator, LayerKind> kinds = {
      {BuiltinOperator::ADD, LayerKind::kAdd},
      {BuiltinOperator::SUB, LayerKind::kSubtract},
      {BuiltinOperator::MUL, LayerKind::kMultiply},
      {BuiltinOperator::PRELU, LayerKind::kPrelu},
      {BuiltinOperator::MAXIMUM, LayerKind::kMaximum},
      {BuiltinOperator::MINIMUM, LayerKind::kMinimum},
      {BuiltinOperator::SQUARED_DIFFERENCE, LayerKind::kSquaredDifference}};
  Layer layer;
  layer.kind = kinds.at(op.code);
  layer.activation = activation_function(op, fused_function(op));
  for (const std::size_t position : {0U, 1U}) {
    const bool may_be_constant = position == 1 || layer.kind != LayerKind::kPrelu;
    if (may_be_constant && is_constant_operand(op, position)) {
      return import_with_constant(op, layer, position);
    }
  }
  import_of_two(op, layer);
}

void TfliteImporter::import_with_constant(const FileOperator& op, Layer layer,
                                          std::size_t constant) {
  const FileTensor tensor = op.inputs[constant];
  const std::vector<int> dimensions = model_.dimensions(tensor, &op);
  const std::int64_t count = element_count(dimensions);
  FileValue in = elements_by_channel(op, 1 - constant);
  const bool is_by_channel =
      in.ends_in_channels() && dimensions.size() <= in.dimensions().size() &&
      (count == 1 || (count == in.shape.channels && dimensions.back() == in.shape.channels));
  const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
  if (!is_by_channel) {
    check_constant_map(op, to);
    in = repeated(op, 1 - constant, to, op.inputs[1 - constant]);
    layer.has_constant_map = true;
  }
  layer.inputs = {in.id, kNoTensor};
  layer.output = in.shape;
  append_like(op, layer, constants(op, constant, is_by_channel, in.shape, to), in);
}

template <typename Value>
std::vector<Value> TfliteImporter::repeated_constant(const FileOperator& op, FileTensor tensor,
                                                     const std::vector<Value>& values,
                                                     const std::vector<int>& to) const {
  const std::vector<int> strides =
      repeating_strides(op, tensor, model_.dimensions(tensor, &op), to);
  const std::vector<int> to_strides = strides_of(to);
  std::vector<Value> result;
  for (std::int64_t element = 0; element < element_count(to); ++element) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < to.size(); ++i) {
      at += element / to_strides[i] % to[i] * strides[i];
    }
    result.push_back(values[static_cast<std::size_t>(at)]);
  }
  return result;
}

LayerValues TfliteImporter::constants(const FileOperator& op, std::size_t position, bool by_channel,
                                      const TensorShape& shape, const std::vector<int>& to) const {
  const FileTensor tensor = op.inputs[position];
  model_.constant(tensor, type_, op);
  const auto repeat = [&](const auto& values) {
    if (!by_channel) {
      return repeated_constant(op, tensor, values, to);
    }
    auto result = values;
    result.resize(static_cast<std::size_t>(shape.channels), values.front());
    return result;
  };
  LayerValues values;
  values.int8.constants_come_first = values.real.constants_come_first = position == 0;
  if (take_ == Take::kInt8) {
    values.int8.constants = repeat(model_.int8_data(tensor, op));
    values.int8.constants_quantisation = model_.activation_quantisation(tensor, &op);
  } else if (take_ == Take::kFloat) {
    values.real.constants = repeat(model_.float_data(tensor, op));
  }
  return values;
}

namespace {

// Whether every pixel of `map` is combined with the same one.
bool is_pixel_for(const FileValue& pixel, const FileValue& map) {
  return pixel.shape == TensorShape{1, 1, map.shape.channels} && map.shape.pixels() > 1 &&
         pixel.ends_in_channels() && map.ends_in_channels() &&
         pixel.dimensions().size() <= map.dimensions().size();
}

bool commutes(LayerKind kind) { return kind != LayerKind::kSubtract && kind != LayerKind::kPrelu; }

}  // namespace

void TfliteImporter::import_of_two(const FileOperator& op, Layer layer) {
  FileValue a = elements(op, 0);
  FileValue b = elements(op, 1);
  const bool may_repeat = layer.kind != LayerKind::kAdd;
  if (may_repeat && is_pixel_for(a, b) && commutes(layer.kind)) {
    std::swap(a, b);
  }
  if (may_repeat && is_pixel_for(b, a)) {
    layer.repeats_second = true;
  } else if (a.shape != b.shape || element_count(a.dimensions()) != element_count(b.dimensions())) {
    const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
    a = repeated(op, 0, to, op.inputs[0]);
    b = repeated(op, 1, to, op.inputs[1]);
  }
  layer.inputs = {a.id, b.id};
  layer.output = a.shape;
  // Dimensions of 1 in front may be absent from either.
  append_like(op, layer, {}, a.dimensions().size() < b.dimensions().size() ? b : a);
}

std::vector<int> TfliteImporter::repeating_strides(const FileOperator& op, FileTensor tensor,
                                                   std::vector<int> from,
                                                   const std::vector<int>& to) const {
  if (from.size() > to.size()) {
    model_.fail(op, "its output has fewer dimensions than an input");
  }
  from.insert(from.begin(), to.size() - from.size(), 1);
  std::vector<int> strides = strides_of(from);
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (from[i] != to[i] && from[i] != 1) {
      model_.fail(&op, tensor,
                  "cannot be repeated along dimension " + std::to_string(i) +
                      ", where it is neither 1 nor as long as the output");
    }
    strides[i] = from[i] == to[i] ? strides[i] : 0;
  }
  return strides;
}

FileValue TfliteImporter::repeated(const FileOperator& op, std::size_t position,
                                   const std::vector<int>& to, FileTensor named_after) {
  const FileValue in = plain(op, position);
  const std::vector<int> from = in.dimensions();
  if (from == to) {
    return in;
  }
  const std::vector<int> strides = repeating_strides(op, op.inputs[position], from, to);
  if (element_count(from) == element_count(to)) {
    return reread(in, to);
  }
  return add_copy(op, in, moved(op, to, strides, strides_of(to)), to, named_after);
}

StridedCopy TfliteImporter::moved(const FileOperator& op, const std::vector<int>& counts,
                                  const std::vector<int>& from_strides,
                                  const std::vector<int>& to_strides) const {
  const std::optional<StridedCopy> copy = strided_copy(counts, from_strides, to_strides);
  if (!copy) {
    model_.fail(op, "moves elements along more than three dimensions");
  }
  return *copy;
}

void TfliteImporter::import_repetition(const FileOperator& op) {
  const FileTensor output = op.outputs[0];
  pass_on_bytes(op, repeated(op, 0, model_.dimensions(output, &op), output));
}

void TfliteImporter::check_constant_map(const FileOperator& op, const std::vector<int>& to) const {
  if (element_count(to) > kMostConstants) {
    model_.fail(op, "needs a constant of " + std::to_string(element_count(to)) +
                        " numbers; allowed: up to " + std::to_string(kMostConstants));
  }
}

// ----- between elements

void TfliteImporter::import_resize(const FileOperator& op) {
  const FileValue& found = map(op);
  const FileValue& in = found.has_margins() || found.is_turned() ? plain(op, 0) : found;
  Layer layer;
  layer.kind = LayerKind::kResize;
  layer.inputs = {in.id, kNoTensor};
  layer.resizing.is_bilinear = op.code == BuiltinOperator::RESIZE_BILINEAR;
  if (layer.resizing.is_bilinear) {
    const auto& o = options<tflite::ResizeBilinearOptions>(op);
    layer.resizing.align_corners = o.align_corners();
    layer.resizing.half_pixel_centers = o.half_pixel_centers();
  } else {
    const auto& o = options<tflite::ResizeNearestNeighborOptions>(op);
    layer.resizing.align_corners = o.align_corners();
    layer.resizing.half_pixel_centers = o.half_pixel_centers();
  }
  const std::vector<std::int32_t> size = model_.int32_data(op.input(1), op);
  if (size.size() != 2 || size[0] < 1 || size[1] < 1) {
    model_.fail(&op, op.input(1), "must be two numbers above 0, rows and columns");
  }
  layer.output = {size[0], size[1], in.shape.channels};
  append_map(op, layer, {}, in);
}

}  // namespace patchnas
