#ifndef BITPLAN_SEARCH_CURVATURE_DOT_H_
#define BITPLAN_SEARCH_CURVATURE_DOT_H_

#include <span>

namespace bitplan::curvature {

// a'b of equally long vectors: short float sums in a double accumulator, as fast as float and 1e-6 exact for millions
// of entries.
double Dot(std::span<const float> a, std::span<const float> b);
// sum_i a_i^2 b_i^2, likewise.
double DotOfSquares(std::span<const float> a, std::span<const float> b);

}  // namespace bitplan::curvature

#endif  // BITPLAN_SEARCH_CURVATURE_DOT_H_
