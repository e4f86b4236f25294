#ifndef BITPLAN_SEARCH_QUANTIZATION_BINARY_H_
#define BITPLAN_SEARCH_QUANTIZATION_BINARY_H_

#include <cstdint>
#include <vector>

#include "search/quantization/quantizer_table.h"

namespace bitplan::quantization {

// Binary weights of optimal scale:  Q(w) = alpha sign(w),  alpha = mean |w|: the alpha of least squared error, and
// sum (Q(w) - w)^2 = sum w^2 - n alpha^2. sign(0) = 1: zero is not kept, unless all weights are zero.
// Source: Rastegari et al. (XNOR-Net, 2016), section 3.1: BWN. One bit a weight and one float a group.
std::vector<float> BinaryLevels(const WeightGroup& group, int bits);

// Ternary weights -alpha, 0, alpha. Begins with the rule of TWN,  alpha = mean of the |w| above 0.7 mean |w|,  and
// takes the mean of the |w| above alpha / 2 until alpha stays: then every weight has its nearest level and alpha is the
// best for these codes. Each step lowers the squared error, so it is at most that of TWN. Source: Li, Zhang, Liu (TWN,
// 2016), equations 3, 5, 6. Two bits a weight and one float a group.
std::vector<float> TernaryLevels(const WeightGroup& group, int bits);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_BINARY_H_
