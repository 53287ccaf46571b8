#include <algorithm>
#include <vector>

#include "deploy/reference/reference_kernels.h"

namespace patchnas {
namespace {

// Output pixels computed together: each weight is widened once for all of them.
constexpr int kPixels = 4;

std::int8_t finish(const LayerContext& context, std::size_t channel, std::int32_t accumulator) {
  const QuantizedLayer& q = context.quantised;
  const std::int32_t sum = wrapping_add(accumulator, q.biases[channel]);
  const std::int32_t scaled =
      context.arithmetic == Arithmetic::kLiteRt
          ? litert_requantise(sum, context.inputs[0].scale,
                              q.weight_scales[q.weight_scales.size() == 1 ? 0 : channel],
                              context.output.scale)
          : requantise(sum, q.requantisation[channel], context.arithmetic);
  return static_cast<std::int8_t>(
      std::clamp(scaled + context.output.zero_point, q.clamp.min, q.clamp.max));
}

// Dot products of one row of weights with kPixels columns of `length` values.
std::array<std::int32_t, kPixels> dot_products(const std::int8_t* weights,
                                               const std::int16_t* columns, std::size_t length) {
  std::int32_t a = 0;
  std::int32_t b = 0;
  std::int32_t c = 0;
  std::int32_t d = 0;
  for (std::size_t i = 0; i < length; ++i) {
    const std::int16_t weight = weights[i];
    a += weight * columns[i];
    b += weight * columns[length + i];
    c += weight * columns[2 * length + i];
    d += weight * columns[3 * length + i];
  }
  return {a, b, c, d};
}

// Copies what the output pixel at (row, col) reads, less the zero point, in the order of the
// weights; taps outside the image are 0.
void gather_column(const LayerContext& context, const InputWindow& input, int row, int col,
                   std::int16_t* column) {
  const Kernel& kernel = context.layer.kernel;
  const int channels = input.shape.channels;
  const auto zero_point = static_cast<std::int16_t>(context.inputs[0].zero_point);
  const int top = row * kernel.stride_h - kernel.pad_top;
  const int left = col * kernel.stride_w - kernel.pad_left;
  const Interval taps_h = taps_inside(top, kernel.height, input.shape.height);
  const Interval taps_w = taps_inside(left, kernel.width, input.shape.width);
  const bool clipped = taps_h.size() < kernel.height || taps_w.size() < kernel.width;
  if (clipped) {
    std::fill_n(column, static_cast<std::ptrdiff_t>(kernel.height) * kernel.width * channels,
                std::int16_t{0});
  }
  for (int y = taps_h.begin; y < taps_h.end; ++y) {
    const std::int8_t* const source = input.pixel(top + y, left + taps_w.begin);
    std::int16_t* const target =
        column + (static_cast<std::ptrdiff_t>(y) * kernel.width + taps_w.begin) * channels;
    for (int i = 0; i < taps_w.size() * channels; ++i) {
      target[i] = static_cast<std::int16_t>(source[i] - zero_point);
    }
  }
}

}  // namespace

void convolve(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
              const Rect& computed) {
  const std::int8_t* const weights = context.quantised.weights.data();
  const auto out_channels = static_cast<std::size_t>(context.layer.computed_channels());
  const int first_channel = context.layer.channels.to;
  const std::size_t length = context.quantised.weights.size() / out_channels;
  std::vector<std::int16_t> columns(kPixels * length);
  for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
    for (int begin = computed.cols.begin; begin < computed.cols.end; begin += kPixels) {
      const int count = std::min(kPixels, computed.cols.end - begin);
      for (int i = 0; i < count; ++i) {
        gather_column(context, input, row, begin + i,
                      columns.data() + static_cast<std::size_t>(i) * length);
      }
      for (std::size_t o = 0; o < out_channels; ++o) {
        const auto sums = dot_products(weights + o * length, columns.data(), length);
        for (int i = 0; i < count; ++i) {
          output.pixel(row, begin + i)[first_channel + static_cast<std::ptrdiff_t>(o)] =
              finish(context, o, sums[static_cast<std::size_t>(i)]);
        }
      }
    }
  }
}

void convolve_groups(const LayerContext& context, const InputWindow& input,
                     const OutputWindow& output, const Rect& computed) {
  const Kernel& k = context.layer.kernel;
  const int inputs = input.shape.channels / context.layer.groups;
  const int outputs = output.shape.channels / context.layer.groups;
  const std::int32_t zero_point = context.inputs[0].zero_point;
  const auto sum_at = [&](int row, int col, int channel) {
    const std::int8_t* weight = context.quantised.weights.data() +
                                static_cast<std::ptrdiff_t>(channel) * k.height * k.width * inputs;
    std::int32_t sum = 0;
    for (int i = 0; i < k.height; ++i) {
      for (int j = 0; j < k.width; ++j, weight += inputs) {
        const int y = row * k.stride_h - k.pad_top + i * k.dilation_h;
        const int x = col * k.stride_w - k.pad_left + j * k.dilation_w;
        if (y >= 0 && y < input.shape.height && x >= 0 && x < input.shape.width) {
          const std::int8_t* const values = input.pixel(y, x) + channel / outputs * inputs;
          for (int c = 0; c < inputs; ++c) {
            sum += weight[c] * (values[c] - zero_point);
          }
        }
      }
    }
    return sum;
  };
  for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
    for (int col = computed.cols.begin; col < computed.cols.end; ++col) {
      for (int o = 0; o < output.shape.channels; ++o) {
        output.pixel(row, col)[o] =
            finish(context, static_cast<std::size_t>(o), sum_at(row, col, o));
      }
    }
  }
}

// As TensorFlow Lite Micro scatters: every input pixel adds to the window of the output that a
// convolution would have read it from.
void convolve_transposed(const LayerContext& context, const InputWindow& input,
                         const OutputWindow& output, const Rect& computed) {
  const Kernel& k = context.layer.kernel;
  const std::int32_t zero_point = context.inputs[0].zero_point;
  const int channels = input.shape.channels;
  const int out_channels = output.shape.channels;
  std::vector<std::int32_t> sums(static_cast<std::size_t>(computed.pixels() * out_channels), 0);
  const auto first_sum = [&](int row, int col) {
    return static_cast<std::size_t>(
        ((row - computed.rows.begin) * computed.cols.size() + col - computed.cols.begin) *
        out_channels);
  };
  const auto add = [&](int in_row, int in_col, int row, int col, int tap) {
    const std::int8_t* const values = input.pixel(in_row, in_col);
    const std::size_t pixel = first_sum(row, col);
    for (int o = 0; o < out_channels; ++o) {
      const std::int8_t* const weights = context.quantised.weights.data() +
                                         (std::ptrdiff_t{o} * k.height * k.width + tap) * channels;
      for (int c = 0; c < channels; ++c) {
        sums[pixel + static_cast<std::size_t>(o)] += weights[c] * (values[c] - zero_point);
      }
    }
  };
  const Interval rows{std::max(0, input.rect.rows.begin), input.rect.rows.end};
  for (int in_row = rows.begin; in_row < rows.end; ++in_row) {
    for (int in_col = input.rect.cols.begin; in_col < input.rect.cols.end; ++in_col) {
      for (int tap = 0; tap < k.height * k.width; ++tap) {
        const int row = in_row * k.stride_h - k.pad_top + tap / k.width;
        const int col = in_col * k.stride_w - k.pad_left + tap % k.width;
        if (computed.contains({{row, row + 1}, {col, col + 1}})) {
          add(in_row, in_col, row, col, tap);
        }
      }
    }
  }
  for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
    for (int col = computed.cols.begin; col < computed.cols.end; ++col) {
      for (int o = 0; o < out_channels; ++o) {
        const auto channel = static_cast<std::size_t>(o);
        output.pixel(row, col)[o] = finish(context, channel, sums[first_sum(row, col) + channel]);
      }
    }
  }
}

void connect_fully(const LayerContext& context, const InputWindow& input,
                   const OutputWindow& output) {
  const auto length = static_cast<std::size_t>(input.shape.elements());
  const std::int32_t zero_point = context.inputs[0].zero_point;
  const std::int8_t* const values = input.pixel(0, 0);
  for (std::size_t o = 0; o < static_cast<std::size_t>(output.shape.channels); ++o) {
    const std::int8_t* const weights = context.quantised.weights.data() + o * length;
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < length; ++i) {
      sum += weights[i] * (values[i] - zero_point);
    }
    output.pixel(0, 0)[o] = finish(context, o, sum);
  }
}

void add_products(const LayerContext& context, const InputWindow& input, const Rect& pixels,
                  std::span<std::int32_t> sums) {
  const auto length = static_cast<std::size_t>(input.shape.elements());
  const auto channels = static_cast<std::size_t>(input.shape.channels);
  const std::int32_t zero_point = context.inputs[0].zero_point;
  for (int row = pixels.rows.begin; row < pixels.rows.end; ++row) {
    for (int col = pixels.cols.begin; col < pixels.cols.end; ++col) {
      const std::int8_t* const pixel = input.pixel(row, col);
      const auto begin = static_cast<std::size_t>(row * input.shape.width + col) * channels;
      for (std::size_t o = 0; o < sums.size(); ++o) {
        const std::int8_t* const weights = context.quantised.weights.data() + o * length + begin;
        for (std::size_t c = 0; c < channels; ++c) {
          sums[o] += weights[c] * (pixel[c] - zero_point);
        }
      }
    }
  }
}

void finish_products(const LayerContext& context, std::span<const std::int32_t> sums,
                     const OutputWindow& output) {
  for (std::size_t o = 0; o < sums.size(); ++o) {
    output.bytes[o] = finish(context, o, sums[o]);
  }
}

void convolve_depthwise(const LayerContext& context, const InputWindow& input,
                        const OutputWindow& output, const Rect& computed) {
  const Kernel& kernel = context.layer.kernel;
  const auto channels = static_cast<std::size_t>(output.shape.channels);
  const std::int32_t zero_point = context.inputs[0].zero_point;
  std::vector<std::int32_t> sums(channels);
  for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
    const int top = row * kernel.stride_h - kernel.pad_top;
    const Interval taps_h = taps_inside(top, kernel.height, input.shape.height);
    for (int col = computed.cols.begin; col < computed.cols.end; ++col) {
      const int left = col * kernel.stride_w - kernel.pad_left;
      const Interval taps_w = taps_inside(left, kernel.width, input.shape.width);
      std::fill(sums.begin(), sums.end(), 0);
      for (int y = taps_h.begin; y < taps_h.end; ++y) {
        for (int x = taps_w.begin; x < taps_w.end; ++x) {
          const std::int8_t* const pixel = input.pixel(top + y, left + x);
          const std::int8_t* const weights =
              context.quantised.weights.data() +
              static_cast<std::size_t>(y * kernel.width + x) * channels;
          for (std::size_t c = 0; c < channels; ++c) {
            sums[c] += weights[c] * (pixel[c] - zero_point);
          }
        }
      }
      std::int8_t* const out = output.pixel(row, col);
      for (std::size_t c = 0; c < channels; ++c) {
        out[c] = finish(context, c, sums[c]);
      }
    }
  }
}

void convolve_depthwise_in_place(const LayerContext& context, std::span<std::int8_t> buffer,
                                 const Rect& input_window, const TensorShape& input_shape,
                                 const Rect& read, const Rect& output_window, const Rect& computed,
                                 std::span<std::int8_t> scratch) {
  const Kernel& kernel = context.layer.kernel;
  const int channels = input_shape.channels;
  const InputWindow input{.bytes = buffer, .rect = input_window, .shape = input_shape};
  const OutputWindow output{.bytes = buffer, .rect = output_window, .shape = context.layer.output};
  const TensorShape plane_shape{input_shape.height, input_shape.width, 1};
  // Of what may be read no more than the windows touch, which is what the scratch has room for.
  const auto touched = [](const Interval& of, const Interval& outputs, int size, int stride,
                          int pad) {
    return Interval{std::max(of.begin, outputs.begin * stride - pad),
                    std::min(of.end, (outputs.end - 1) * stride - pad + size)};
  };
  const Rect copied{
      touched(read.rows, computed.rows, kernel.height, kernel.stride_h, kernel.pad_top),
      touched(read.cols, computed.cols, kernel.width, kernel.stride_w, kernel.pad_left)};
  const OutputWindow plane{.bytes = scratch, .rect = copied, .shape = plane_shape};
  for (int c = 0; c < channels; ++c) {
    for (int row = copied.rows.begin; row < copied.rows.end; ++row) {
      for (int col = copied.cols.begin; col < copied.cols.end; ++col) {
        *plane.pixel(row, col) = input.pixel(row, col)[c];
      }
    }
    for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
      const int top = row * kernel.stride_h - kernel.pad_top;
      const Interval taps_h = taps_inside(top, kernel.height, input_shape.height);
      for (int col = computed.cols.begin; col < computed.cols.end; ++col) {
        const int left = col * kernel.stride_w - kernel.pad_left;
        const Interval taps_w = taps_inside(left, kernel.width, input_shape.width);
        std::int32_t sum = 0;
        for (int y = taps_h.begin; y < taps_h.end; ++y) {
          for (int x = taps_w.begin; x < taps_w.end; ++x) {
            const auto weight = static_cast<std::size_t>(y * kernel.width + x) *
                                    static_cast<std::size_t>(channels) +
                                static_cast<std::size_t>(c);
            sum += context.quantised.weights[weight] *
                   (*plane.pixel(top + y, left + x) - context.inputs[0].zero_point);
          }
        }
        output.pixel(row, col)[c] = finish(context, static_cast<std::size_t>(c), sum);
      }
    }
  }
}

}  // namespace patchnas
