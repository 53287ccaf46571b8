// SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND: how a dilated convolution is said where
// the converter did not know its size.

#include <algorithm>

#include "deploy/tflite/tflite_importer.h"

namespace patchnas {

using tflite::BuiltinOperator;

namespace {

bool only_changes_shape(const FileOperator& op) {
  return op.code == BuiltinOperator::RESHAPE || op.code == BuiltinOperator::EXPAND_DIMS ||
         op.code == BuiltinOperator::SQUEEZE;
}

}  // namespace

TfliteImporter::ReaderPath TfliteImporter::only_reader(const FileOperator& op) const {
  const std::vector<FileTensor>& outputs = model_.outputs();
  ReaderPath path;
  FileTensor tensor = op.outputs[0];
  do {
    path.end = nullptr;
    for (const FileOperator& other : model_.operators()) {
      if (other.input(0) != tensor || other.outputs.size() != 1) {
        continue;
      }
      if (path.end != nullptr) {
        return {};
      }
      path.end = &other;
    }
    if (path.end == nullptr || std::ranges::find(outputs, tensor) != outputs.end() ||
        std::ranges::find(path.operators, path.end->index) != path.operators.end()) {
      return {};
    }
    path.operators.push_back(path.end->index);
    tensor = path.end->outputs[0];
  } while (only_changes_shape(*path.end));
  return path;
}

void TfliteImporter::import_blocks(const FileOperator& op) {
  const bool begins = op.code == BuiltinOperator::SPACE_TO_BATCH_ND;
  const ReaderPath to_convolution = begins ? only_reader(op) : ReaderPath{};
  const FileOperator* const convolution = to_convolution.end;
  const bool is_depthwise =
      convolution != nullptr && convolution->code == BuiltinOperator::DEPTHWISE_CONV_2D;
  const bool is_convolution =
      convolution != nullptr && (is_depthwise || convolution->code == BuiltinOperator::CONV_2D);
  const ReaderPath to_end = is_convolution ? only_reader(*convolution) : ReaderPath{};
  const FileOperator* const end = to_end.end;
  if (end == nullptr || end->code != BuiltinOperator::BATCH_TO_SPACE_ND ||
      model_.int32_data(end->input(1), *end) != model_.int32_data(op.input(1), op)) {
    model_.fail(op, "is read only in front of a convolution and, behind it, BATCH_TO_SPACE_ND");
  }
  if (take_ == Take::kInt8 &&
      (model_.activation_quantisation(op.outputs[0], &op) != quantisation(value(op, 0)) ||
       model_.activation_quantisation(convolution->outputs[0], convolution) !=
           model_.activation_quantisation(end->outputs[0], end))) {
    model_.fail(op, "changes scale or zero point, or BATCH_TO_SPACE_ND does");
  }
  FileOperator dilated = *convolution;
  dilated.inputs[0] = op.outputs[0];
  dilated.outputs = end->outputs;
  values_[op.outputs[0]] = blocked_view(op, *convolution, *end);
  is_depthwise ? import_depthwise(dilated) : import_convolution(dilated);
  merged_.insert(to_convolution.operators.begin(), to_convolution.operators.end());
  merged_.insert(to_end.operators.begin(), to_end.operators.end());
}

// The whole input as windows of the convolution slide over it: with margins less what is cropped
// behind it, and taps as far apart as blocks are large.
FileValue TfliteImporter::blocked_view(const FileOperator& op, const FileOperator& convolution,
                                       const FileOperator& end) {
  const std::vector<std::int32_t> blocks = model_.int32_data(op.input(1), op);
  const std::vector<std::int32_t> pads = model_.int32_data(op.input(2), op);
  const std::vector<std::int32_t> crops = model_.int32_data(end.input(2), end);
  const std::vector<int> read = model_.dimensions(convolution.input(0), &convolution);
  const FileValue& given = value(op, 0);
  std::vector<int> dimensions = given.dimensions();
  const bool is_line = dimensions.size() == 3;  // [1, positions, channels]
  if (read.size() != 4 || dimensions.size() != blocks.size() + 2 || blocks.size() > 2 ||
      pads.size() != 2 * blocks.size() || crops.size() != pads.size()) {
    model_.fail(op, "must have blocks of one or two dimensions, and be read by a CONV_2D");
  }
  // Of a line, the dimension that the convolution slides over.
  const std::size_t first = is_line && read[1] == 1 ? 2 : 1;
  if (is_line) {
    dimensions.insert(dimensions.begin() + (first == 1 ? 2 : 1), 1);
  }
  FileValue view = reread(is_line ? elements(op, 0) : given, dimensions);
  if (!view.is_map() || view.margin_fill != MarginFill::kZero) {
    view = reread(plain(op, 0), dimensions);
  }
  const std::vector<FileAxis> axes = view.axes;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::int64_t before = std::int64_t{pads[2 * i]} - crops[2 * i];
    const std::int64_t after = std::int64_t{pads[2 * i + 1]} - crops[2 * i + 1];
    const std::int64_t padded = std::int64_t{dimensions[first + i]} + pads[2 * i] + pads[2 * i + 1];
    const auto is_margin = [](std::int64_t rows) { return rows >= 0 && rows <= kLargestExtent; };
    if (!view.is_map() || blocks[i] < 1 || crops[2 * i] < 0 || crops[2 * i + 1] < 0 ||
        !is_margin(before) || !is_margin(after) ||
        padded != std::int64_t{blocks[i]} * read[first + i]) {
      model_.fail(op, "its blocks, margins and what is cropped behind it do not fit");
    }
    const bool is_rows = axes[first + i] == FileAxis::kRows;
    (is_rows ? view.margins.top : view.margins.left) += static_cast<int>(before);
    (is_rows ? view.margins.bottom : view.margins.right) += static_cast<int>(after);
    (first + i == 1 ? view.dilation_h : view.dilation_w) = blocks[i];
  }
  view.has_pad_operator = view.has_margins();
  return view;
}

}  // namespace patchnas
