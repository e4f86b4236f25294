#ifndef BITPLAN_SEARCH_QUANTIZATION_PERCENTILE_H_
#define BITPLAN_SEARCH_QUANTIZATION_PERCENTILE_H_

#include "search/quantization/range_rule_table.h"

namespace bitplan::quantization {

// Share of the numbers that the percentile rule clips. 0.1 % of a layer of weights are its outliers; of fewer than a
// thousand numbers none is clipped.
inline constexpr double kClippedShare = 0.001;

// Nearest-rank percentiles, so the ends are numbers that occur. Symmetric: T is the smallest |x| with at least
// 99.9 % of the numbers in [-T, T], and the range is [max(min, -T), min(max, T)]. Otherwise half the share is cut at
// either end. Source: McKinstry et al. (2019), section 2.2.
Range PercentileRange(const Distribution& numbers, const RangeTarget& target);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_PERCENTILE_H_
