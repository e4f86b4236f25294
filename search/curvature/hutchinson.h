#ifndef BITPLAN_SEARCH_CURVATURE_HUTCHINSON_H_
#define BITPLAN_SEARCH_CURVATURE_HUTCHINSON_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/linear_operator.h"
#include "search/ops/objective.h"

namespace bitplan {

struct ProbeOptions {
  uint64_t seed = 0;  // probe k is Rng(seed, k)
  // Wanted standard error of block l:
  //   e_l <= max(relative_error * max(|t_l|, small_block_fraction * max_m |t_m|), absolute_error).
  double relative_error = 0.1;  // > 0
  // Blocks whose trace is below this share of the largest one are held to the error allowed at that share: without it a
  // trace near zero could never meet a relative target. >= 0.
  double small_block_fraction = 0.05;
  // A standard error that is small enough for any block, in units of the trace: for traces that may be zero. >= 0.
  double absolute_error = 0;
  // No stop before this many probes: the standard error is itself an estimate and a few lucky probes understate it.
  // >= 2.
  int64_t min_probes = 16;
  int64_t max_probes = 512;      // >= min_probes
  int64_t probes_per_check = 8;  // after min_probes the target is looked at, and the state saved, every so many; >= 1
  // Where the running sums are kept in context.checkpoints, together with the options above; empty: nowhere. Must name
  // the operator and the blocks, contents included.
  std::string checkpoint_key;
};
absl::Status Validate(const ProbeOptions& options);

// A trace as far as known. Negative estimates are legal and reported as they come: blocks of a Hessian may be
// indefinite and the noise may be larger than the trace.
struct TraceEstimate {
  double trace = 0;
  double standard_error = 0;  // of `trace`, estimated from the spread of the probes
  int64_t num_probes = 0;
  bool converged = false;  // the wanted standard error was met; false: max_probes came first

  bool operator==(const TraceEstimate&) const = default;
};

namespace curvature {

// Estimates the traces of diagonal blocks of A by Girard-Hutchinson probing with probes that cover all blocks at once:
//
//   t_l = (1/m) sum_k  v_kl' (A v_k)_l ,     v_k uniform on {-1,+1}^n,  v_kl its entries in block l.
//
// Unbiased, as off-diagonal entries meet products of independent signs; one probe varies by
//   Var = 2 sum_{i != j in l} A_ij^2 + sum_{i in l, j not in l} A_ij^2.
// Standard errors: s_l / sqrt(m), s_l^2 by Welford's recurrence in probe order. Probing stops at the first check point
// where every block meets its target (ProbeOptions), else at max_probes.
//
// Source:   Girard (1989), Hutchinson (1989); per-layer use in HAWQ-v2 (Dong et al., 2020).
// Shapes:   A is n x n and symmetric; blocks lie in [0, n) and may not be empty.
// Units:    those of A: loss / weight^2 for a Hessian.
// Cost:     one product a probe for all blocks together; memory 3 n.
// Errors:   kInvalidArgument (options, blocks, a product that is not finite); kCancelled, kDeadlineExceeded. Not
//           converged is no error.
// Progress: stage "traces"; fraction from (target / error)^2 of the worst block, never below probes / max_probes.
// Same seed, same bits, for any number of threads, and also when resumed from a checkpoint.
absl::StatusOr<std::vector<TraceEstimate>> HutchinsonBlockTraces(const LinearOperator& A,
                                                                 std::span<const WeightSlice> blocks,
                                                                 const ProbeOptions& options,
                                                                 const RunContext& context);

// The trace of A itself: one block.
absl::StatusOr<TraceEstimate> HutchinsonTrace(const LinearOperator& A, const ProbeOptions& options,
                                              const RunContext& context);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_HUTCHINSON_H_
