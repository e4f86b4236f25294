#ifndef BITPLAN_SEARCH_QUANTIZATION_AFFINE_H_
#define BITPLAN_SEARCH_QUANTIZATION_AFFINE_H_

#include "search/quantization/quantizer.h"

namespace bitplan::quantization {

// Unsigned codes over a range widened to hold zero, with an integer zero point so that zero is exact:
//
//   lo = min(min, 0), hi = max(max, 0),   codes 0 .. 2^bits - 1,   scale = (hi - lo) / (2^bits - 1),
//   zero_point = round half to even of -lo / scale.
//
// Rounding the zero point shifts the grid by at most scale / 2, so |Q(w) - w| <= scale / 2 holds on all of [lo, hi].
// Source: Jacob et al. (2018), section 2.1; Gholami et al. (2021), section III-B. Errors: none; 2 <= bits <= 8 is the
// caller's.
QuantizationGrid AffineGrid(Range range, int bits);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_AFFINE_H_
