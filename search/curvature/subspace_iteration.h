#ifndef BITPLAN_SEARCH_CURVATURE_SUBSPACE_ITERATION_H_
#define BITPLAN_SEARCH_CURVATURE_SUBSPACE_ITERATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/eigenvalues.h"
#include "search/curvature/linear_operator.h"

namespace bitplan {

struct SubspaceIterationOptions {
  uint64_t seed = 0;           // of the start block
  uint64_t stream = 0;         // which start block of that seed; callers use the layer index
  int64_t num_eigenpairs = 1;  // wanted; >= 1
  // Vectors iterated beside those wanted: they speed up the last ones and make it unlikely that a start block has
  // little of a wanted eigenvector. >= 0.
  int64_t num_guards = 4;
  double tolerance = 0.01;     // residual_i <= tolerance * |value_i|; 0 < tolerance < 1
  int64_t max_products = 400;  // >= 1; fewer than num_eigenpairs + num_guards make the block smaller
  // Where products are kept in context.checkpoints until the estimate is done, and then the estimate, together with the
  // options above; empty: nowhere. Must name the operator, contents included.
  std::string checkpoint_key;
};
absl::Status Validate(const SubspaceIterationOptions& options);

// Eigenpairs of largest magnitude, as far as found.
//
//   eigenvalues  by falling magnitude; copies of a multiple eigenvalue count. |eigenvalues[i]| is at most the i-th
//                magnitude of A where A is semidefinite. An eigenvalue below 1e-6 of the first is rounding and counts
//                as converged with that residual.
//   converged    all wanted residuals met the tolerance. That the pairs found are the top ones is not proven, but far
//                likelier than with one vector. On 60 x 60 matrices with eigenvalues 1, r, r^2, .. the first value was
//                short by more than the tolerance in this share of 2000 starts, after so many products on average:
//                  tolerance  r     PowerIteration  Lanczos          four guards      eight guards
//                  0.1        0.5    1.3 %    4      1.3 %   3        0       10       0        18
//                  0.1        0.7    3.8 %    6      3.8 %   4        0       14       0        18
//                  0.1        0.9   26 %      6     16 %     5        1.2 %   20       0.1 %    30
//                  0.1        0.97  28 %      6      9 %     4        0.4 %   25       0        40
//                  0.01       0.9    0.5 %   26      0.6 %   9        0       43       0        52
//                  0.01       0.97   5.3 %   49      3.5 %  12        0       95       0       117
//                (below r = 0.9, tolerance 0.01 was met by all but Lanczos, 0.05 % at r = 0.7)
struct EigenpairsEstimate {
  std::vector<EigenvalueBound> eigenvalues;
  std::vector<std::vector<float>> vectors;  // unit length, one an eigenvalue
  int64_t num_products = 0;
  bool converged = false;

  bool operator==(const EigenpairsEstimate&) const = default;
};

namespace curvature {

// Power iteration on a block of orthonormal vectors with a Rayleigh-Ritz step, V <- orth(A V), V <- V U with U'(V'AV)U
// diagonal. Leading pairs that have converged are not multiplied any more (deflation), but stay in the Rayleigh-Ritz
// step, so that their errors do not limit the pairs behind them.
//
// Source:   Bauer (1957); Rutishauser (1970); locking: Stewart (1976); Parlett, The Symmetric Eigenvalue Problem, 14.
// Shapes:   A is n x n and symmetric.
// Units:    those of A: loss / weight^2 for a Hessian.
// Cost:     a product for each vector that is not locked, an iteration; the residual of pair i falls by
//           |lambda_(b+1) / lambda_i| each time, b = num_eigenpairs + num_guards. +x and -x are told apart. Lanczos
//           needs fewer products where eigenvalues are simple. Memory: 8 n b + 16 n bytes.
// Errors:   kInvalidArgument (options, dimension 0, a product that is not finite); kCancelled, kDeadlineExceeded. Not
//           converged is no error.
// Progress: stage "eigenvalues", probes = products, relative_error = worst residual / |value|.
// Same seed and stream, same bits, for any number of threads, and also when resumed from a checkpoint.
absl::StatusOr<EigenpairsEstimate> SubspaceIteration(const LinearOperator& A, const SubspaceIterationOptions& options,
                                                     const RunContext& context);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_SUBSPACE_ITERATION_H_
