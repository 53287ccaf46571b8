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
                                   "softmax_patch",
                                   "step_loops",
                                   "convolution_step",
                                   "pool_step",
                                   "add_step",
                                   "softmax_step",
                                   "fully_connected_step",
                                   "sum",
                                   "slide"};
static_assert(kPartNames.size() == kProgramParts);

constexpr Allowed<int> kBytes = {0, 1 << 16};

ProgramPart call_part(CallSort sort, CallForm form) {
  const auto of_form = [form](ProgramPart whole, ProgramPart patch, ProgramPart step) {
    return form == CallForm::kWhole ? whole : form == CallForm::kPatch ? patch : step;
  };
  switch (sort) {
    case CallSort::kConvolution:
      return of_form(ProgramPart::kConvolution, ProgramPart::kConvolutionPatch,
                     ProgramPart::kConvolutionStep);
    case CallSort::kPool:
      return of_form(ProgramPart::kPool, ProgramPart::kPoolPatch, ProgramPart::kPoolStep);
    case CallSort::kAdd:
      return of_form(ProgramPart::kAdd, ProgramPart::kAddPatch, ProgramPart::kAddStep);
    case CallSort::kSoftmax:
      return of_form(ProgramPart::kSoftmax, ProgramPart::kSoftmaxPatch, ProgramPart::kSoftmaxStep);
    case CallSort::kFullyConnected:
      return of_form(ProgramPart::kFullyConnected, ProgramPart::kFullyConnected,
                     ProgramPart::kFullyConnectedStep);
    case CallSort::kSum:
      break;
  }
  return ProgramPart::kSum;
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
  if (loop.caches_rows()) {
    return CallForm::kStep;
  }
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
    if (form != CallForm::kWhole) {
      parts.add(form == CallForm::kPatch ? ProgramPart::kPatchLoops : ProgramPart::kStepLoops);
    }
    for (int i = loop.first_step; i < loop.end_step; ++i) {
      const Step& step = plan.step(i);
      if (i < network.input_count() - 1) {
        continue;  // nothing computes an input
      }
      parts.add(call_part(kernel_facts(step.kernel).call_sort, form));
      if (form == CallForm::kWhole && has_new_extents(network, step.first_layer)) {
        parts.add(ProgramPart::kNewExtents);
      }
    }
    for (std::size_t i = 0; i < loop.slides.size(); ++i) {
      parts.add(ProgramPart::kSlide);
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
                                          KernelFunction kernel, CallForm form) const {
  const bool has_more = form == CallForm::kWhole && has_new_extents(network, layer);
  return bytes(core, call_part(kernel_facts(kernel).call_sort, form)) +
         (has_more ? bytes(core, ProgramPart::kNewExtents) : 0);
}

const ProgramSizeTable& measured_program_sizes() {
  static const ProgramSizeTable table =
      ProgramSizeTable::parse(kProgramSizeYaml, "memory_models/program_size.yaml (built in)");
  return table;
}

}  // namespace patchnas
