#include "supernet/loss.h"

#include <algorithm>
#include <cmath>

namespace patchnas {

Loss smoothed_cross_entropy(std::span<const float> logits, std::span<const std::int32_t> labels,
                            double smoothing) {
  const std::size_t images = labels.size();
  const std::size_t classes = logits.size() / images;
  Loss loss;
  loss.gradient.reserve(logits.size());
  for (std::size_t i = 0; i < images; ++i) {
    const std::span<const float> row = logits.subspan(i * classes, classes);
    const auto best = std::max_element(row.begin(), row.end());
    loss.correct += best - row.begin() == labels[i] ? 1 : 0;
    double sum = 0.0;
    for (const float logit : row) {
      sum += std::exp(double{logit} - double{*best});
    }
    const double log_sum = double{*best} + std::log(sum);
    for (std::size_t c = 0; c < classes; ++c) {
      const double target = smoothing / static_cast<double>(classes) +
                            (static_cast<std::int32_t>(c) == labels[i] ? 1.0 - smoothing : 0.0);
      loss.mean -= target * (row[c] - log_sum) / static_cast<double>(images);
      loss.gradient.push_back(
          static_cast<float>((std::exp(row[c] - log_sum) - target) / static_cast<double>(images)));
    }
  }
  return loss;
}

}  // namespace patchnas
