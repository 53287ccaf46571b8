#pragma once

// Cross-entropy against probabilities: those of labels, smoothed, or another network's answers.
// Everything stays on the device of the logits: nothing here waits for it.
//
//   const at::Tensor targets = smoothed_labels(labels, classes, 0.1);
//   const Loss loss = cross_entropy(logits, targets);
//   logits.backward(loss.gradient);

#include <ATen/core/Tensor.h>

namespace patchnas {

struct Loss {
  at::Tensor mean;      ///< [], double
  at::Tensor gradient;  ///< of the mean, [N, classes], of the logits' type
};

/// 1 - smoothing for the label plus smoothing / classes for every class (Szegedy et al., 2016).
/// @param labels [N] whole numbers @return [N, classes], double
at::Tensor smoothed_labels(const at::Tensor& labels, int classes, double smoothing);

/// What a teacher's logits say of every class: its soft labels (Hinton et al., 2015, at temperature
/// 1). @param logits [N, classes] @return [N, classes], double
at::Tensor soft_labels(const at::Tensor& logits);

/// Mean over the images. Linear in the targets: the loss of mixed targets is the mixture of the
/// losses. @param logits [N, classes] @param targets [N, classes], each row adding up to 1
Loss cross_entropy(const at::Tensor& logits, const at::Tensor& targets);

/// How many images have their label as the largest logit. @return [], whole number
at::Tensor count_correct(const at::Tensor& logits, const at::Tensor& labels);

}  // namespace patchnas
