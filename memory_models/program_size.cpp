#include "memory_models/program_size.h"

#include "arch/base/yaml_reader.h"
#include "memory_models/program_size_data.h"

namespace patchnas {
namespace {

constexpr std::array kPartNames = {"resident_program",
                                   "streamed_program",
                                   "patch_loops",
                                   "convolution",
                                   "pool",
                                   "add",
                                   "fully_connected",
                                   "softmax",
                                   "new_extents",
                                   "convolution_patch",
                                   "pool_patch",
                                   "add_patch",
                                   "softmax_patch"};
static_assert(kPartNames.size() == kProgramParts);

constexpr Allowed<int> kBytes = {0, 1 << 16};

ProgramPart whole_call(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kConv2d:
    case LayerKind::kDepthwiseConv2d:
      return ProgramPart::kConvolution;
    case LayerKind::kAveragePool:
    case LayerKind::kMaxPool:
    case LayerKind::kMean:
      return ProgramPart::kPool;
    case LayerKind::kAdd:
      return ProgramPart::kAdd;
    case LayerKind::kSoftmax:
      return ProgramPart::kSoftmax;
    case LayerKind::kFullyConnected:
      break;
  }
  return ProgramPart::kFullyConnected;
}

ProgramPart patch_call(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kConv2d:
    case LayerKind::kDepthwiseConv2d:
      return ProgramPart::kConvolutionPatch;
    case LayerKind::kAveragePool:
    case LayerKind::kMaxPool:
    case LayerKind::kMean:
      return ProgramPart::kPoolPatch;
    case LayerKind::kAdd:
      return ProgramPart::kAddPatch;
    case LayerKind::kSoftmax:
      return ProgramPart::kSoftmaxPatch;
    case LayerKind::kFullyConnected:
      break;
  }
  return ProgramPart::kFullyConnected;
}

bool has_new_extents(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const TensorShape& input = network.shape(l.inputs[0]);
  return l.kind != LayerKind::kFullyConnected && l.kind != LayerKind::kSoftmax &&
         (l.output.height != input.height || l.output.width != input.width);
}

}  // namespace

std::string_view to_string(ProgramPart part) { return kPartNames[static_cast<std::size_t>(part)]; }

CallForm call_form(const Loop& loop) {
  return loop.grid() == TileGrid{} ? CallForm::kWhole : CallForm::kPatch;
}

ProgramPart program_part(InputMode input) {
  return input == InputMode::kResident ? ProgramPart::kResidentProgram
                                       : ProgramPart::kStreamedProgram;
}

ProgramParts program_parts(const Network& network, const ExecutionPlan& plan) {
  ProgramParts parts;
  parts.add(program_part(plan.input()));
  for (const Loop& loop : plan.loops()) {
    const CallForm form = call_form(loop);
    if (form == CallForm::kPatch) {
      parts.add(ProgramPart::kPatchLoops);
    }
    const int end_layer = plan.step(loop.end_step - 1).end_layer;
    for (int i = plan.step(loop.first_step).first_layer; i < end_layer; ++i) {
      const Layer& layer = network.layers[static_cast<std::size_t>(i)];
      parts.add(form == CallForm::kPatch ? patch_call(layer) : whole_call(layer));
      if (form == CallForm::kWhole && has_new_extents(network, i)) {
        parts.add(ProgramPart::kNewExtents);
      }
    }
  }
  return parts;
}

ProgramSizeTable ProgramSizeTable::parse(std::string_view yaml, const std::string& source) {
  YamlReader reader = YamlReader::parse_text(yaml, source);
  YamlReader targets = reader.map("targets");
  ProgramSizeTable table;
  for (const Core core : kCores) {
    YamlReader target = targets.map(std::string(to_string(core)));
    for (std::size_t part = 0; part < kProgramParts; ++part) {
      table.bytes_[static_cast<std::size_t>(core)][part] = target.integer(kPartNames[part], kBytes);
    }
  }
  return table;
}

std::int64_t ProgramSizeTable::bytes(Core core, const ProgramParts& parts) const {
  std::int64_t sum = 0;
  for (std::size_t part = 0; part < kProgramParts; ++part) {
    sum += parts.counts[part] * bytes_[static_cast<std::size_t>(core)][part];
  }
  return sum;
}

std::int64_t ProgramSizeTable::call_bytes(Core core, const Network& network, int layer,
                                          CallForm form) const {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  if (form == CallForm::kPatch) {
    return bytes(core, patch_call(l));
  }
  return bytes(core, whole_call(l)) +
         (has_new_extents(network, layer) ? bytes(core, ProgramPart::kNewExtents) : 0);
}

const ProgramSizeTable& measured_program_sizes() {
  static const ProgramSizeTable table =
      ProgramSizeTable::parse(kProgramSizeYaml, "memory_models/program_size.yaml (built in)");
  return table;
}

}  // namespace patchnas
