// Every kernel of the runtime against the integer reference, tile by tile, on random networks and
// schedules. The kernels get windows that hold exactly what a tile reads.

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "arch/execution_plan.h"
#include "arch/operator_table.h"
#include "arch/quantized_network.h"
#include "arch/resize_samples.h"
#include "deploy/package/kernel_weights.h"
#include "deploy/reference/reference_executor.h"
#include "runtime/patchnas_runtime.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/deploy/support/recorded_cases.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using Bytes = std::vector<std::int8_t>;

patchnas_rect c_rect(const Rect& r) { return {r.rows.begin, r.rows.end, r.cols.begin, r.cols.end}; }

patchnas_window c_window(Bytes& bytes, const Rect& held, int channels) {
  return {bytes.data(), held.rows.begin, held.cols.begin, held.cols.size(), channels};
}

// The part of a whole tensor that a window holds.
Bytes cut(const Bytes& whole, const TensorShape& shape, const Rect& held) {
  Bytes part;
  for (int row = held.rows.begin; row < held.rows.end; ++row) {
    const auto begin =
        whole.begin() + (std::ptrdiff_t{row} * shape.width + held.cols.begin) * shape.channels;
    part.insert(part.end(), begin, begin + std::ptrdiff_t{held.cols.size()} * shape.channels);
  }
  return part;
}

patchnas_kernel c_kernel(const Layer& layer, const TensorShape& input) {
  const Kernel& k = layer.kernel;
  return {k.height,  k.width,    k.stride_h,   k.stride_w,
          k.pad_top, k.pad_left, input.height, input.width};
}

class LayerUnderTest {
 public:
  LayerUnderTest(const QuantizedNetwork& network, int layer, const std::vector<Bytes>& tensors)
      : network_(network),
        index_(layer),
        layer_(network.network.layers[static_cast<std::size_t>(layer)]),
        quantised_(network.layers[static_cast<std::size_t>(layer)]),
        tensors_(tensors),
        constants_(kernel_weights(layer_, quantised_, quantisation(layer_.inputs[0]).zero_point)),
        shifts_(constants_.shifts.begin(), constants_.shifts.end()) {
    weights_ = {constants_.weights.data(),
                constants_.biases.data(),
                constants_.multipliers.data(),
                shifts_.data(),
                quantisation(layer_.inputs[0]).zero_point,
                quantisation(layer + 1).zero_point,
                quantised_.clamp.min,
                quantised_.clamp.max,
                layer_.computed_channels()};
  }

  // The tile's output as the runtime computes it.
  [[nodiscard]] Bytes run(const Rect& computed, const std::array<Rect, 2>& reads) const {
    Bytes a = input(0, reads[0]);
    Bytes out(static_cast<std::size_t>(computed.pixels() * layer_.output.channels), 0x77);
    const patchnas_kernel kernel = c_kernel(layer_, shape(layer_.inputs[0]));
    const patchnas_window in = c_window(a, reads[0], shape(layer_.inputs[0]).channels);
    const patchnas_window output = c_window(out, computed, layer_.output.channels);
    const patchnas_rect rect = c_rect(computed);
    switch (layer_.kind) {
      case LayerKind::kConv2d:
        if (kernel_function(layer_) == KernelFunction::kConvolveGroups) {
          const patchnas_groups groups = {kernel, layer_.kernel.dilation_h,
                                          layer_.kernel.dilation_w, layer_.groups};
          patchnas_convolve_groups(&groups, &weights_, &in, &output, rect);
          break;
        }
        patchnas_convolve(&kernel, &weights_, &in, &output, rect);
        if (is_pointwise()) {
          const Bytes convolved = out;
          std::fill(out.begin(), out.end(), std::int8_t{0x55});
          patchnas_pointwise(&weights_, &in, &output, rect);
          EXPECT_EQ(out, convolved) << "a pointwise convolution";
        }
        break;
      case LayerKind::kDepthwiseConv2d:
        patchnas_depthwise(&kernel, &weights_, &in, &output, rect,
                           scratch(kernel, computed).data());
        break;
      case LayerKind::kAveragePool:
        patchnas_average_pool(&kernel, weights_.clamp_min, weights_.clamp_max, &in, &output, rect);
        break;
      case LayerKind::kMaxPool:
        patchnas_max_pool(&kernel, weights_.clamp_min, weights_.clamp_max, &in, &output, rect);
        break;
      case LayerKind::kMean: {
        const patchnas_mean_scale scale = {weights_.input_zero_point, quantised_.mean.multiplier,
                                           quantised_.mean.shift, weights_.output_zero_point};
        patchnas_mean(&kernel, &scale, &in, &output, rect);
        break;
      }
      case LayerKind::kFullyConnected:
        patchnas_fully_connected(&weights_, a.data(), static_cast<std::int32_t>(a.size()),
                                 out.data(), layer_.output.channels);
        break;
      case LayerKind::kSubtract:
      case LayerKind::kMultiply:
      case LayerKind::kPrelu:
      case LayerKind::kMaximum:
      case LayerKind::kMinimum:
      case LayerKind::kSquaredDifference:
        combine(computed, reads, in, output, rect);
        break;
      case LayerKind::kLookup: {
        patchnas_table table;
        for (int value = -128; value <= 127; ++value) {
          table.values[static_cast<std::uint8_t>(value)] =
              quantised_.lookup.twice[static_cast<std::size_t>(value + 128)];
        }
        patchnas_lookup(&table, &in, &output, rect);
        break;
      }
      case LayerKind::kResize: {
        const TensorShape& from = shape(layer_.inputs[0]);
        const auto rows = c_samples(layer_.resizing, from.height, layer_.output.height);
        const auto cols = c_samples(layer_.resizing, from.width, layer_.output.width);
        const patchnas_resizing resizing = {rows.data(), cols.data()};
        patchnas_resize(&resizing, &in, &output, rect);
        break;
      }
      case LayerKind::kTransposeConv:
        patchnas_convolve_transposed(&kernel, &weights_, &in, &output, rect);
        break;
      case LayerKind::kCopyChannels: {
        const bool has_rest = layer_.input_count() == 2 || layer_.has_constant_map;
        Bytes b = second(computed, reads[1]);
        const patchnas_window rest =
            c_window(b, layer_.has_constant_map ? computed : reads[1], layer_.output.channels);
        const ChannelRange& range = layer_.channels;
        patchnas_copy_channels(range.from, range.to, range.count, quantised_.fill, &in,
                               has_rest ? &rest : nullptr, &output, rect);
        if (layer_.input_count() == 2) {
          patchnas_copy_channels(range.from, range.to, range.count, 0, &in, &rest, &rest, rect);
          EXPECT_EQ(b, out) << "over what is not copied";
        }
        break;
      }
      case LayerKind::kCopy: {
        const bool has_rest = layer_.input_count() == 2 || layer_.has_constant_map;
        Bytes b = second(computed, reads[1]);
        const StridedCopy& copy = layer_.copy;
        patchnas_copy_shape shape{};
        std::copy_n(copy.counts.begin(), 3, shape.counts);
        std::copy_n(copy.from_strides.begin(), 3, shape.from_strides);
        std::copy_n(copy.to_strides.begin(), 3, shape.to_strides);
        shape.from = copy.from;
        shape.to = copy.to;
        shape.fill_bytes = has_rest || fills(layer_) ? static_cast<std::int32_t>(out.size()) : 0;
        shape.fill = quantised_.fill;
        patchnas_copy(&shape, a.data(), has_rest ? b.data() : nullptr, out.data());
        break;
      }
      case LayerKind::kPad: {
        const patchnas_margins margins = {kernel.pad_top, kernel.pad_left, kernel.input_height,
                                          kernel.input_width, quantised_.fill};
        patchnas_pad(&margins, &in, &output, rect);
        break;
      }
      case LayerKind::kInput:
        break;
      case LayerKind::kAdd: {
        if (has_constant_operand(layer_)) {
          combine(computed, reads, in, output, rect);
          break;
        }
        Bytes b = input(1, reads[1]);
        const patchnas_window second = c_window(b, reads[1], layer_.output.channels);
        const patchnas_add_scales scales = add_scales();
        patchnas_add(&scales, &in, &second, &output, rect);
        patchnas_add(&scales, &in, &second, &in, rect);
        EXPECT_EQ(a, out) << "an add over its first input";
        break;
      }
      case LayerKind::kSoftmax:
        for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
          const auto pixel = [row, &computed](const patchnas_window& w) {
            return w.data + ((row - w.row) * w.width + (computed.cols.begin - w.col)) * w.channels;
          };
          patchnas_softmax(quantised_.softmax.difference.multiplier,
                           quantised_.softmax.difference.shift,
                           quantised_.softmax.smallest_difference, pixel(in), pixel(output),
                           computed.cols.size(), layer_.output.channels);
        }
        break;
    }
    return out;
  }

  static std::vector<patchnas_sample> c_samples(const Resizing& resizing, int from, int to) {
    std::vector<patchnas_sample> samples;
    for (const ResizeSample& s : resize_samples(resizing, from, to)) {
      samples.push_back({static_cast<std::int16_t>(s.first), static_cast<std::int16_t>(s.second),
                         static_cast<std::int16_t>(s.part)});
    }
    return samples;
  }

  // What is read of the second tensor, or the part of a map in its place that is computed.
  [[nodiscard]] Bytes second(const Rect& computed, const Rect& read) const {
    if (layer_.has_constant_map) {
      return cut(quantised_.constants, layer_.output, computed);
    }
    return layer_.input_count() == 2 ? input(1, read) : Bytes();
  }

  [[nodiscard]] std::int32_t operation() const {
    switch (layer_.kind) {
      case LayerKind::kAdd:
        return PATCHNAS_ADD;
      case LayerKind::kSubtract:
        return quantised_.constants_come_first ? PATCHNAS_SUBTRACT_FROM : PATCHNAS_SUBTRACT;
      case LayerKind::kPrelu:
        return PATCHNAS_PRELU;
      case LayerKind::kMaximum:
        return PATCHNAS_MAXIMUM;
      case LayerKind::kMinimum:
        return PATCHNAS_MINIMUM;
      case LayerKind::kSquaredDifference:
        return PATCHNAS_SQUARED_DIFFERENCE;
      default:
        return PATCHNAS_MULTIPLY;
    }
  }

  void combine(const Rect& computed, const std::array<Rect, 2>& reads, const patchnas_window& in,
               const patchnas_window& output, const patchnas_rect& rect) const {
    const bool has_constants = has_constant_operand(layer_) && !layer_.has_constant_map;
    const bool by_channel = has_constants || layer_.repeats_second;
    Bytes b = second(computed, reads[1]);
    const patchnas_window of_second =
        c_window(b, layer_.has_constant_map ? computed : reads[1], layer_.output.channels);
    const patchnas_combination combination = {operation(),
                                              has_constants           ? quantised_.constants.data()
                                              : layer_.repeats_second ? b.data()
                                                                      : nullptr,
                                              add_scales()};
    patchnas_combine(&combination, &in, by_channel ? nullptr : &of_second, &output, rect);
  }

  static Bytes scratch(const patchnas_kernel& kernel, const Rect& computed) {
    return Bytes(static_cast<std::size_t>(
        patchnas_depthwise_scratch_bytes(computed.rows.size(), computed.cols.size(), kernel.height,
                                         kernel.width, kernel.stride_h, kernel.stride_w)));
  }

  [[nodiscard]] Bytes run_depthwise_in_place(const Rect& computed, const Rect& read) const {
    const int channels = layer_.output.channels;
    Bytes buffer = input(0, read);
    const auto out_bytes = static_cast<std::size_t>(computed.pixels() * channels);
    buffer.resize(std::max(buffer.size(), out_bytes));
    const patchnas_kernel kernel = c_kernel(layer_, shape(layer_.inputs[0]));
    const patchnas_window in = c_window(buffer, read, channels);
    const patchnas_window out = c_window(buffer, computed, channels);
    patchnas_depthwise(&kernel, &weights_, &in, &out, c_rect(computed),
                       scratch(kernel, computed).data());
    buffer.resize(out_bytes);
    return buffer;
  }

  [[nodiscard]] Bytes expected(const Rect& computed) const {
    return cut(tensors_[static_cast<std::size_t>(index_) + 1], layer_.output, computed);
  }

  [[nodiscard]] LayerKind kind() const { return layer_.kind; }

 private:
  [[nodiscard]] bool is_pointwise() const { return layer_.kernel == Kernel{}; }
  [[nodiscard]] const TensorShape& shape(TensorId tensor) const {
    return network_.network.shape(tensor);
  }
  [[nodiscard]] const TensorQuantisation& quantisation(TensorId tensor) const {
    return network_.tensors[static_cast<std::size_t>(tensor)];
  }
  [[nodiscard]] Bytes input(std::size_t which, const Rect& held) const {
    const TensorId tensor = layer_.inputs[which];
    return cut(tensors_[static_cast<std::size_t>(tensor)], shape(tensor), held);
  }
  [[nodiscard]] patchnas_add_scales add_scales() const {
    const AddArithmetic& add = quantised_.add;
    const TensorQuantisation& second = has_constant_operand(layer_)
                                           ? quantised_.constants_quantisation
                                           : quantisation(layer_.inputs[1]);
    return {{quantisation(layer_.inputs[0]).zero_point, second.zero_point},
            {add.inputs[0].multiplier, add.inputs[1].multiplier},
            {add.inputs[0].shift, add.inputs[1].shift},
            quantisation(index_ + 1).zero_point,
            add.output.multiplier,
            add.output.shift,
            quantised_.clamp.min,
            quantised_.clamp.max};
  }

  const QuantizedNetwork& network_;
  int index_;
  const Layer& layer_;
  const QuantizedLayer& quantised_;
  const std::vector<Bytes>& tensors_;
  KernelWeights constants_;
  std::vector<std::int8_t> shifts_;
  patchnas_weights weights_{};
};

void check_tile(const LayerUnderTest& layer, const Rect& computed,
                const std::array<Rect, 2>& reads) {
  if (computed.pixels() == 0) {
    return;
  }
  const Bytes expected = layer.expected(computed);
  ASSERT_EQ(layer.run(computed, reads), expected) << to_string(layer.kind());
  if (layer.kind() == LayerKind::kDepthwiseConv2d) {
    ASSERT_EQ(layer.run_depthwise_in_place(computed, reads[0]), expected) << "in place";
  }
}

TEST(Runtime, EveryTileOfEveryLayerEqualsTheIntegerReference) {
  RandomStream stream(31, "runtime");
  std::map<LayerKind, int> tiles_run;
  for (int round = 0; round < 200; ++round) {
    // Networks of all sorts under many schedules, and graphs of the kinds that are rarer.
    const bool is_graph = round >= 40;
    const QuantizedNetwork network =
        is_graph ? testing::random_quantised(testing::random_graph(stream, 0), stream)
                 : testing::random_quantised_network(stream);
    const Bytes image = testing::random_bytes(network.network.input.elements(), stream);
    const std::vector<Bytes> tensors = run_all_layers(network, image);
    for (const PatchSchedule& schedule :
         is_graph ? std::vector{PatchSchedule::layer_by_layer(),
                                testing::random_schedule(network.network, stream)}
                  : testing::all_schedules(network.network, stream)) {
      const ExecutionPlan plan(network.network, schedule, InputMode::kResident);
      for (int i = 0; i < network.network.layer_count(); ++i) {
        const LayerUnderTest layer(network, i, tensors);
        const int step = plan.step_of_layer(i);
        const Loop& loop = plan.loop_of(step);
        if (!loop.geometry && !schedule.segments.empty()) {
          continue;  // layers outside segments are checked once, with the schedule that has none
        }
        if (plan.step(step).adds_up) {
          continue;  // in parts: kernels of their own, below
        }
        ++tiles_run[layer.kind()];
        const int last_input = plan.step(step).input_count() - 1;
        for (const Tile& tile : tiles(loop)) {
          if (!plan.runs(step, tile)) {
            continue;
          }
          check_tile(layer, plan.computed(step, tile),
                     {plan.read(step, 0, tile), plan.read(step, last_input, tile)});
        }
      }
    }
  }
  for (const LayerKind kind : {LayerKind::kConv2d,        LayerKind::kDepthwiseConv2d,
                               LayerKind::kAdd,           LayerKind::kAveragePool,
                               LayerKind::kMaxPool,       LayerKind::kFullyConnected,
                               LayerKind::kSoftmax,       LayerKind::kMean,
                               LayerKind::kSubtract,      LayerKind::kMultiply,
                               LayerKind::kPrelu,         LayerKind::kMaximum,
                               LayerKind::kMinimum,       LayerKind::kSquaredDifference,
                               LayerKind::kLookup,        LayerKind::kResize,
                               LayerKind::kTransposeConv, LayerKind::kCopyChannels,
                               LayerKind::kCopy,          LayerKind::kPad}) {
    EXPECT_GT(tiles_run[kind], 0) << to_string(kind) << " was never run";
  }
}

// The sizes, scales and biases for which recorded_bytes_test.cpp has another implementation's
// bytes.
TEST(Runtime, EveryOperatorCaseEqualsTheIntegerReference) {
  for (const auto& [name, network, input] : testing::operator_cases()) {
    SCOPED_TRACE(name);
    const std::vector<Bytes> tensors = run_all_layers(network, input);
    for (int i = 0; i < network.network.layer_count(); ++i) {
      const auto& inputs = network.network.layers[static_cast<std::size_t>(i)].inputs;
      const Rect read = full_rect(network.network.shape(inputs[0]));
      check_tile(LayerUnderTest(network, i, tensors), full_rect(network.network.shape(i + 1)),
                 {read, read});
    }
  }
}

}  // namespace
}  // namespace patchnas
