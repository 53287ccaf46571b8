#include "latency_models/operator_choice.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <queue>
#include <set>
#include <utility>

#include "latency_models/latency_predictor.h"
#include "latency_models/operator_fit.h"

namespace patchnas {
namespace {

constexpr FitScope kScope = FitScope::kWindow;

// Leverages of candidates, largest first, each in the fit to its group.
class Leverages {
 public:
  Leverages(const std::map<OperatorKey, double>& candidates,
            const std::map<OperatorKey, Measurement>& measured) {
    if (!measured.empty()) {
      predictor_ = std::make_unique<LatencyPredictor>(measured);
    }
    std::map<FitGroup, std::pair<Eigen::VectorXd, int>> squares;
    const auto add_square = [&](const OperatorKey& key) {
      const Eigen::VectorXd square = features(key).cwiseAbs2();
      auto& [sum, operators] = squares[fit_group(key, kScope)];
      sum = operators == 0 ? square : Eigen::VectorXd(sum + square);
      ++operators;
    };
    for (const auto& [key, weight] : candidates) {
      add_square(key);
    }
    for (const auto& [key, measurement] : measured) {
      add_square(key);
    }
    for (const auto& [group, square] : squares) {
      const auto& [sum, operators] = square;
      informations_.emplace(group, FitInformation((sum / operators).cwiseSqrt()));
    }
    for (const auto& [key, measurement] : measured) {
      add(key);
    }
    for (const auto& [key, weight] : candidates) {
      if (!measured.contains(key)) {
        queue_.push({leverage(key), &key});
      }
    }
  }

  /// Takes account of one more measurement.
  void add(const OperatorKey& key) { informations_.at(fit_group(key, kScope)).add(features(key)); }

  /// The candidate of the largest leverage, which it then is no longer; null after the last.
  const OperatorKey* next() {
    // Leverages only ever shrink, so one that is still the largest when it is known is the largest.
    while (!queue_.empty()) {
      const Entry entry = queue_.top();
      queue_.pop();
      const double now = leverage(*entry.second);
      if (queue_.empty() || now >= queue_.top().first) {
        return entry.second;
      }
      queue_.push({now, entry.second});
    }
    return nullptr;
  }

 private:
  using Entry = std::pair<double, const OperatorKey*>;
  struct IsLess {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.first != b.first ? a.first < b.first : *b.second < *a.second;
    }
  };

  [[nodiscard]] Eigen::VectorXd features(const OperatorKey& key) const {
    return relative_features(key, kScope, predictor_ ? predictor_->predict(key) : work_of(key));
  }

  [[nodiscard]] double leverage(const OperatorKey& key) const {
    return informations_.at(fit_group(key, kScope)).leverage(features(key));
  }

  std::unique_ptr<LatencyPredictor> predictor_;  // null where nothing was measured
  std::map<FitGroup, FitInformation> informations_;
  std::priority_queue<Entry, std::vector<Entry>, IsLess> queue_;
};

}  // namespace

std::vector<OperatorKey> choose_operators(const std::map<OperatorKey, double>& candidates,
                                          const std::map<OperatorKey, Measurement>& measured,
                                          std::size_t count) {
  std::vector<std::pair<double, OperatorKey>> by_weight;
  for (const auto& [key, weight] : candidates) {
    if (!measured.contains(key)) {
      by_weight.emplace_back(-weight, key);
    }
  }
  std::sort(by_weight.begin(), by_weight.end());
  Leverages leverages(candidates, measured);
  std::vector<OperatorKey> chosen;
  std::set<OperatorKey> is_chosen;
  const auto choose = [&](const OperatorKey& key) {
    if (is_chosen.insert(key).second) {
      chosen.push_back(key);
      leverages.add(key);
      return true;
    }
    return false;
  };
  auto heaviest = by_weight.begin();
  while (chosen.size() < std::min(count, by_weight.size())) {
    while (heaviest != by_weight.end() && !choose((heaviest++)->second)) {
    }
    const OperatorKey* open = nullptr;
    while (chosen.size() < count && (open = leverages.next()) != nullptr && !choose(*open)) {
    }
  }
  return chosen;
}

}  // namespace patchnas
