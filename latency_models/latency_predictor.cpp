#include "latency_models/latency_predictor.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <Eigen/Dense>

#include "arch/error.h"

namespace patchnas {
namespace {

constexpr int kFolds = 5;
constexpr double kRidge = 1e-6;

// Features are what kernels' loops repeat: pixels, rows, channels and their products, also rounded
// up to what is computed together (4 pixels, 4 output channels, 4 or 16 terms).
std::vector<double> features_of(const OperatorKey& key) {
  const OperatorFamily& f = key.family;
  const auto rounded = [](double value, double unit) { return std::ceil(value / unit) * unit; };
  const double rows = key.rows.output;
  const double cols = key.cols.output;
  const double pixels = rows * cols;
  const double input_pixels = static_cast<double>(key.rows.input) * key.cols.input;
  const double in = f.input_channels;
  const double out = f.output_channels;
  const double taps = static_cast<double>(f.kernel_h) * f.kernel_w;
  const double pixels2 = rows * rounded(cols, 2);
  const double pixels4 = rows * rounded(cols, 4);
  switch (f.kernel) {
    case KernelFunction::kConvolve:
    case KernelFunction::kPointwise: {
      const double terms = taps * in;
      const double outside_rows = key.rows.pad + key.rows.pad_after(f.kernel_h, f.stride_h);
      const double outside_cols = key.cols.pad + key.cols.pad_after(f.kernel_w, f.stride_w);
      return {1.0,
              rows,
              pixels,
              out,
              rows * out,
              pixels * in,
              pixels * terms,
              pixels * out,
              pixels2 * out,
              pixels4 * out,
              pixels * out * terms,
              pixels2 * out * rounded(terms, 4),
              pixels4 * out * rounded(terms, 4),
              pixels * rounded(out, 4) * rounded(terms, 16),
              outside_rows * cols * out,
              outside_cols * rows * out,
              outside_cols * rows * out * terms};
    }
    case KernelFunction::kDepthwise:
    case KernelFunction::kDepthwiseInPlace: {
      const double plane =
          ((rows - 1) * f.stride_h + f.kernel_h) * ((cols - 1) * f.stride_w + f.kernel_w);
      return {1.0,
              out,
              out * rows,
              out * pixels,
              out * pixels2,
              out * pixels4,
              out * input_pixels,
              out * plane,
              out * key.rows.input,
              out * taps,
              out * pixels * taps,
              out * pixels4 * taps,
              out * rows * taps};
    }
    case KernelFunction::kFullyConnected:
      return {1.0, out, in * out, rounded(in, 4) * out, rounded(out, 4) * rounded(in, 16)};
    default:
      return {1.0,
              rows,
              pixels,
              out,
              pixels * out,
              rows * rounded(cols * out, 4),
              input_pixels * out,
              input_pixels * rounded(out, 4)};
  }
}

// Least squares of relative errors.
class Fit {
 public:
  using Sample = std::pair<OperatorKey, double>;

  explicit Fit(const std::vector<Sample>& samples) {
    const auto columns = static_cast<Eigen::Index>(features_of(samples.front().first).size());
    const auto rows = static_cast<Eigen::Index>(samples.size());
    Eigen::MatrixXd a = Eigen::MatrixXd::Zero(rows + columns, columns);
    Eigen::VectorXd b = Eigen::VectorXd::Zero(rows + columns);
    for (Eigen::Index i = 0; i < rows; ++i) {
      const auto& [key, cost] = samples[static_cast<std::size_t>(i)];
      const std::vector<double> features = features_of(key);
      a.row(i) = Eigen::Map<const Eigen::RowVectorXd>(features.data(), columns) / cost;
      b(i) = 1.0;
    }
    const Eigen::VectorXd scale = a.colwise().norm().cwiseMax(1e-300);
    for (Eigen::Index c = 0; c < columns; ++c) {
      a.col(c) /= scale(c);
      a(rows + c, c) = kRidge;
    }
    coefficients_ = a.colPivHouseholderQr().solve(b).cwiseQuotient(scale);
  }

  [[nodiscard]] double predict(const OperatorKey& key) const {
    const std::vector<double> features = features_of(key);
    return coefficients_.dot(
        Eigen::Map<const Eigen::VectorXd>(features.data(), coefficients_.size()));
  }

 private:
  Eigen::VectorXd coefficients_;
};

// Kernels have loops of their own for each window.
OperatorFamily window_of(const OperatorFamily& family) {
  OperatorFamily window = family;
  window.input_channels = window.output_channels = 0;
  return window;
}

double work(const OperatorKey& key) {
  return static_cast<double>(key.macs()) + static_cast<double>(key.bytes_moved());
}

}  // namespace

class LatencyPredictor::Fits {
 public:
  using Sample = Fit::Sample;

  explicit Fits(std::vector<Sample> samples) : samples_(std::move(samples)) {
    std::map<OperatorFamily, std::vector<Sample>> by_window;
    std::map<KernelFunction, std::vector<Sample>> by_kernel;
    double cost = 0.0;
    double all_work = 0.0;
    for (const Sample& sample : samples_) {
      by_window[window_of(sample.first.family)].push_back(sample);
      by_kernel[sample.first.family.kernel].push_back(sample);
      cost += sample.second;
      all_work += work(sample.first);
    }
    cost_of_work_ = cost / all_work;
    for (const auto& [window, of_window] : by_window) {
      if (of_window.size() >= 2 * features_of(of_window.front().first).size()) {
        windows_.emplace(window, Fit(of_window));
      }
    }
    for (const auto& [kernel, of_kernel] : by_kernel) {
      kernels_.emplace(kernel, Fit(of_kernel));
    }
  }

  [[nodiscard]] double predict(const OperatorKey& key) const {
    const double floor = 0.05 * cost_of_work_ * work(key);  // where a fit is far from its samples
    if (const auto fit = windows_.find(window_of(key.family)); fit != windows_.end()) {
      return std::max(floor, fit->second.predict(key));
    }
    if (const auto fit = kernels_.find(key.family.kernel); fit != kernels_.end()) {
      return std::max(floor, fit->second.predict(key));
    }
    return cost_of_work_ * work(key);
  }

  [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }

 private:
  std::vector<Sample> samples_;
  double cost_of_work_ = 0.0;
  std::map<OperatorFamily, Fit> windows_;
  std::map<KernelFunction, Fit> kernels_;
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
