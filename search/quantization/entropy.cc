#include "search/quantization/entropy.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "search/quantization/clip.h"

namespace bitplan::quantization {
namespace {

constexpr int kNumBins = 2048;
constexpr int kStride = 16;  // of the clips that are tried: 1/128 of the range

// Adds `count` numbers spread evenly over [low, high] to bins of the given width.
void Spread(double low, double high, double count, double width, std::vector<double>& bins) {
  const auto bin_of = [&](double x) { return std::clamp(static_cast<int>(x / width), 0, kNumBins - 1); };
  const int first = bin_of(low);
  const int last = bin_of(high);
  if (first == last) {
    bins[first] += count;
    return;
  }
  for (int bin = first; bin <= last; ++bin) {
    const double overlap = std::min(high, (bin + 1) * width) - std::max(low, bin * width);
    bins[bin] += count * std::max(overlap, 0.0) / (high - low);
  }
}

// Histogram of |x| over [0, largest].
std::vector<double> Magnitudes(const Distribution& numbers, double largest) {
  std::vector<double> bins(kNumBins, 0.0);
  for (size_t i = 0; i < numbers.values.size(); ++i) {
    const double middle = std::abs(numbers.values[i]);
    Spread(std::max(0.0, middle - numbers.width / 2), std::min(largest, middle + numbers.width / 2), numbers.counts[i],
           largest / kNumBins, bins);
  }
  return bins;
}

// sum of p log(p / q) over one level's bins, where q is `joined` spread over the bins that are not empty in p. Both are
// counts of the same total. Infinite where p has what q cannot have.
double DivergenceOfLevel(std::span<const double> p, double joined) {
  const auto occupied = std::ranges::count_if(p, [](double count) { return count > 0; });
  if (occupied == 0) return 0;
  if (joined <= 0) return std::numeric_limits<double>::infinity();
  const double q = joined / static_cast<double>(occupied);
  double divergence = 0;
  for (const double count : p) {
    if (count > 0) divergence += count * std::log(count / q);
  }
  return divergence;
}

// Divergence of clipping after bin `end`, in units of the total count.
double Divergence(const std::vector<double>& bins, int end, int num_levels) {
  std::vector<double> p(bins.begin(), bins.begin() + end);
  const double kept = std::accumulate(p.begin(), p.end(), 0.0);
  const double total = std::accumulate(bins.begin() + end, bins.end(), kept);
  if (kept <= 0) return std::numeric_limits<double>::infinity();
  p.back() += total - kept;
  double divergence = 0;
  for (int level = 0; level < num_levels; ++level) {
    const int first = level * end / num_levels;
    const int last = (level + 1) * end / num_levels;
    const double joined = std::accumulate(bins.begin() + first, bins.begin() + last, 0.0) * (total / kept);
    divergence += DivergenceOfLevel(std::span(p).subspan(first, last - first), joined);
  }
  return divergence / total;
}

}  // namespace

Range EntropyRange(const Distribution& numbers, const RangeTarget& target) {
  const double largest = std::max(std::abs(numbers.range.min), std::abs(numbers.range.max));
  if (numbers.values.empty() || largest == 0) return numbers.range;
  const bool one_sign = numbers.range.min >= 0 || numbers.range.max <= 0;
  const int num_levels = 1 << (target.bits - (target.symmetric || !one_sign ? 1 : 0));
  const std::vector<double> bins = Magnitudes(numbers, largest);
  double least = std::numeric_limits<double>::infinity();
  int best = kNumBins;
  for (int end = kNumBins; end >= num_levels; end -= kStride) {
    const double divergence = Divergence(bins, end, num_levels);
    if (divergence < least) {
      least = divergence;
      best = end;
    }
  }
  return ClipAt(numbers, best == kNumBins ? largest : largest * best / kNumBins);
}

}  // namespace bitplan::quantization
