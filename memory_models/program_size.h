#pragma once

// What the generated NAME.c of a package takes in flash: memory_models/program_size.yaml, built in.
// It is measured as the sum of its parts, over compiled programs of random networks.
//
//   const ProgramParts parts = program_parts(network, plan);
//   const std::int64_t bytes = measured_program_sizes().bytes(Core::kCortexM4, parts);

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "arch/execution_plan.h"
#include "arch/network.h"
#include "memory_models/code_size_table.h"

namespace patchnas {

enum class ProgramPart {
  kResidentProgram,  ///< NAME_invoke and the other functions of the interface, without their calls
  kStreamedProgram,
  kPatchLoops,  ///< of one segment
  // A layer's call with its windows. Calls of a sort differ less than programs do.
  kConvolution,  ///< pointwise and depthwise ones too
  kPool,
  kAdd,
  kFullyConnected,
  kSoftmax,
  // More for each of these whose output has other extents than its input: a rectangle that the
  // program has not written down yet.
  kNewExtents,
  // The same where its rectangle changes from patch to patch. A fully connected layer reads
  // everything, so there are no patches of it.
  kConvolutionPatch,
  kPoolPatch,
  kAddPatch,
  kSoftmaxPatch,
  kStepLoops,  ///< of one segment that caches rows
  // A call where it adds a few rows.
  kConvolutionStep,
  kPoolStep,
  kAddStep,
  kSoftmaxStep,
  kFullyConnectedStep,
  kSum,   ///< of a pooling whose input comes in parts
  kSlide  ///< of one tensor's kept rows
};
inline constexpr int kProgramParts = static_cast<int>(ProgramPart::kSlide) + 1;

/// Its key in the table: "resident_program", "convolution", "convolution_patch", …
std::string_view to_string(ProgramPart part);

enum class CallForm { kWhole, kPatch, kStep };
/// With a single tile all rectangles are constants: the compiler leaves no loops and no tables.
CallForm call_form(const Loop& loop);

ProgramPart program_part(InputMode input);

/// How often each part occurs.
struct ProgramParts {
  std::array<int, kProgramParts> counts{};

  void add(ProgramPart part) { ++counts[static_cast<std::size_t>(part)]; }
  [[nodiscard]] int count(ProgramPart part) const { return counts[static_cast<std::size_t>(part)]; }
  auto operator<=>(const ProgramParts&) const = default;
};

/// Of the program that executes the plan.
ProgramParts program_parts(const Network& network, const ExecutionPlan& plan);

class ProgramSizeTable {
 public:
  /// Reads what scripts/measure_program_size writes.
  /// @throws InputError if a core or a part is missing, or a size is no number of bytes.
  static ProgramSizeTable parse(std::string_view yaml, const std::string& source);

  [[nodiscard]] std::int64_t bytes(Core core, ProgramPart part) const {
    return bytes_[static_cast<std::size_t>(core)][static_cast<std::size_t>(part)];
  }
  [[nodiscard]] std::int64_t bytes(Core core, const ProgramParts& parts) const;
  /// Of one layer's call, of this kernel.
  [[nodiscard]] std::int64_t call_bytes(Core core, const Network& network, int layer,
                                        KernelFunction kernel, CallForm form) const;

 private:
  std::array<std::array<std::int64_t, kProgramParts>, std::size(kCores)> bytes_{};
};

/// The table that this program was built with.
const ProgramSizeTable& measured_program_sizes();

}  // namespace patchnas
