#include "latency_models/latency_predictor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "arch/base/error.h"
#include "latency_models/operator_fit.h"

namespace patchnas {
namespace {

constexpr int kFolds = 5;
}  // namespace

class LatencyPredictor::Fits {
 public:
  using Sample = OperatorFit::Sample;

  explicit Fits(std::vector<Sample> samples) : samples_(std::move(samples)) {
    double cost = 0.0;
    double work = 0.0;
    for (const Sample& sample : samples_) {
      cost += sample.second;
      work += work_of(sample.first);
    }
    cost_of_work_ = cost / work;
    for (const FitScope scope : kFitScopes) {
      std::map<FitGroup, std::vector<Sample>> groups;
      for (const Sample& sample : samples_) {
        groups[fit_group(sample.first, scope)].push_back(sample);
      }
      for (const auto& [group, of_group] : groups) {
        const std::size_t features = features_of(of_group.front().first, scope).size();
        if (scope == FitScope::kKernel || 2 * of_group.size() >= features) {
          fits_[scope].emplace(group, OperatorFit(of_group, scope));
        }
      }
    }
  }

  /// Of the narrowest scope that has one; null for a kernel that was never measured.
  [[nodiscard]] const OperatorFit* fit_for(const OperatorKey& key) const {
    for (const auto& [scope, groups] : fits_) {
      if (const auto fit = groups.find(fit_group(key, scope)); fit != groups.end()) {
        return &fit->second;
      }
    }
    return nullptr;
  }

  [[nodiscard]] double predict(const OperatorKey& key) const {
    const double by_work = cost_of_work_ * work_of(key);
    const OperatorFit* const fit = fit_for(key);
    // A fit may be far from its samples.
    return fit == nullptr ? by_work : std::max(0.05 * by_work, fit->predict(key));
  }

  [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }

 private:
  std::vector<Sample> samples_;
  double cost_of_work_ = 0.0;
  std::map<FitScope, std::map<FitGroup, OperatorFit>> fits_;  // narrow scopes first
};

LatencyPredictor::LatencyPredictor(const std::map<OperatorKey, Measurement>& measurements) {
  if (measurements.empty()) {
    throw InputError("the latency table has no operators");
  }
  std::vector<Fits::Sample> samples;
  for (const auto& [key, measurement] : measurements) {
    samples.emplace_back(key, static_cast<double>(measurement.cost));
  }
  fits_ = std::make_unique<Fits>(std::move(samples));
}

LatencyPredictor::~LatencyPredictor() = default;
LatencyPredictor::LatencyPredictor(LatencyPredictor&&) noexcept = default;
LatencyPredictor& LatencyPredictor::operator=(LatencyPredictor&&) noexcept = default;

double LatencyPredictor::predict(const OperatorKey& key) const { return fits_->predict(key); }

double LatencyPredictor::leverage(const OperatorKey& key) const {
  const OperatorFit* const fit = fits_->fit_for(key);
  return fit == nullptr ? std::numeric_limits<double>::infinity()
                        : fit->leverage(key, fits_->predict(key));
}

std::vector<PredictionError> LatencyPredictor::held_out_errors() const {
  std::map<KernelFunction, PredictionError> errors;
  const auto& samples = fits_->samples();
  for (std::size_t fold = 0; fold < kFolds && samples.size() > kFolds; ++fold) {
    std::vector<Fits::Sample> seen;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (i % kFolds != fold) {
        seen.push_back(samples[i]);
      }
    }
    const Fits fits(std::move(seen));
    for (std::size_t i = fold; i < samples.size(); i += kFolds) {
      const auto& [key, cost] = samples[i];
      const double error = std::abs(fits.predict(key) - cost) / cost;
      PredictionError& of_kernel = errors[key.family.kernel];
      ++of_kernel.measured;
      of_kernel.mean += error;
      of_kernel.worst = std::max(of_kernel.worst, error);
    }
  }
  std::vector<PredictionError> result;
  for (auto& [kernel, error] : errors) {
    error.kernel = to_string(kernel).substr(std::string_view("patchnas_").size());
    error.mean /= error.measured;
    result.push_back(error);
  }
  return result;
}

}  // namespace patchnas
