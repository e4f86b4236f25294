#include "search/quantization/percentile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "search/quantization/clip.h"

namespace bitplan::quantization {
namespace {

// Largest magnitude left after the outermost values that hold at most `allowed` numbers are dropped, from either end.
double SymmetricThreshold(const Distribution& numbers, double allowed) {
  size_t first = 0;
  size_t last = numbers.values.size() - 1;
  while (true) {
    const bool is_left = std::abs(numbers.values[first]) >= std::abs(numbers.values[last]);
    const size_t outermost = is_left ? first : last;
    allowed -= numbers.counts[outermost];
    if (allowed < 0 || first == last) return std::abs(numbers.values[outermost]);
    is_left ? ++first : --last;
  }
}

}  // namespace

Range PercentileRange(const Distribution& numbers, const RangeTarget& target) {
  if (numbers.values.empty()) return numbers.range;
  const double allowed = std::floor(kClippedShare * numbers.count());
  if (target.symmetric) return ClipAt(numbers, SymmetricThreshold(numbers, allowed));
  double below = std::floor(allowed / 2);
  double above = below;
  size_t first = 0;
  size_t last = numbers.values.size() - 1;
  while (first < last && (below -= numbers.counts[first]) >= 0) ++first;
  while (first < last && (above -= numbers.counts[last]) >= 0) --last;
  return ClipTo(numbers, numbers.values[first], numbers.values[last]);
}

}  // namespace bitplan::quantization
