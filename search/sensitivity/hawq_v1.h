#ifndef BITPLAN_SEARCH_SENSITIVITY_HAWQ_V1_H_
#define BITPLAN_SEARCH_SENSITIVITY_HAWQ_V1_H_

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/sensitivity/method_table.h"

namespace bitplan::sensitivity {

// Scores by the top eigenvalue of the layer's block:
//
//   score(l, o) = |lambda_l| / n_l * ||Q_o(W_l) - W_l||^2,     n_l = number of weights of layer l.
//
// Source: HAWQ (Dong et al., 2019) publishes two quantities: S_l = lambda_l / n_l, which orders layers by the bits they
//         need, and Omega_l = lambda_l ||Q(W_l) - W_l||^2, which orders them for fine-tuning. Bits were then picked by
//         hand. An automatic search needs one number for each option; ours is S_l times the squared perturbation.
//         The magnitude is ours too: a block whose largest eigenvalue is negative is curved, hence not safe to disturb.
// Error:  residual_l / n_l * ||d||^2, a bound for the distance to the eigenvalue found, not a standard error.
// Fails:  one direction stands for the whole block; see docs/math.md.
absl::StatusOr<MethodScores> HawqV1(const MethodInput& input, const RunContext& context);

}  // namespace bitplan::sensitivity

#endif  // BITPLAN_SEARCH_SENSITIVITY_HAWQ_V1_H_
