#pragma once

// Linear models of operators' costs, fitted by least squares of relative errors. Inside the module
// only: latency_predictor.h and operator_choice.h are for others.

#include <utility>
#include <vector>

#include <Eigen/Dense>

#include "latency_models/operators.h"

namespace patchnas {

/// Macs and bytes: roughly what an operator costs, up to a factor.
double work_of(const OperatorKey& key);

/// The operators that one model is fitted to: the fewer they are, the more alike.
enum class FitScope {
  kWindow,  ///< one kernel and window, and the same loops of the kernel
  kLoops,   ///< one kernel, and the same loops of it
  kKernel
};
inline constexpr FitScope kFitScopes[] = {FitScope::kWindow, FitScope::kLoops, FitScope::kKernel};

/// Equal for operators that one model is fitted to, different for all others of the same scope.
struct FitGroup {
  OperatorFamily window;  ///< without channels; in scopes beyond kWindow without window
  int loops = 0;          ///< which of the kernel's run; 0 in scope kKernel
  auto operator<=>(const FitGroup&) const = default;
};
FitGroup fit_group(const OperatorKey& key, FitScope scope);

/// What kernels' loops repeat; equally many for all operators of a group.
std::vector<double> features_of(const OperatorKey& key, FitScope scope);

/// How well a model is determined: the inverse of features' second moments.
class FitInformation {
 public:
  FitInformation() = default;
  /// @param scale of each feature, by which it is divided unless that is 0
  explicit FitInformation(const Eigen::VectorXd& scale);

  /// Takes account of one more operator, its features divided by its cost.
  void add(const Eigen::VectorXd& relative_features);
  /// Variance of the relative error of a prediction, in multiples of that of one measurement: near
  /// 1 / operators for one amid many, large where nothing like it was measured.
  [[nodiscard]] double leverage(const Eigen::VectorXd& relative_features) const;

 private:
  Eigen::VectorXd scale_;
  Eigen::MatrixXd inverse_;
};

/// features_of() divided by `cost`.
Eigen::VectorXd relative_features(const OperatorKey& key, FitScope scope, double cost);

class OperatorFit {
 public:
  using Sample = std::pair<OperatorKey, double>;  ///< with its cost

  /// All of one group of that scope; at least one.
  OperatorFit(const std::vector<Sample>& samples, FitScope scope);

  [[nodiscard]] double predict(const OperatorKey& key) const;
  [[nodiscard]] double leverage(const OperatorKey& key, double cost) const {
    return information_.leverage(relative_features(key, scope_, cost));
  }

 private:
  FitScope scope_;
  double cost_of_work_ = 0.0;
  Eigen::VectorXd coefficients_;  // of what work alone does not explain
  FitInformation information_;
};

}  // namespace patchnas
