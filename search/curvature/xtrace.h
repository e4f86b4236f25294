#ifndef BITPLAN_SEARCH_CURVATURE_XTRACE_H_
#define BITPLAN_SEARCH_CURVATURE_XTRACE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/deflated_trace.h"
#include "search/curvature/linear_operator.h"

namespace bitplan {

struct XTraceOptions {
  uint64_t seed = 0;
  // Wanted standard error: max(relative_error * |trace|, absolute_error).
  double relative_error = 0.1;  // > 0
  double absolute_error = 0;    // in units of the trace, >= 0
  // No stop before this many test vectors: the standard error is itself an estimate. >= 2.
  int64_t min_samples = 10;
  int64_t max_products = 512;  // >= 2 min_samples; two for each test vector
  // Where products are kept in context.checkpoints until the estimate is done, and then the estimate, together with the
  // options above; empty: nowhere. Must name the operator, contents included.
  std::string checkpoint_key;
};
absl::Status Validate(const XTraceOptions& options);

namespace curvature {

// XTrace: each of m test vectors samples what the subspace of the others leaves, so none is spent on one purpose only,
//
//   t = (1/m) sum_i t_i,   t_i = tr(Q_i'AQ_i) + c_i w_i' (I - Q_iQ_i') A (I - Q_iQ_i') w_i,
//   Q_i = orth(A W without column i),   c_i = (n - rank Q_i) / ||(I - Q_iQ_i') w_i||^2,
//
// with w_i uniform on the sphere of radius sqrt(n), which makes the scaling c_i unbiased. Standard error:
//
//   e^2 = s^2 / m + max(0, 1/(m (m-1)) sum_{i != j} d_ij d_ji),   s^2 the sample variance of t_i,
//   d_ij = t_j - t_j(Q_ij),   t_j(Q_ij) the same sample with w_i left out of the subspace too.
//
// The first term alone, as published, takes the t_i for independent; they share their subspaces, and it was measured at
// 0.6 to 0.98 of the true error. The second is an unbiased estimate of their covariance: t_j and t_j(Q_ij) both have
// mean tr A whatever the other vectors are, so Cov(t_i, t_j) = E d_ij d_ji (docs/math.md). Measured over 600 seeds on
// eight spectra: error 0.94 to 1.3 of the true one, 95 % intervals (HalfWidth95) hold in 92 to 97 %, from m = 6 on.
//
// All t_i come from one QR decomposition A W = Q R: Q_iQ_i' = Q (I - s_i s_i') Q', s_i the unit vector orthogonal to
// all columns of R but the i-th. The test vectors grow by a quarter until the wanted standard error is met,
// then by two to see it confirmed.
//
// Source:   Epperly, Tropp, Webber (2024), XTrace with the scaling of its section 2.3.
// Shapes:   A is n x n and symmetric; num_samples = m, rank = columns of Q, at most n.
// Units:    those of A: loss / weight^2 for a Hessian.
// Cost:     2 products a test vector; memory 8 n m + 24 n bytes, O(m^3) flops a look. If A has fewer
//           than m eigenvalues above rounding, or m reaches n, the answer is exact.
// Fails:    where the spectrum is flat it needs twice the products of plain probing; the same rounding as in Hutch++,
//           about 1e-6 w'Aw.
// Errors:   kInvalidArgument (options, dimension 0, a product that is not finite); kCancelled, kDeadlineExceeded. Not
//           converged is no error.
// Progress: stage "traces", probes = products, relative_error = standard error / |trace|.
// Same seed, same bits, for any number of threads, and also when resumed from a checkpoint.
absl::StatusOr<DeflatedTraceEstimate> XTrace(const LinearOperator& A, const XTraceOptions& options,
                                             const RunContext& context);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_XTRACE_H_
