#ifndef BITPLAN_SEARCH_QUANTIZATION_CLUSTERS_H_
#define BITPLAN_SEARCH_QUANTIZATION_CLUSTERS_H_

#include <cstddef>
#include <span>
#include <vector>

namespace bitplan::quantization {

// Numbers on a line with weights, and the sums that clusters of neighbours need.
class WeightedLine {
 public:
  // `weights` belong to `numbers`, >= 0; empty: all 1. Equal numbers join; numbers without weight are left out, unless
  // none has any: then all count 1.
  WeightedLine(std::span<const float> numbers, std::span<const float> weights);

  const std::vector<double>& values() const { return values_; }  // ascending, different
  // Mean of values first .. last - 1, and sum of weight * (value - mean)^2. O(1).
  double Mean(size_t first, size_t last) const;
  double Cost(size_t first, size_t last) const;

  // The line with values in at most max_values equal parts of the range joined into their means.
  WeightedLine Coarsened(size_t max_values) const;

 private:
  WeightedLine() = default;
  void Append(double value, double weight);
  void Sum();

  std::vector<double> values_;
  std::vector<double> weights_;
  // Sums over values before i of weight, weight * x and weight * x^2, x measured from the mean so that little cancels.
  double origin_ = 0;
  std::vector<double> mass_, moment_, square_;
};

// Means of the num_clusters clusters of least sum of weight * (value - mean)^2, ascending: the optimum, by dynamic
// programming over the sorted values with monotone split points. Source: Wang and Song (Ckmeans.1d.dp, R Journal 2011);
// divide and conquer: Groenlund et al. (2017). O(k n log n) time, k n indices of 4 bytes.
std::vector<double> OptimalMeans(const WeightedLine& line, int num_clusters);

// Lloyd's iteration from ascending `levels`: each value goes to its nearest level, each level to the (float) mean of
// its values, until nothing changes or 1,000 steps are done. Levels without values are dropped. Cost never rises.
std::vector<float> RefinedLevels(const WeightedLine& line, std::vector<double> levels);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_CLUSTERS_H_
