#ifndef BITPLAN_SEARCH_QUANTIZATION_SYMMETRIC_H_
#define BITPLAN_SEARCH_QUANTIZATION_SYMMETRIC_H_

#include "search/quantization/quantizer.h"

namespace bitplan::quantization {

// Signed codes around zero, restricted range so that the grid is symmetric:
//
//   q_max = 2^(bits-1) - 1,   codes -q_max .. q_max,   scale = max(|min|, |max|) / q_max,   zero_point = 0.
//
// 2 bits is ternary. Source: Gholami et al. (2021), section III-B. Errors: none; 2 <= bits <= 8 is the caller's.
QuantizationGrid SymmetricGrid(Range range, int bits);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_SYMMETRIC_H_
