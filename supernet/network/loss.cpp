#include "supernet/network/loss.h"

#include <torch/torch.h>

namespace patchnas {

at::Tensor smoothed_labels(const at::Tensor& labels, int classes, double smoothing) {
  at::Tensor targets =
      at::full({labels.size(0), classes}, smoothing / classes, labels.options().dtype(at::kDouble));
  const at::Tensor column = labels.to(at::kLong).unsqueeze(1);
  return targets.scatter_add_(1, column, at::full_like(column, 1.0 - smoothing, at::kDouble));
}

at::Tensor soft_labels(const at::Tensor& logits) {
  return at::softmax(logits.detach(), 1, at::kDouble);
}

Loss cross_entropy(const at::Tensor& logits, const at::Tensor& targets) {
  const at::Tensor log_probabilities = at::log_softmax(logits.detach(), 1, at::kDouble);
  const auto images = static_cast<double>(logits.size(0));
  return {.mean = (targets * log_probabilities).sum().div(-images),
          .gradient = (log_probabilities.exp() - targets).div(images).to(logits.scalar_type())};
}

at::Tensor count_correct(const at::Tensor& logits, const at::Tensor& labels) {
  return logits.detach().argmax(1).eq(labels).sum();
}

}  // namespace patchnas
