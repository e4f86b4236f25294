#ifndef BITPLAN_SEARCH_SENSITIVITY_HAWQ_V2_H_
#define BITPLAN_SEARCH_SENSITIVITY_HAWQ_V2_H_

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/sensitivity/method_table.h"

namespace bitplan::sensitivity {

// Scores by the average trace of the layer's block:
//
//   score(l, o) = tr(H_ll) / n_l * ||Q_o(W_l) - W_l||^2,     n_l = number of weights of layer l.
//
// Source: HAWQ-v2 (Dong et al., 2020), Omega of its equation for the Pareto search; HAWQ-v3 uses the same scores. With
//         d_i of equal variance and independent of each other, E[d'Hd] = tr(H)/n ||d||^2, so the score estimates d'Hd,
//         twice the second-order loss change; the factor is the same for all layers and kept as published.
// Error:  standard error of the trace / n_l * ||d||^2, a standard error.
// Sign:   a negative trace (an indefinite block, or noise) gives a negative score; it is reported as it is.
// Fails:  see docs/math.md.
absl::StatusOr<MethodScores> HawqV2(const MethodInput& input, const RunContext& context);

}  // namespace bitplan::sensitivity

#endif  // BITPLAN_SEARCH_SENSITIVITY_HAWQ_V2_H_
