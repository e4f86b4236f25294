#ifndef BITPLAN_SEARCH_QUANTIZATION_MEAN_SQUARED_ERROR_H_
#define BITPLAN_SEARCH_QUANTIZATION_MEAN_SQUARED_ERROR_H_

#include "search/quantization/range_rule_table.h"

namespace bitplan::quantization {

// The clip that makes the squared error sum of (Q(x) - x)^2 least (OMSE; Choukroun et al. 2019).
//
// Symmetric: exact. Between the scales at which a number changes its level, s = x / m for a midpoint m of two levels,
// the error is a parabola in s:  sum x^2 - 2 s sum u x + s^2 sum u^2  with u the number's level. One sweep over all
// changes from large to small s finds the least of all parabolas: no scale is better, up to the rounding of floats.
// Where numbers times levels exceed 131,072 the numbers are first joined into parts of equal width, at least 1024, and
// the answer is exact for the parts' means: worse by less than 0.01 % at 4 bits, 0.5 % at 8. A scale that must be a
// power of two is found by trying them all.
//
// Affine: searched. Both ends shrink towards zero by steps of 1/16, then around the best by steps down to 1/1024, some
// 330 trials; numbers are first joined into at most 512 parts. Never worse than min-max on those, and within 1 % of the
// best of a grid of 1/32 where that was tried.
//
// Cost: at most a sort of 131,072 changes of level a call.
Range MeanSquaredErrorRange(const Distribution& numbers, const RangeTarget& target);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_MEAN_SQUARED_ERROR_H_
