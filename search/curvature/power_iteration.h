#ifndef BITPLAN_SEARCH_CURVATURE_POWER_ITERATION_H_
#define BITPLAN_SEARCH_CURVATURE_POWER_ITERATION_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/linear_operator.h"

namespace bitplan {

struct PowerIterationOptions {
  uint64_t seed = 0;             // of the start vector
  uint64_t stream = 0;           // which start vector of that seed; callers use the layer index
  double tolerance = 0.01;       // stop when residual <= tolerance * |value|; 0 < tolerance < 1
  int64_t max_iterations = 100;  // products with A at most; >= 1
  // Where the finished estimate is kept in context.checkpoints, together with the options above; empty: nowhere. Must
  // name the operator, contents included.
  std::string checkpoint_key;
};
absl::Status Validate(const PowerIterationOptions& options);

// The eigenvalue of largest magnitude, as far as found.
//
//   value     Rayleigh quotient of the last vector. Whether converged or not, |value| <= |top eigenvalue| (up to the
//             rounding of the product).
//   residual  ||A v - value v|| / ||v||. A symmetric matrix has an eigenvalue within `residual` of `value`.
//   converged residual <= tolerance * |value|. The eigenvalue found need not be the top one: a start vector with little
//             of the top eigenvector looks converged while it passes the next one. On 60 x 60 matrices with eigenvalues
//             1, r, r^2, .. that left `value` short by more than the tolerance in this share of 2000 starts:
//               tolerance   r = 0.5    0.7    0.9   0.97
//               0.1            1.3 %  3.8 %   26 %   28 %
//               0.01           0      0      0.5 %  5.3 % (never short by more than 10 %)
struct EigenvalueEstimate {
  double value = 0;
  double residual = 0;
  int64_t iterations = 0;  // products with A that were spent
  bool converged = false;

  bool operator==(const EigenvalueEstimate&) const = default;
};

namespace curvature {

// Power iteration: v <- A v / ||A v|| from a seeded Gaussian start, lambda = v'Av / v'v.
//
// Source:   von Mises and Pollaczek-Geiringer (1929); residual bound: Parlett, The Symmetric Eigenvalue Problem, 4.5.
// Shapes:   A is n x n and symmetric.
// Units:    those of A: loss / weight^2 for a Hessian.
// Cost:     one product an iteration; residuals fall by |lambda_2 / lambda_1| each time, so close eigenvalues (and the
//           pair +x, -x, which never converges) use up max_iterations. Memory 3 n.
// Errors:   kInvalidArgument (options, dimension 0, a product that is not finite); kCancelled, kDeadlineExceeded. Not
//           converged is no error.
// Progress: stage "eigenvalues", probes = iterations, relative_error = residual / |value|, fraction of max_iterations.
// Same seed and stream, same bits, for any number of threads. The zero matrix gives 0, converged after one product.
absl::StatusOr<EigenvalueEstimate> PowerIteration(const LinearOperator& A, const PowerIterationOptions& options,
                                                  const RunContext& context);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_POWER_ITERATION_H_
