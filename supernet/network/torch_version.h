#pragma once

// What differs between LibTorch 1.13 and 2.x.

#include <ATen/autocast_mode.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/relu.h>
#include <c10/core/DeviceType.h>
#include <torch/version.h>

namespace patchnas {

/// LibTorch's operators in a shorter floating-point type where that is safe, for as long as this
/// lives: float16 on CUDA, bfloat16 on the CPU. Backward passes belong outside.
class AutocastScope {
 public:
  explicit AutocastScope(c10::DeviceType device) : device_(device), was_enabled_(is_enabled()) {
    set_enabled(true);
    set_type(device == c10::kCPU ? at::kBFloat16 : at::kHalf);
    at::autocast::increment_nesting();
  }
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;
  ~AutocastScope() {
    if (at::autocast::decrement_nesting() == 0) {
      at::autocast::clear_cache();  // of weights that the next step changes
    }
    set_enabled(was_enabled_);
  }

 private:
  // Since 2.4 the functions take the device; before, each device had its own.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  [[nodiscard]] bool is_enabled() const { return at::autocast::is_autocast_enabled(device_); }
  void set_enabled(bool enabled) const { at::autocast::set_autocast_enabled(device_, enabled); }
  void set_type(at::ScalarType type) const { at::autocast::set_autocast_dtype(device_, type); }
#else
  [[nodiscard]] bool is_enabled() const {
    return device_ == c10::kCPU ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
  }
  void set_enabled(bool enabled) const {
    device_ == c10::kCPU ? at::autocast::set_cpu_enabled(enabled)
                         : at::autocast::set_enabled(enabled);
  }
  void set_type(at::ScalarType type) const {
    device_ == c10::kCPU ? at::autocast::set_autocast_cpu_dtype(type)
                         : at::autocast::set_autocast_gpu_dtype(type);
  }
#endif

  c10::DeviceType device_;
  bool was_enabled_;
};

/// In place where it can be: 1.13 lacks hardtanh's backward pass for bfloat16 on the CPU.
inline at::Tensor relu6(at::Tensor x) {
  return x.scalar_type() == at::kBFloat16 ? at::clamp_max(at::relu(x), 6.0)
                                          : at::hardtanh_(x, 0.0, 6.0);
}

}  // namespace patchnas
