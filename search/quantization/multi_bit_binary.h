#ifndef BITPLAN_SEARCH_QUANTIZATION_MULTI_BIT_BINARY_H_
#define BITPLAN_SEARCH_QUANTIZATION_MULTI_BIT_BINARY_H_

#include <cstdint>
#include <vector>

#include "search/quantization/quantizer_table.h"

namespace bitplan::quantization {

// Multi-bit binary codes:  Q(w) = sum over i of alpha_i b_i,  b_i in {-1, 1}: products with activations of the same
// kind become XNOR and bit counts. As levels: the 2^bits sums, a weight taking the nearest. One float a bit and group.

// Greedy residual: alpha_i = mean |r|, b_i = sign(r), r <- r - alpha_i b_i, from r = w. Each bit takes n alpha_i^2 off
// the squared error; that is what greedy codes give, and the nearest level is never worse.
// Source: Li et al. (HORQ, ICCV 2017); Guo et al. (Network Sketching, 2017).
std::vector<float> GreedyBinaryLevels(const WeightGroup& group, int bits);

// From the greedy ones, in turn: alphas by least squares for the codes, codes by the nearest level for the alphas,
// until no code changes or 50 rounds are done. Neither half-step raises the squared error. Source: Xu et al. (ICLR
// 2018), Alternating Multi-bit Quantization; Lin, Zhao, Pan (ABC-Net, 2017) for the form.
std::vector<float> AlternatingBinaryLevels(const WeightGroup& group, int bits);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_MULTI_BIT_BINARY_H_
