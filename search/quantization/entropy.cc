#include "search/quantization/entropy.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
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

// A bin with numbers in it.
struct Occupied {
  int bin = 0;
  double count = 0;
};

// What falls into one level: counts with and without what was clipped, and the number of bins that hold them.
struct Level {
  double clipped = 0;
  double kept = 0;
  int bins = 0;
};

double TimesLog(double x, double y) { return x > 0 ? x * std::log(y) : 0; }

// Divergence of clipping after bin `end`. With q spread evenly over a level's occupied bins, sum p log(p / q) is
// sum over bins of p log p less sum over levels of (its p) log(its q in each bin).
double Divergence(const std::vector<Occupied>& bins, int end, std::vector<Level>& levels) {
  const auto num_levels = static_cast<int>(levels.size());
  std::ranges::fill(levels, Level{});
  double total = 0;
  double kept = 0;
  double sum = 0;
  double outside = 0;
  double last = 0;  // count of bin end - 1, which takes what is outside
  for (const auto& [bin, count] : bins) {
    total += count;
    if (bin >= end) {
      outside += count;
      continue;
    }
    Level& level = levels[((bin + 1) * num_levels - 1) / end];
    level.kept += count;
    kept += count;
    if (bin == end - 1) {
      last = count;
      continue;
    }
    level.clipped += count;
    ++level.bins;
    sum += TimesLog(count, count);
  }
  if (kept <= 0) return std::numeric_limits<double>::infinity();
  if (last + outside > 0) {
    levels.back().clipped += last + outside;
    ++levels.back().bins;
    sum += TimesLog(last + outside, last + outside);
  }
  for (const Level& level : levels) {
    if (level.bins == 0) continue;
    if (level.kept <= 0) return std::numeric_limits<double>::infinity();  // q lacks what p has
    sum -= TimesLog(level.clipped, level.kept * (total / kept) / level.bins);
  }
  return sum / total;
}

}  // namespace

Range EntropyRange(const Distribution& numbers, const RangeTarget& target) {
  const double largest = std::max(std::abs(numbers.range.min), std::abs(numbers.range.max));
  if (numbers.values.empty() || largest == 0) return numbers.range;
  const bool one_sign = numbers.range.min >= 0 || numbers.range.max <= 0;
  const int num_levels = 1 << (target.bits - (target.symmetric || !one_sign ? 1 : 0));
  const std::vector<double> counts = Magnitudes(numbers, largest);
  std::vector<Occupied> bins;
  for (int bin = 0; bin < kNumBins; ++bin) {
    if (counts[bin] > 0) bins.push_back({bin, counts[bin]});
  }
  std::vector<Level> levels(num_levels);
  double least = std::numeric_limits<double>::infinity();
  int best = kNumBins;
  for (int end = kNumBins; end >= num_levels; end -= kStride) {
    const double divergence = Divergence(bins, end, levels);
    if (divergence < least) {
      least = divergence;
      best = end;
    }
  }
  return ClipAt(numbers, best == kNumBins ? largest : largest * best / kNumBins);
}

}  // namespace bitplan::quantization
