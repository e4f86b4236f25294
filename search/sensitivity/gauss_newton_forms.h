#ifndef BITPLAN_SEARCH_SENSITIVITY_GAUSS_NEWTON_FORMS_H_
#define BITPLAN_SEARCH_SENSITIVITY_GAUSS_NEWTON_FORMS_H_

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/sensitivity/method_table.h"

namespace bitplan::sensitivity {

// Scores by the perturbation itself, d = Q_o(W_l) - W_l, for all options of all layers at once:
//
//   GaussNewtonDirect   score(l, o) = 1/2 d'G_ll d             the second-order loss increase of that one change
//   FisherDiagonal      score(l, o) = 1/2 sum_i G_ii d_i^2     the same if gradients of different weights were
//                                                              uncorrelated
//
// With input.activations d stands for the errors of the tensors that the layer owns (ActivationPoint), too.
//
// G is the Gauss-Newton matrix, which for a cross-entropy is the Fisher matrix; curvature/gauss_newton.h has the
// estimator. The layers' traces come along (MethodScores::traces).
//
// Source: LeCun, Denker, Solla (1990) for the diagonal; docs/math.md for the form.
// Units:  loss. The factor 1/2 makes the score a prediction; HAWQ's scores are published without.
// Cost:   settings.trace_relative_error and max_probes as for traces; an inner product a draw for each option.
// Error:  standard error over drawn samples and signs; exact (0) where all output columns were taken.
// Fails:  where the change is too large for a second-order expansion (2 bits); at a saturated optimum; docs/math.md.
absl::StatusOr<MethodScores> GaussNewtonDirect(const MethodInput& input, const RunContext& context);
absl::StatusOr<MethodScores> FisherDiagonal(const MethodInput& input, const RunContext& context);

}  // namespace bitplan::sensitivity

#endif  // BITPLAN_SEARCH_SENSITIVITY_GAUSS_NEWTON_FORMS_H_
