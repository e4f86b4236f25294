#ifndef BITPLAN_SEARCH_OPS_GRAM_H_
#define BITPLAN_SEARCH_OPS_GRAM_H_

#include <cstdint>

namespace bitplan::ops {

// Whether ||A'B||^2 takes fewer multiplications through Gram matrices than by forming A'B, for A of rows x a_width and
// B of rows x b_width.
inline bool GramIsCheaper(int64_t rows, int64_t a_width, int64_t b_width) {
  return rows * (a_width + b_width) < a_width * b_width;
}

// ||A'B||^2 (Frobenius) = sum_ij (AA')_ij (BB')_ij. Row-major without gaps; `columns`: A and B are stored transposed,
// a_width x rows and b_width x rows.
double SquaredNormByGram(int64_t rows, const float* a, int64_t a_width, const float* b, int64_t b_width, bool columns);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_GRAM_H_
