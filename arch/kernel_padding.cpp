#include "arch/kernel_padding.h"

#include <algorithm>

namespace patchnas {
namespace {

struct WindowAxis {
  int input = 0;   // without the PAD operator
  int padded = 0;  // with it
  int output = 0;
  int kernel = 1;
  int stride = 1;
  int pad_before = 0;  // all of it, the PAD operator's included

  // Rows or columns that all the windows together span.
  [[nodiscard]] int span() const { return (output - 1) * stride + kernel; }
};

WindowAxis row_axis(const TensorShape& input, const Layer& layer) {
  const Kernel& k = layer.kernel;
  const int padded = layer.pad_operator.is_present() ? layer.pad_operator.height : input.height;
  return {input.height, padded, layer.output.height, k.span_h(), k.stride_h, k.pad_top};
}

WindowAxis col_axis(const TensorShape& input, const Layer& layer) {
  const Kernel& k = layer.kernel;
  const int padded = layer.pad_operator.is_present() ? layer.pad_operator.width : input.width;
  return {input.width, padded, layer.output.width, k.span_w(), k.stride_w, k.pad_left};
}

// What the PAD operator adds before and after, if `implicit` padding of the result then gives the
// layer's output.
struct Margins {
  int before = 0;
  int after = 0;
};

std::optional<Margins> margins(const WindowAxis& axis, ImplicitPadding implicit) {
  int output = 0;
  int before = axis.pad_before;
  if (implicit == ImplicitPadding::kSame) {
    output = (axis.padded + axis.stride - 1) / axis.stride;
    before -= std::max(0, axis.span() - axis.padded) / 2;
  } else if (axis.padded >= axis.kernel) {
    output = (axis.padded - axis.kernel) / axis.stride + 1;
  }
  const int after = axis.padded - axis.input - before;
  if (output != axis.output || before < 0 || after < 0) {
    return std::nullopt;
  }
  return Margins{before, after};
}

}  // namespace

std::optional<WindowPadding> kernel_padding(const TensorShape& input, const Layer& layer) {
  const WindowAxis rows = row_axis(input, layer);
  const WindowAxis cols = col_axis(input, layer);
  for (const ImplicitPadding implicit : {ImplicitPadding::kValid, ImplicitPadding::kSame}) {
    const std::optional<Margins> of_rows = margins(rows, implicit);
    const std::optional<Margins> of_cols = margins(cols, implicit);
    if (of_rows && of_cols) {
      return WindowPadding{implicit, of_rows->before, of_rows->after, of_cols->before,
                           of_cols->after};
    }
  }
  return std::nullopt;
}

PadOperator required_pad_operator(const TensorShape& input, const Layer& layer) {
  Layer bare = layer;
  bare.pad_operator = {};
  if (kernel_padding(input, bare)) {
    return {};
  }
  const auto padded = [](const WindowAxis& axis) {
    return std::max(axis.span(), axis.input + axis.pad_before);
  };
  return {padded(row_axis(input, bare)), padded(col_axis(input, bare))};
}

}  // namespace patchnas
