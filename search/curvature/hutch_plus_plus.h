#ifndef BITPLAN_SEARCH_CURVATURE_HUTCH_PLUS_PLUS_H_
#define BITPLAN_SEARCH_CURVATURE_HUTCH_PLUS_PLUS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/deflated_trace.h"
#include "search/curvature/linear_operator.h"

namespace bitplan {

struct HutchPlusPlusOptions {
  uint64_t seed = 0;
  // Wanted standard error: max(relative_error * |trace|, absolute_error).
  double relative_error = 0.1;  // > 0
  double absolute_error = 0;    // in units of the trace, >= 0
  // No stop before this many probes: the standard error is itself an estimate. >= 2.
  int64_t min_probes = 16;
  // Bounds of the deflated rank; min_rank = max_rank fixes it, 0 makes the estimator Hutchinson's. 0 <= min <= max.
  int64_t min_rank = 0;
  int64_t max_rank = 256;
  int64_t max_products = 512;  // >= 2 min_rank + min_probes
  // Where products are kept in context.checkpoints until the estimate is done, and then the estimate, together with the
  // options above; empty: nowhere. Must name the operator, contents included.
  std::string checkpoint_key;
};
absl::Status Validate(const HutchPlusPlusOptions& options);

namespace curvature {

// Hutch++: the trace over a subspace that holds much of A exactly, the rest by Rademacher probes,
//
//   t = tr(Q'AQ) + (1/m) sum_k g_k' B g_k,    B = (I - QQ') A (I - QQ'),  Q = orth(A S),
//
// S standard normal, g_k uniform on {-1,+1}, independent of each other. Unbiased; given Q, one probe varies by
// 2 sum_{i != j} B_ij^2, where plain probing has A for B. The standard error is that of the m probes.
//
// The split: min_probes plain probes come first. If they meet the target, that is all. Else Q is widened by four
// columns (8 products) as long as the measured fall of the variance saves more probes than that, at the wanted error;
// two widenings in a row that do not pay end it. Probes are projected anew on the wider Q without further products,
// from g'Ag, Q'g and (AQ)'g. Probes that chose the rank do not count in the estimate (they were selected for a small
// spread, and with it for a small mean: measured on clustered spectra, half a standard deviation of bias).
//
// Source:   Meyer, Musco, Musco, Woodruff (2021), algorithm 1; choice of the split after Persson, Cortinovis, Kressner
//           (2022, A-Hutch++).
// Shapes:   A is n x n and symmetric; num_samples = m, rank = columns of Q.
// Units:    those of A: loss / weight^2 for a Hessian.
// Cost:     2 products a column of Q, one a probe; memory 4 n rank + 36 n bytes. Needs of the order of 1/e products for
//           a relative error e where probing needs 1/e^2, if A is semidefinite; never many more than probing.
// Fails:    B's terms are differences of numbers of the size of g'Ag: a rounding error of about 1e-6 g'Ag stays in t
//           and is not in the standard error.
// Errors:   kInvalidArgument (options, dimension 0, a product that is not finite); kCancelled, kDeadlineExceeded. Not
//           converged is no error.
// Progress: stage "traces", probes = products, relative_error = standard error / |trace|.
// Same seed, same bits, for any number of threads, and also when resumed from a checkpoint.
absl::StatusOr<DeflatedTraceEstimate> HutchPlusPlus(const LinearOperator& A, const HutchPlusPlusOptions& options,
                                                    const RunContext& context);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_HUTCH_PLUS_PLUS_H_
