#include "deploy/onnx/onnx_view.h"

#include <algorithm>

#include "deploy/import/dimensions.h"

namespace patchnas {
namespace {

// The same element in two tensors.
struct DigitPair {
  int extent = 1;
  int from = 0;
  int to = 0;
};

// Takes the fastest `extent` off `digit`, which it divides.
Digit take(Digit& digit, int extent) {
  const Digit taken{extent, digit.stride};
  digit.stride *= extent;
  digit.extent /= extent;
  return taken;
}

// The digits of both, split where either is: the fastest first. Nothing if they do not divide.
std::optional<std::vector<DigitPair>> common_digits(const OnnxView& from, const OnnxView& to) {
  std::vector<Digit> a = from.digits();
  std::vector<Digit> b = to.digits();
  std::vector<DigitPair> pairs;
  while (!a.empty() && !b.empty()) {
    const int extent = std::min(a.back().extent, b.back().extent);
    if (a.back().extent % extent != 0 || b.back().extent % extent != 0) {
      return std::nullopt;
    }
    pairs.push_back({extent, take(a.back(), extent).stride, take(b.back(), extent).stride});
    for (std::vector<Digit>* digits : {&a, &b}) {
      if (digits->back().extent == 1) {
        digits->pop_back();
      }
    }
  }
  return a.empty() && b.empty() ? std::optional(pairs) : std::nullopt;
}

}  // namespace

OnnxView::OnnxView(const std::vector<Digit>& digits) {
  for (const Digit& digit : digits) {
    if (digit.extent == 1) {
      continue;
    }
    if (!digits_.empty() && digits_.back().stride == digit.stride * digit.extent) {
      digits_.back() = {digits_.back().extent * digit.extent, digit.stride};
    } else {
      digits_.push_back(digit);
    }
  }
}

std::optional<std::vector<std::vector<Digit>>> OnnxView::by_dimension(
    const std::vector<int>& dimensions) const {
  std::vector<std::vector<Digit>> result(dimensions.size());
  std::vector<Digit> rest = digits_;
  for (std::size_t d = dimensions.size(); d-- > 0;) {
    for (int missing = dimensions[d]; missing > 1;) {
      if (rest.empty()) {
        return std::nullopt;
      }
      const int extent = std::min(missing, rest.back().extent);
      if (missing % extent != 0 || rest.back().extent % extent != 0) {
        return std::nullopt;
      }
      result[d].insert(result[d].begin(), take(rest.back(), extent));
      missing /= extent;
      if (rest.back().extent == 1) {
        rest.pop_back();
      }
    }
  }
  return rest.empty() ? std::optional(result) : std::nullopt;
}

std::vector<int> OnnxView::places() const {
  std::vector<int> result{0};
  for (const Digit& digit : digits_) {
    std::vector<int> longer;
    longer.reserve(result.size() * static_cast<std::size_t>(digit.extent));
    for (const int place : result) {
      for (int i = 0; i < digit.extent; ++i) {
        longer.push_back(place + i * digit.stride);
      }
    }
    result = std::move(longer);
  }
  return result;
}

OnnxLayout layout_by(const std::vector<int>& dimensions, std::size_t axis) {
  OnnxLayout layout{.shape = {1, 1, dimensions.empty() ? 1 : dimensions[axis]}, .view = {}};
  std::vector<Digit> digits(dimensions.size());
  bool has_columns = false;
  int stride = layout.shape.channels;
  for (std::size_t d = dimensions.size(); d-- > 0;) {
    if (d == axis) {
      digits[d] = {dimensions[d], 1};
      continue;
    }
    digits[d] = {dimensions[d], stride};
    stride *= dimensions[d];
    (has_columns ? layout.shape.height : layout.shape.width) *= dimensions[d];
    has_columns = true;
  }
  layout.view = OnnxView(digits);
  return layout;
}

std::size_t usual_channel_axis(const std::vector<int>& dimensions) {
  const std::size_t rank = dimensions.size();
  const bool has_batch = (rank == 3 || rank == 4) && dimensions[0] == 1;
  return has_batch ? 1 : rank == 0 ? 0 : rank - 1;
}

OnnxLayout usual_layout(const std::vector<int>& dimensions) {
  return layout_by(dimensions, usual_channel_axis(dimensions));
}

OnnxLayout plain_layout(const std::vector<int>& dimensions) {
  return layout_by(dimensions, dimensions.empty() ? 0 : dimensions.size() - 1);
}

std::optional<StridedCopy> copy_between(const OnnxView& from, const OnnxView& to) {
  const std::optional<std::vector<DigitPair>> pairs = common_digits(from, to);
  if (!pairs) {
    return std::nullopt;
  }
  std::vector<DigitPair> merged;  // the fastest first
  for (const DigitPair& pair : *pairs) {
    if (!merged.empty() && merged.back().from * merged.back().extent == pair.from &&
        merged.back().to * merged.back().extent == pair.to) {
      merged.back().extent *= pair.extent;
    } else {
      merged.push_back(pair);
    }
  }
  if (merged.size() > StridedCopy{}.counts.size()) {
    return std::nullopt;
  }
  std::vector<int> counts;
  std::vector<int> from_strides;
  std::vector<int> to_strides;
  for (auto pair = merged.rbegin(); pair != merged.rend(); ++pair) {
    counts.push_back(pair->extent);
    from_strides.push_back(pair->from);
    to_strides.push_back(pair->to);
  }
  return strided_copy(counts, from_strides, to_strides);
}

std::optional<OnnxView> moved(const OnnxView& view, const OnnxView& from, const OnnxView& to) {
  const std::optional<std::vector<DigitPair>> pairs = common_digits(from, to);
  if (!pairs) {
    return std::nullopt;
  }
  std::vector<Digit> digits;  // the fastest first
  for (auto old = view.digits().rbegin(); old != view.digits().rend(); ++old) {
    Digit rest = *old;
    while (rest.extent > 1) {
      const auto pair = std::find_if(pairs->begin(), pairs->end(), [&](const DigitPair& p) {
        return p.from <= rest.stride && rest.stride < p.from * p.extent &&
               rest.stride % p.from == 0;
      });
      const int steps = pair == pairs->end() ? 1 : rest.stride / pair->from;
      if (pair == pairs->end() || pair->extent % steps != 0) {
        return std::nullopt;
      }
      const int extent = std::min(rest.extent, pair->extent / steps);
      if (rest.extent % extent != 0) {
        return std::nullopt;
      }
      take(rest, extent);
      digits.push_back({extent, pair->to * steps});
    }
  }
  std::reverse(digits.begin(), digits.end());
  return OnnxView(digits);
}

}  // namespace patchnas
