#pragma once

// What operators cost that were not measured: linear models, fitted to those that were.
//
//   const LatencyPredictor predictor(table.measurements);
//   const double cost = predictor.predict(key);

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "latency_models/latency_table.h"

namespace patchnas {

/// How well operators were predicted that the fit had not seen.
struct PredictionError {
  std::string kernel;  ///< "depthwise"
  int measured = 0;    ///< operators
  double mean = 0.0;   ///< of |predicted - measured| / measured, 5-fold cross-validation
  double worst = 0.0;
};

class LatencyPredictor {
 public:
  /// @throws InputError if there is no measurement.
  explicit LatencyPredictor(const std::map<OperatorKey, Measurement>& measurements);
  ~LatencyPredictor();
  LatencyPredictor(LatencyPredictor&&) noexcept;
  LatencyPredictor& operator=(LatencyPredictor&&) noexcept;

  /// In the unit of the measurements; positive. A kernel that was never measured costs as much per
  /// multiply-accumulate and byte moved as all measured ones together.
  [[nodiscard]] double predict(const OperatorKey& key) const;

  /// How far the operator lies from those that its prediction was fitted to: the variance of the
  /// prediction's relative error in multiples of that of one measurement. Infinite for a kernel
  /// that was never measured.
  [[nodiscard]] double leverage(const OperatorKey& key) const;

  /// Of each kernel that was measured.
  [[nodiscard]] std::vector<PredictionError> held_out_errors() const;

 private:
  class Fits;
  std::unique_ptr<Fits> fits_;
};

}  // namespace patchnas
