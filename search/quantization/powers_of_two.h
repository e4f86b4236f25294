#ifndef BITPLAN_SEARCH_QUANTIZATION_POWERS_OF_TWO_H_
#define BITPLAN_SEARCH_QUANTIZATION_POWERS_OF_TWO_H_

#include <vector>

#include "search/quantization/quantizer_table.h"

namespace bitplan::quantization {

// Powers of two (logarithmic quantization):  0 and +-2^n1, +-2^(n1-1), .., 2^(bits-1) - 1 magnitudes in all,
//
//   n1 = floor(log2(4 s / 3)),  s the largest magnitude of the range: s is rounded to the nearest power of two.
//
// Products become shifts. Unit levels are +-1, +-1/2, ..; the scale is 2^n1 (8 bits of storage: the exponent). The
// relative error of what lies between the levels is at most 1/3; a weight below half the smallest level becomes 0.
// Source: Miyashita, Lee, Murmann (2016); the rule for n1 from Zhou et al. (INQ, 2017), equation 3. 2 <= bits <= 6:
// beyond, levels would only be added below 2^-31 of the largest.
std::vector<double> PowerOfTwoLevels(int bits);
float PowerOfTwoScale(const WeightGroup& group);

// Additive powers of two: each magnitude is a sum of n = ceil((bits-1) / 2) terms, over the largest sum,
//
//   term i = 0 .. n-1 from {0, 2^-i, 2^-(i+n), 2^-(i+2n)},   the last term from {0, 2^-i} only if bits - 1 is odd:
//
// all exponents differ, so 2^(bits-1) different magnitudes (0 one of them) with a sign. Levels lie dense around zero as
// powers of two do, but the gaps at the large end close as bits are added.
// Source: Li, Dong, Wang (ICLR 2020), equation 5 with k = 2; the paper leaves odd numbers of bits to a term of one bit.
std::vector<double> AdditivePowerOfTwoLevels(int bits);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_POWERS_OF_TWO_H_
