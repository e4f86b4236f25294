#ifndef BITPLAN_SEARCH_SENSITIVITY_PAIRED_DIFFERENCE_H_
#define BITPLAN_SEARCH_SENSITIVITY_PAIRED_DIFFERENCE_H_

#include <span>

namespace bitplan {

// A mean over samples.
struct SampleMean {
  double mean = 0;
  double standard_error = 0;  // 0 for a single sample: not known

  bool operator==(const SampleMean&) const = default;
};

namespace sensitivity {

// Mean of values[n], added in order, and its standard error sd / sqrt(N). Exact where the sum is: shares of samples.
// Zero for no values.
SampleMean MeanOf(std::span<const double> values);

// Mean of d_n = after[n] - before[n] and its standard error sd(d) / sqrt(N). Pairing samples takes
// out what they differ in anyway: the standard error is that of the change, not of two losses. Sizes must agree.
SampleMean PairedDifference(std::span<const double> before, std::span<const double> after);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_PAIRED_DIFFERENCE_H_
