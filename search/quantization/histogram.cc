#include "search/quantization/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "search/base/status.h"

namespace bitplan {
namespace {

// Bins are no narrower than the largest magnitude over 2^40, so that their numbers are exact in int64 and in double.
constexpr int kMaxIndexBits = 40;
// Of numbers that are all zero: that of the smallest subnormal float, so that no later number needs narrower bins.
constexpr int kLeastExponent = -149 - kMaxIndexBits;

int64_t BinOf(double x, int exponent) { return static_cast<int64_t>(std::floor(std::ldexp(x, -exponent))); }

// The smallest exponent that holds both ends in kNumBins bins: grows with the range, never falls.
int ExponentFor(float min, float max) {
  const double largest = std::max(std::abs(static_cast<double>(min)), std::abs(static_cast<double>(max)));
  if (largest == 0) return kLeastExponent;
  int exponent = std::ilogb(largest) - kMaxIndexBits;
  while (BinOf(max, exponent) - BinOf(min, exponent) >= Histogram::kNumBins) ++exponent;
  return exponent;
}

}  // namespace

double Histogram::bin_width() const { return bins_.empty() ? 0 : std::ldexp(1.0, exponent_); }

double Histogram::lower_edge(int bin) const {
  return bins_.empty() ? 0 : std::ldexp(static_cast<double>(first_ + bin), exponent_);
}

void Histogram::Cover(float min, float max) {
  if (count_ > 0) {
    min = std::min(min, min_);
    max = std::max(max, max_);
  }
  const int exponent = ExponentFor(min, max);
  const int64_t first = BinOf(min, exponent);
  if (bins_.empty() || exponent != exponent_ || first != first_) {
    std::vector<int64_t> wider(kNumBins, 0);
    // Arithmetic shift is the floor of the division by 2^shift; 63 keeps the sign of any index.
    const int shift = std::min(exponent - exponent_, 63);
    for (size_t i = 0; i < bins_.size(); ++i) {
      if (bins_[i] != 0) wider[((first_ + static_cast<int64_t>(i)) >> shift) - first] += bins_[i];
    }
    bins_ = std::move(wider);
  }
  exponent_ = exponent;
  first_ = first;
  min_ = min;
  max_ = max;
}

absl::Status Histogram::Add(std::span<const float> values) {
  if (values.empty()) return absl::OkStatus();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return InvalidArgument("value[{}]: got {}, want a finite number", i, values[i]);
  }
  const auto [least, most] = std::ranges::minmax(values);
  Cover(least, most);
  const double per_width = std::ldexp(1.0, -exponent_);  // exact: the exponent is far inside the range of double
  double sum = 0;
  double absolute_sum = 0;
  for (const float x : values) {
    ++bins_[static_cast<int64_t>(std::floor(x * per_width)) - first_];
    sum += x;
    absolute_sum += std::abs(x);
  }
  sum_ += sum;
  absolute_sum_ += absolute_sum;
  count_ += std::ssize(values);
  return absl::OkStatus();
}

void Histogram::Merge(const Histogram& other) {
  if (other.count_ == 0) return;
  Cover(other.min_, other.max_);
  const int shift = std::min(exponent_ - other.exponent_, 63);
  for (size_t i = 0; i < other.bins_.size(); ++i) {
    if (other.bins_[i] == 0) continue;
    bins_[((other.first_ + static_cast<int64_t>(i)) >> shift) - first_] += other.bins_[i];
  }
  sum_ += other.sum_;
  absolute_sum_ += other.absolute_sum_;
  count_ += other.count_;
}

}  // namespace bitplan
