#include "memory_models/flash_model.h"

namespace patchnas {
namespace {

// A convolution of 1x1 pixels has a kernel function of its own.
bool runs_pointwise(const Layer& layer) { return layer.kernel == Kernel{}; }

std::int64_t layer_parameters_bytes(const Layer& layer) {
  const CodeSizeTable& sizes = measured_code_sizes();
  switch (layer.kind) {
    case LayerKind::kConv2d:
      return (runs_pointwise(layer) ? 0 : sizes.kernel_struct_bytes()) +
             sizes.weights_struct_bytes();
    case LayerKind::kDepthwiseConv2d:
      return sizes.kernel_struct_bytes() + sizes.weights_struct_bytes();
    case LayerKind::kAveragePool:
    case LayerKind::kMaxPool:
      return sizes.kernel_struct_bytes();
    case LayerKind::kFullyConnected:
      return sizes.weights_struct_bytes();
    case LayerKind::kAdd:
      return sizes.add_scales_struct_bytes();
    case LayerKind::kSoftmax:
      break;
  }
  return 0;
}

FlashReport layer_constants(const Network& network, int layer) {
  const std::int64_t channels = bias_count(network, layer);
  return {.weights_bytes = weight_count(network, layer),
          .biases_bytes = channels * std::int64_t{sizeof(std::int32_t)},
          .requantisation_bytes = channels * std::int64_t{sizeof(std::int32_t) + 1},
          .layer_parameters_bytes =
              layer_parameters_bytes(network.layers[static_cast<std::size_t>(layer)])};
}

std::int64_t span_table_bytes(const Segment& segment) {
  return (std::int64_t{segment.grid.rows} + segment.grid.cols) * kLayerSpanBytes;
}

// `insert_depthwise(kernels, layer)` chooses what a depthwise layer runs on.
template <typename Function>
KernelSet collect_kernels(const Network& network, const Function& insert_depthwise) {
  KernelSet kernels;
  for (int i = 0; i < network.layer_count(); ++i) {
    const Layer& layer = network.layers[static_cast<std::size_t>(i)];
    switch (layer.kind) {
      case LayerKind::kConv2d:
        kernels.insert(runs_pointwise(layer) ? KernelFunction::kPointwise
                                             : KernelFunction::kConvolve);
        break;
      case LayerKind::kDepthwiseConv2d:
        insert_depthwise(kernels, i);
        break;
      case LayerKind::kAdd:
        kernels.insert(KernelFunction::kAdd);
        break;
      case LayerKind::kAveragePool:
        kernels.insert(KernelFunction::kAveragePool);
        break;
      case LayerKind::kMaxPool:
        kernels.insert(KernelFunction::kMaxPool);
        break;
      case LayerKind::kFullyConnected:
        kernels.insert(KernelFunction::kFullyConnected);
        break;
      case LayerKind::kSoftmax:
        kernels.insert(KernelFunction::kSoftmax);
        break;
    }
  }
  return kernels;
}

}  // namespace

FlashReport& FlashReport::operator+=(const FlashReport& other) {
  weights_bytes += other.weights_bytes;
  biases_bytes += other.biases_bytes;
  requantisation_bytes += other.requantisation_bytes;
  layer_parameters_bytes += other.layer_parameters_bytes;
  schedule_tables_bytes += other.schedule_tables_bytes;
  code_bytes += other.code_bytes;
  return *this;
}

KernelSet kernels_of(const Network& network) {
  return collect_kernels(network, [](KernelSet& kernels, int /*layer*/) {
    kernels.insert(KernelFunction::kDepthwise);
    kernels.insert(KernelFunction::kDepthwiseInPlace);
  });
}

KernelSet kernels_of(const Network& network, const ArenaPlan& plan) {
  return collect_kernels(network, [&](KernelSet& kernels, int layer) {
    kernels.insert(plan.in_place_input(network, layer) >= 0 ? KernelFunction::kDepthwiseInPlace
                                                            : KernelFunction::kDepthwise);
  });
}

std::int64_t schedule_tables_bytes(const Segment& segment) {
  return (std::int64_t{segment.end_layer} - segment.first_layer) * span_table_bytes(segment);
}

std::int64_t schedule_tables_bytes(const PatchSchedule& schedule) {
  std::int64_t bytes = 0;
  for (const Segment& segment : schedule.segments) {
    bytes += schedule_tables_bytes(segment);
  }
  return bytes;
}

FlashReport layer_flash(const Network& network, const PatchSchedule& schedule, int layer) {
  FlashReport flash = layer_constants(network, layer);
  for (const Segment& segment : schedule.segments) {
    if (segment.first_layer <= layer && layer < segment.end_layer) {
      flash.schedule_tables_bytes = span_table_bytes(segment);
    }
  }
  return flash;
}

FlashReport flash_report(const Network& network, const PatchSchedule& schedule, Core core) {
  return flash_report(network, schedule, core, kernels_of(network));
}

FlashReport flash_report(const Network& network, const PatchSchedule& schedule, Core core,
                         const KernelSet& kernels) {
  FlashReport flash{.schedule_tables_bytes = schedule_tables_bytes(schedule),
                    .code_bytes = measured_code_sizes().code_bytes(core, kernels)};
  for (int i = 0; i < network.layer_count(); ++i) {
    flash += layer_constants(network, i);
  }
  return flash;
}

}  // namespace patchnas
