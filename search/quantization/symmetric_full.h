#ifndef BITPLAN_SEARCH_QUANTIZATION_SYMMETRIC_FULL_H_
#define BITPLAN_SEARCH_QUANTIZATION_SYMMETRIC_FULL_H_

#include "search/quantization/quantizer.h"

namespace bitplan::quantization {

// Signed codes around zero over the full integer range:
//
//   codes -2^(bits-1) .. 2^(bits-1) - 1,   zero_point = 0,
//   scale = max(-min / 2^(bits-1), max / (2^(bits-1) - 1)): the smallest that holds the range,
//
// rounded so that the largest code times the scale gives the scale back (StableScale): a projection. One code more than
// the restricted range, gained where the negative end is the longer one.
// Source: Gholami et al. (2021), section III-B. Errors: none; 2 <= bits <= 8 is the caller's.
QuantizationGrid SymmetricFullGrid(Range range, int bits);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_SYMMETRIC_FULL_H_
