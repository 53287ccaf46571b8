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

ProgramPart call_part(const Layer& layer, CallForm form) {
  const bool in_patches = form == CallForm::kPatch;
  switch (kernel_facts(kernel_function(layer, false)).call_sort) {
    case CallSort::kConvolution:
      return in_patches ? ProgramPart::kConvolutionPatch : ProgramPart::kConvolution;
    case CallSort::kPool:
      return in_patches ? ProgramPart::kPoolPatch : ProgramPart::kPool;
    case CallSort::kAdd:
      return in_patches ? ProgramPart::kAddPatch : ProgramPart::kAdd;
    case CallSort::kSoftmax:
      return in_patches ? ProgramPart::kSoftmaxPatch : ProgramPart::kSoftmax;
    case CallSort::kFullyConnected:
      break;
  }
  return ProgramPart::kFullyConnected;
}

bool has_new_extents(const Network& network, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const TensorShape& input = network.shape(l.inputs[0]);
  return operator_facts(l.kind).reads != Reads::kEverything &&
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
      parts.add(call_part(layer, form));
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
  const bool has_more = form == CallForm::kWhole && has_new_extents(network, layer);
  return bytes(core, call_part(l, form)) + (has_more ? bytes(core, ProgramPart::kNewExtents) : 0);
}

const ProgramSizeTable& measured_program_sizes() {
  static const ProgramSizeTable table =
      ProgramSizeTable::parse(kProgramSizeYaml, "memory_models/program_size.yaml (built in)");
  return table;
}

}  // namespace patchnas
