#ifndef BITPLAN_SEARCH_QUANTIZATION_HISTOGRAM_H_
#define BITPLAN_SEARCH_QUANTIZATION_HISTOGRAM_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"

namespace bitplan {

// Counts of a stream of numbers in bounded memory: one pass, kNumBins bins of width 2^e that double when a number falls
// outside. Bin i holds the numbers x with floor(x / 2^e) = first + i.
//
// e is the smallest exponent for which the numbers so far span at most kNumBins bins (and no less than
// 2^-40 of the largest magnitude): a function of minimum and maximum alone. Doubling joins bins 2j and 2j + 1 to bin j,
// which loses nothing that the wider bins could hold. So bins, minimum, maximum and count are those of the numbers as a
// set: neither their order nor how they were cut into parts for Merge changes a bit. The two sums are doubles added in
// the order of Add and Merge: equal parts merged in equal order give equal bits.
//
// Error:   a number is known up to the width of its bin, at most (max - min) / 1023 or so.
// Memory:  kNumBins counters of 8 bytes. Cost: two passes over each span.
class Histogram {
 public:
  static constexpr int kNumBins = 2048;

  // kInvalidArgument for NaN or infinity: nothing of `values` is counted then.
  absl::Status Add(std::span<const float> values);
  void Merge(const Histogram& other);

  int64_t count() const { return count_; }
  // The rest means something if count() > 0; it is 0 before.
  float min() const { return min_; }
  float max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  double mean_absolute() const { return count_ == 0 ? 0 : absolute_sum_ / static_cast<double>(count_); }

  // kNumBins counts, or none before the first number. Bin i is [lower_edge(i), lower_edge(i) + bin_width()).
  std::span<const int64_t> bins() const { return bins_; }
  double bin_width() const;
  double lower_edge(int bin) const;

 private:
  // Widens the bins until they hold [min, max] besides what was counted.
  void Cover(float min, float max);

  int64_t count_ = 0;
  float min_ = 0;
  float max_ = 0;
  double sum_ = 0;
  double absolute_sum_ = 0;
  int exponent_ = 0;   // e
  int64_t first_ = 0;  // floor(min / 2^e)
  std::vector<int64_t> bins_;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_HISTOGRAM_H_
