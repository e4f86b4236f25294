#ifndef BITPLAN_SEARCH_CURVATURE_RUNNING_MEAN_H_
#define BITPLAN_SEARCH_CURVATURE_RUNNING_MEAN_H_

#include <cmath>
#include <cstdint>

namespace bitplan::curvature {

// Mean and sum of squared deviations of a sequence, by Welford's recurrence (1962). The caller counts.
struct RunningMean {
  double mean = 0;
  double squared_deviations = 0;

  // `count` includes this sample.
  void Add(double sample, int64_t count) {
    const double deviation = sample - mean;
    mean += deviation / static_cast<double>(count);
    squared_deviations += deviation * (sample - mean);
  }

  // Of the mean of `count` >= 2 independent samples.
  double StandardError(int64_t count) const {
    const double m = static_cast<double>(count);
    return std::sqrt(squared_deviations / (m - 1) / m);
  }
};

}  // namespace bitplan::curvature

#endif  // BITPLAN_SEARCH_CURVATURE_RUNNING_MEAN_H_
