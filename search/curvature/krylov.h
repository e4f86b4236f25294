#ifndef BITPLAN_SEARCH_CURVATURE_KRYLOV_H_
#define BITPLAN_SEARCH_CURVATURE_KRYLOV_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "search/base/run_context.h"
#include "search/curvature/columns.h"
#include "search/curvature/products.h"

namespace bitplan::curvature {

// An orthonormal basis Q of a Krylov space, grown one product at a time by the Lanczos recurrence with full
// reorthogonalization, and the projection T = Q'AQ:
//
//   A Q = Q T + r e_m',     Q'Q = I,  Q'r = 0.
//
// All of T's lower triangle is kept as computed, not only two diagonals: after a thick restart it is no longer
// tridiagonal, and rounding is seen by the eigenvalues of T instead of being dropped.
struct KrylovSpace {
  // The space of no product yet whose first vector will be `start` / ||start||; start must not be zero.
  static KrylovSpace From(std::span<const float> start);

  Columns basis;                                // Q, m columns
  std::vector<std::vector<double>> projection;  // row j holds T(j, 0..j)
  std::vector<double> remainder;                // r
  double remainder_norm = 0;                    // ||r||
  double scale = 0;                             // largest ||A q|| so far: a lower bound of ||A||

  int64_t size() const { return basis.size(); }
  // r is rounding only: the basis spans an invariant subspace, and the next vector would be noise.
  bool IsInvariant() const;
};

// One step: appends r / ||r|| to the basis and multiplies it. Cost: one product and 8 n m flops. Errors: those of
// Products::Multiply.
absl::Status Extend(KrylovSpace& space, Products& products, const RunContext& context);

// Eigenvalues of T in rising order and its eigenvectors as columns of m numbers. The Ritz value `values[i]` has the
// residual ||r|| |vectors[i][m - 1]| (Parlett, The Symmetric Eigenvalue Problem, 13.2).
struct RitzPairs {
  std::vector<double> values;
  std::vector<std::vector<double>> vectors;
};
// Of the leading `size` x `size` part of T.
RitzPairs FindRitzPairs(const KrylovSpace& space, int64_t size);

}  // namespace bitplan::curvature

#endif  // BITPLAN_SEARCH_CURVATURE_KRYLOV_H_
