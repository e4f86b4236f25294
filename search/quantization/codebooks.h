#ifndef BITPLAN_SEARCH_QUANTIZATION_CODEBOOKS_H_
#define BITPLAN_SEARCH_QUANTIZATION_CODEBOOKS_H_

#include <vector>

#include "search/quantization/quantizer_table.h"

namespace bitplan::quantization {

// Codebooks of at most 2^bits floats a group, fitted to its weights; codes are the nearest entries. A group of no more
// different weights than entries is kept exactly, so that all three are projections.

// Lloyd-Max: from equally filled cells, each level to the mean of its cell and each cell to the weights nearest to its
// level until nothing changes: a local optimum that fulfils both conditions. Source: Lloyd (1957, 1982), Max (1960).
std::vector<float> LloydMaxLevels(const WeightGroup& group, int bits);

// k-means: the optimum, not a local one, of at most kExactValues different weights. Of more it is the optimum of as
// many means of equal parts of the range, then improved on all weights by Lloyd's iteration.
// Source: Han, Mao, Dally (Deep Compression, 2016); OptimalMeans. Cost: k kExactValues log(kExactValues) a group.
inline constexpr int kExactValues = 2048;
std::vector<float> KMeansLevels(const WeightGroup& group, int bits);

// The same with the error at each weight multiplied by its importance h_i, for example the diagonal of the curvature:
// least sum of h_i (Q(w_i) - w_i)^2. Without importance (all 0) a group counts equally.
// Source: Choi, El-Khamy, Lee (ICLR 2017), Hessian-weighted k-means.
std::vector<float> HessianKMeansLevels(const WeightGroup& group, int bits);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_CODEBOOKS_H_
