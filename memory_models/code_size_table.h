#pragma once

// How much flash the kernels of runtime/ take: runtime/code_size.yaml, built in.
//
//   const KernelSet kernels{KernelFunction::kConvolve, KernelFunction::kAdd};
//   const std::int64_t bytes = measured_code_sizes().code_bytes(Core::kCortexM4, kernels);

#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "arch/operator_table.h"

namespace patchnas {

/// The processors that code sizes are measured for.
enum class Core { kCortexM4, kCortexM7, kCortexM55 };
inline constexpr Core kCores[] = {Core::kCortexM4, Core::kCortexM7, Core::kCortexM55};

/// "cortex-m4", …
std::string_view to_string(Core core);

class KernelSet {
 public:
  KernelSet() = default;
  KernelSet(std::initializer_list<KernelFunction> kernels) {
    for (const KernelFunction kernel : kernels) {
      insert(kernel);
    }
  }
  void insert(KernelFunction kernel) { bits_ |= bit(kernel); }
  void insert(const KernelSet& kernels) { bits_ |= kernels.bits_; }
  [[nodiscard]] bool contains(KernelFunction kernel) const { return (bits_ & bit(kernel)) != 0; }
  [[nodiscard]] bool intersects(const KernelSet& other) const { return (bits_ & other.bits_) != 0; }
  auto operator<=>(const KernelSet&) const = default;

 private:
  static constexpr std::uint32_t bit(KernelFunction kernel) {
    return std::uint32_t{1} << static_cast<unsigned>(kernel);
  }
  std::uint32_t bits_ = 0;
};

class CodeSizeTable {
 public:
  /// Reads what scripts/measure_code_size writes.
  /// @throws InputError if a core or a kernel is missing, or a size is no number of bytes.
  static CodeSizeTable parse(std::string_view yaml, const std::string& source);

  /// Code and constants of one kernel, with what no other kernel needs.
  [[nodiscard]] std::int64_t kernel_bytes(Core core, KernelFunction kernel) const;
  /// Code and constants of all `kernels`; what several of them share counts once.
  [[nodiscard]] std::int64_t code_bytes(Core core, const KernelSet& kernels) const;

  /// Of the sources of runtime/ and the flags that were measured: the version of the kernels.
  [[nodiscard]] const std::string& sources() const { return sources_; }

  /// Of the struct in which a program holds it.
  [[nodiscard]] std::int64_t struct_bytes(KernelConstant constant) const {
    return struct_bytes_[static_cast<std::size_t>(constant)];
  }

 private:
  struct SharedCode {
    KernelSet kernels;
    std::int64_t bytes = 0;
  };
  struct CoreSizes {
    std::array<std::int64_t, kKernels.size()> kernels{};
    std::vector<SharedCode> shared;
  };

  [[nodiscard]] const CoreSizes& sizes(Core core) const {
    return cores_[static_cast<std::size_t>(core)];
  }

  std::string sources_;
  std::array<CoreSizes, std::size(kCores)> cores_;
  std::array<std::int64_t, kKernelConstants.size()> struct_bytes_{};
};

/// The table of the runtime that this program was built with.
const CodeSizeTable& measured_code_sizes();

}  // namespace patchnas
