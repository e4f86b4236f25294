#ifndef BITPLAN_SEARCH_QUANTIZATION_ENTROPY_H_
#define BITPLAN_SEARCH_QUANTIZATION_ENTROPY_H_

#include "search/quantization/range_rule_table.h"

namespace bitplan::quantization {

// The clip T on |x| that loses least information: with the histogram of |x| in 2048 bins of [0, max|x|], for
// T after bin i, i = L, L + 16, .., 2048,
//
//   P = bins 0 .. i-1, all beyond added to the last;   Q = those bins joined into L levels, each level's count spread
//   evenly over its bins that are not empty in P;      T = argmin sum over bins of P log(P / Q), both of sum 1.
//
// L = 2^(bits-1) levels for magnitudes of either sign, 2^bits if not symmetric and the numbers have one sign. The range
// is [max(min, -T), min(max, T)]. Equal divergences go to the larger T.
// Source: Migacz, 8-bit Inference with TensorRT (GTC 2017). Cost: about 120 passes over the bins that
// are not empty and the levels.
// Of few numbers (a row of 27 weights) the histogram says little and the rule clips almost at random: docs/math.md.
Range EntropyRange(const Distribution& numbers, const RangeTarget& target);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_ENTROPY_H_
