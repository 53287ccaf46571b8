#include "latency_models/operator_fit.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace patchnas {
namespace {

// Of columns of length 1, where features say the same.
constexpr double kRidge = 1e-5;
// Larger, since rank-one updates of an inverse lose as many digits as it shrinks by.
constexpr double kInformationRidge = 1e-3;

double ceil_div(double value, double unit) { return std::ceil(value / unit); }
double remains(double value, double unit) { return std::fmod(value, unit) != 0.0 ? 1.0 : 0.0; }

bool multiplies_matrices(KernelFunction kernel) {
  return kernel == KernelFunction::kConvolve || kernel == KernelFunction::kPointwise;
}

double terms_of(const OperatorFamily& f) {
  return static_cast<double>(f.kernel_h) * f.kernel_w * f.input_channels;
}

// Windows along one axis.
struct AxisTaps {
  double outputs = 0.0;
  double whole = 0.0;   // windows that lie inside the image
  double inside = 0.0;  // taps inside it, of all windows
  double before = 0.0;  // taps before it
};

AxisTaps taps_of(const OperatorAxis& axis, int kernel, int stride) {
  AxisTaps taps{
      .outputs = static_cast<double>(axis.output), .whole = 0.0, .inside = 0.0, .before = 0.0};
  for (int i = 0; i < axis.output; ++i) {
    const std::int64_t begin = std::int64_t{i} * stride - axis.pad;
    const std::int64_t end = std::min<std::int64_t>(begin + kernel, axis.input);
    const auto inside = static_cast<double>(end - std::max<std::int64_t>(begin, 0));
    taps.inside += inside;
    taps.before += static_cast<double>(std::max<std::int64_t>(-begin, 0));
    taps.whole += inside == kernel ? 1.0 : 0.0;
  }
  return taps;
}

// Pixels of a row are computed piece by piece, and three at a time, on Helium, which gathers what
// windows of few terms read in 256 bytes.
struct Pieces {
  double count = 0.0;
  double threes = 0.0;
};

Pieces pieces_of_row(const OperatorKey& key) {
  const int cols = key.cols.output;
  const double terms = terms_of(key.family);
  const bool gathers = key.family.kernel == KernelFunction::kConvolve && terms <= 64;
  const int length = gathers ? static_cast<int>(256 / terms) : cols;
  const int rest = cols % length;
  return {.count = ceil_div(cols, length),
          .threes = static_cast<double>(cols / length * (length / 3) + rest / 3)};
}

// Three or four pixels, 4 or 16 output channels and 4, 16 or 32 terms are computed together.
std::vector<double> matrix_features(const OperatorKey& key) {
  const OperatorFamily& f = key.family;
  const double rows = key.rows.output;
  const double pixels = rows * key.cols.output;
  const double fours = ceil_div(pixels, 4);
  const double out = f.output_channels;
  const double out4 = ceil_div(out, 4);
  const double out16 = ceil_div(out, 16);
  const double terms = terms_of(f);
  const double words = ceil_div(terms, 4);
  const double blocks = ceil_div(terms, 32);
  const double steps = ceil_div(terms, 16);
  const Pieces pieces = pieces_of_row(key);
  const double threes = rows * pieces.threes * out4;
  const double beyond_threes = pixels * out4 - 3 * threes;
  std::vector<double> features{1.0,
                               rows,
                               pixels,
                               fours,
                               out,
                               rows * out4,
                               fours * words,
                               fours * remains(terms, 4),
                               fours * out16,
                               fours * out16 * blocks,
                               fours * out16 * words,
                               fours * out16 * remains(terms, 4),
                               fours * out,
                               fours * out * blocks,
                               fours * out * words,
                               out4,
                               pixels * out4,
                               pixels * out4 * steps,
                               pixels * out4 * remains(terms, 16),
                               threes,
                               threes * steps,
                               beyond_threes,
                               beyond_threes * steps,
                               pixels * out,
                               pixels * out * terms};
  if (f.kernel == KernelFunction::kConvolve) {
    const AxisTaps row_taps = taps_of(key.rows, f.kernel_h, f.stride_h);
    const AxisTaps col_taps = taps_of(key.cols, f.kernel_w, f.stride_w);
    const double clipped = pixels - row_taps.whole * col_taps.whole;
    const double inside = row_taps.inside * col_taps.inside * f.input_channels;
    const double clipped_cols = rows * (col_taps.outputs - col_taps.whole);
    for (const double feature :
         {rows * pieces.count, rows * pieces.count * out4, clipped, clipped * out4, inside,
          inside * out4, row_taps.inside * col_taps.outputs,
          row_taps.inside * col_taps.outputs * out4, clipped_cols, clipped_cols * out4}) {
      features.push_back(feature);
    }
  }
  return features;
}

// Vectors of 16 bytes of a plane that hold all rows of a window.
double vectors_of_window(const OperatorFamily& f, double plane_cols) {
  double vectors = 0.0;
  for (int row = f.kernel_h - 1; row >= 0; vectors += 1.0) {
    const double start = std::max(0.0, row * plane_cols + f.kernel_w - 16);
    do {
      --row;
    } while (row >= 0 && row * plane_cols >= start);
  }
  return vectors;
}

// A channel's plane is copied, then its outputs are computed: two or four of a row or four of a
// column together, or window by window into a buffer of 48 sums.
std::vector<double> depthwise_features(const OperatorKey& key) {
  const OperatorFamily& f = key.family;
  const double rows = key.rows.output;
  const double cols = key.cols.output;
  const double in_rows = key.rows.input;
  const double in_cols = key.cols.input;
  const double plane_rows = (rows - 1) * f.stride_h + f.kernel_h;
  const double plane_cols = (cols - 1) * f.stride_w + f.kernel_w;
  const double channels = f.output_channels;
  const double is_narrow = cols < 4 ? 1.0 : 0.0;
  const double strips = ceil_div(rows, 4);
  const double buffers = ceil_div(rows, std::max(1.0, std::floor(48 / cols)));
  const double vectors = vectors_of_window(f, plane_cols);
  return {1.0,
          ceil_div(channels, 4),
          strips,
          channels * strips,
          channels * strips * cols,
          channels * strips * in_cols,
          channels * buffers,
          channels * ceil_div(rows * cols, 4),
          channels * vectors,
          channels * rows * vectors,
          channels * rows * cols * vectors,
          channels * in_rows * ceil_div(in_cols, 8),
          plane_rows,
          in_rows,
          plane_rows * plane_cols,
          in_rows * in_cols,
          channels,
          channels * is_narrow,
          channels * in_rows,
          channels * in_rows * in_cols,
          channels * in_rows * std::floor(in_cols / 4),
          channels * in_rows * remains(in_cols, 4),
          channels * rows,
          channels * rows * is_narrow,
          channels * rows * cols,
          channels * rows * ceil_div(cols, 2),
          channels * rows * ceil_div(cols, 4),
          channels * rows * remains(cols, 2),
          channels * rows * remains(cols, 4)};
}

std::vector<double> other_features(const OperatorKey& key) {
  const double rows = key.rows.output;
  const double cols = key.cols.output;
  const double in = key.family.input_channels;
  const double out = key.family.output_channels;
  if (key.family.kernel == KernelFunction::kFullyConnected) {
    return {1.0, out, in * out, ceil_div(in, 4) * out, ceil_div(out, 4) * ceil_div(in, 16)};
  }
  if (key.family.kernel == KernelFunction::kSumProducts) {
    const double terms = cols * in;
    return {1.0,
            rows,
            rows * out,
            rows * ceil_div(out, 4),
            rows * out * terms,
            rows * out * ceil_div(terms, 4),
            rows * ceil_div(out, 4) * ceil_div(terms, 16)};
  }
  const double input_pixels = static_cast<double>(key.rows.input) * key.cols.input;
  std::vector<double> features{1.0,
                               rows,
                               rows * cols,
                               out,
                               rows * cols * out,
                               rows * ceil_div(cols * out, 4),
                               input_pixels * out,
                               input_pixels * ceil_div(out, 4)};
  if (kernel_facts(key.family.kernel).slides() && key.macs() > 0) {
    // Of convolutions in groups and transposed ones, which gather what they read and multiply
    // matrices.
    const double terms = terms_of(key.family);
    for (const double feature :
         {rows * cols * terms, rows * cols * ceil_div(terms, 16), rows * cols * out * terms,
          rows * cols * out * ceil_div(terms, 4), ceil_div(rows * cols, 4) * out * terms}) {
      features.push_back(feature);
    }
  }
  return features;
}

std::vector<double> features_of_window(const OperatorKey& key) {
  switch (key.family.kernel) {
    case KernelFunction::kConvolve:
    case KernelFunction::kPointwise:
      return matrix_features(key);
    case KernelFunction::kDepthwise:
      return depthwise_features(key);
    default:
      return other_features(key);
  }
}

// Which of a kernel's loops run.
int loops_of(const OperatorKey& key) {
  const OperatorFamily& f = key.family;
  if (multiplies_matrices(f.kernel)) {
    // Up to 16 terms stay in registers on Helium, up to 48 on the stack with DSP instructions.
    const double terms = terms_of(f);
    return terms <= 16 ? 1 : terms <= 48 ? 2 : 3;
  }
  if (f.kernel == KernelFunction::kDepthwise) {
    // On Helium windows that span fewer than 12 bytes of a plane are computed one value at a time,
    // and 3 x 3 ones in strips of four rows.
    const double plane_cols = (key.cols.output - 1.0) * f.stride_w + f.kernel_w;
    const bool has_strips = f.kernel_h == 3 && f.kernel_w == 3 && f.stride_h == 1 &&
                            f.stride_w == 1 && (key.rows.output == 4 || key.rows.output >= 8);
    return has_strips ? 1 : (f.kernel_h - 1) * plane_cols + f.kernel_w < 12 ? 2 : 3;
  }
  return 0;
}

}  // namespace

double work_of(const OperatorKey& key) {
  return static_cast<double>(key.macs()) + static_cast<double>(key.bytes_moved());
}

FitGroup fit_group(const OperatorKey& key, FitScope scope) {
  FitGroup group;
  group.window.kernel = key.family.kernel;
  group.window.over_input = key.family.over_input;
  if (scope == FitScope::kWindow) {
    group.window = key.family;
    group.window.input_channels = group.window.output_channels = 0;
  }
  if (scope != FitScope::kKernel) {
    group.loops = loops_of(key);
  }
  return group;
}

std::vector<double> features_of(const OperatorKey& key, FitScope scope) {
  std::vector<double> features = features_of_window(key);
  features.push_back(work_of(key));
  if (scope != FitScope::kWindow && key.family.kernel != KernelFunction::kPointwise) {
    const double taps = static_cast<double>(key.family.kernel_h) * key.family.kernel_w;
    const std::size_t count = features.size();
    for (std::size_t i = 0; i < count; ++i) {
      features.push_back(features[i] * taps);
    }
  }
  return features;
}

Eigen::VectorXd relative_features(const OperatorKey& key, FitScope scope, double cost) {
  const std::vector<double> features = features_of(key, scope);
  return Eigen::Map<const Eigen::VectorXd>(features.data(),
                                           static_cast<Eigen::Index>(features.size())) /
         cost;
}

FitInformation::FitInformation(const Eigen::VectorXd& scale)
    : scale_(scale.unaryExpr([](double length) { return length > 0.0 ? length : 1.0; })),
      inverse_(Eigen::MatrixXd::Identity(scale.size(), scale.size()) /
               (kInformationRidge * kInformationRidge)) {}

void FitInformation::add(const Eigen::VectorXd& relative_features) {
  const Eigen::VectorXd x = relative_features.cwiseQuotient(scale_);
  const Eigen::VectorXd g = inverse_ * x;
  inverse_.noalias() -= g * g.transpose() / (1.0 + x.dot(g));  // Sherman and Morrison
}

double FitInformation::leverage(const Eigen::VectorXd& relative_features) const {
  const Eigen::VectorXd x = relative_features.cwiseQuotient(scale_);
  return x.dot(inverse_ * x);
}

OperatorFit::OperatorFit(const std::vector<Sample>& samples, FitScope scope) : scope_(scope) {
  const auto rows = static_cast<Eigen::Index>(samples.size());
  const auto columns = static_cast<Eigen::Index>(features_of(samples.front().first, scope).size());
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(rows + columns, columns);
  Eigen::VectorXd work(rows);
  for (Eigen::Index i = 0; i < rows; ++i) {
    const auto& [key, cost] = samples[static_cast<std::size_t>(i)];
    a.row(i) = relative_features(key, scope, cost);
    work(i) = work_of(key) / cost;
  }
  // First by work alone, which even one sample determines.
  cost_of_work_ = work.sum() / work.squaredNorm();
  Eigen::VectorXd b = Eigen::VectorXd::Zero(rows + columns);
  b.head(rows) = Eigen::VectorXd::Ones(rows) - cost_of_work_ * work;
  const Eigen::VectorXd scale = a.colwise().norm();
  information_ = FitInformation(scale);
  for (Eigen::Index i = 0; i < rows; ++i) {
    information_.add(a.row(i));
  }
  for (Eigen::Index c = 0; c < columns; ++c) {
    a.col(c) /= std::max(scale(c), 1e-300);
    a(rows + c, c) = kRidge;
  }
  coefficients_ = a.colPivHouseholderQr().solve(b).cwiseQuotient(scale.cwiseMax(1e-300));
}

double OperatorFit::predict(const OperatorKey& key) const {
  return cost_of_work_ * work_of(key) + coefficients_.dot(relative_features(key, scope_, 1.0));
}

}  // namespace patchnas
