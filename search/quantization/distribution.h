#ifndef BITPLAN_SEARCH_QUANTIZATION_DISTRIBUTION_H_
#define BITPLAN_SEARCH_QUANTIZATION_DISTRIBUTION_H_

#include <cstddef>
#include <span>
#include <vector>

#include "search/quantization/histogram.h"
#include "search/quantization/quantizer.h"

namespace bitplan {

// The numbers that share a range, as a range rule sees them: the weights themselves, or the bins of a histogram.
// A distribution of no numbers has the range [0, 0] and no values.
struct Distribution {
  Range range;                 // smallest and largest number
  std::vector<double> values;  // ascending, different
  std::vector<double> counts;  // > 0: numbers that equal values[i], or that fell into its bin
  double width = 0;            // of the bins, values being their middles; 0: the values are the numbers

  double count() const;
  double mean() const;
};

namespace quantization {

// `numbers` are finite. O(n log n).
Distribution DistributionOf(std::span<const float> numbers);
// Values are the middles of the bins that are not empty, clamped to [min, max].
Distribution DistributionOf(const Histogram& histogram);

// At most max_values values: numbers in equal parts of the range join into their mean. Sum and count stay, squares lose
// the variance within a part.
Distribution Coarsened(const Distribution& distribution, size_t max_values);

}  // namespace quantization
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_DISTRIBUTION_H_
