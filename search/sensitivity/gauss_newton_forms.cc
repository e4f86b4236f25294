#include "search/sensitivity/gauss_newton_forms.h"

#include <utility>

#include "search/base/status.h"
#include "search/curvature/gauss_newton.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/method_checkpoint.h"
#include "search/sensitivity/trace_estimators.h"

namespace bitplan::sensitivity {
namespace {

absl::StatusOr<MethodScores> ScoreByForms(const MethodInput& input, GaussNewtonOptions::Form form,
                                          const RunContext& context) {
  GaussNewtonOptions options =
      GaussNewtonDraws(input.objective, {.seed = input.settings.seed,
                                         .relative_error = input.settings.trace_relative_error,
                                         .max_probes = input.settings.max_probes,
                                         .checkpoint_key = MethodCheckpointKey(input, "forms")});
  options.form = form;
  ActivationChanges activations;
  if (input.activations != nullptr) {
    BITPLAN_ASSIGN_OR_RETURN(activations, ActivationChangesOf(*input.activations, input.options));
  }
  BITPLAN_ASSIGN_OR_RETURN(
      GaussNewtonEstimate estimate,
      curvature::EstimateGaussNewton(input.objective, input.perturbations, options, context, activations));
  MethodScores scores{.traces = std::move(estimate.traces)};
  for (const std::vector<QuadraticForm>& of_layer : estimate.forms) {
    std::vector<double>& score = scores.score.emplace_back();
    std::vector<double>& error = scores.standard_error.emplace_back();
    for (const QuadraticForm& form_of_option : of_layer) {
      score.push_back(form_of_option.value / 2);
      error.push_back(form_of_option.standard_error / 2);
    }
  }
  if (!estimate.converged) {
    scores.notes.push_back(
        fmt::format("sampling stopped after {} draws, before every score had a relative standard "
                    "error of {}",
                    estimate.num_draws, options.relative_error));
  }
  return scores;
}

}  // namespace

absl::StatusOr<MethodScores> GaussNewtonDirect(const MethodInput& input, const RunContext& context) {
  return ScoreByForms(input, GaussNewtonOptions::Form::kQuadratic, context);
}

absl::StatusOr<MethodScores> FisherDiagonal(const MethodInput& input, const RunContext& context) {
  return ScoreByForms(input, GaussNewtonOptions::Form::kDiagonal, context);
}

}  // namespace bitplan::sensitivity
