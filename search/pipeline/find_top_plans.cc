#include "search/pipeline/find_top_plans.h"

#include <optional>
#include <utility>

#include "search/base/status.h"
#include "search/pipeline/make_plan.h"
#include "search/pipeline/repair.h"

namespace bitplan::pipeline {
namespace {

// What a choice other than the best one proves: nothing about itself, and that none is better than the best one's
// bound.
PredictedSolution Placed(Solution solution, const Solution& best, size_t place, int distance) {
  if (solution.termination == Termination::kOptimal) solution.termination = Termination::kFeasible;
  solution.bound = best.bound;
  solution.gap = allocation::RelativeGap(solution.objective, solution.bound);
  return {.solution = std::move(solution),
          .diagnosis = fmt::format("Place {}: the best plan that differs from those before it in at least {} layer{} "
                                   "(tied ones count once).",
                                   place, distance, distance == 1 ? "" : "s")};
}

absl::StatusOr<TopPlans> FindIn(const Measurement& measured, const TopPlansSearch& request, const RunContext& context) {
  context.Report({.stage = "price"});
  BITPLAN_ASSIGN_OR_RETURN(const CostTable costs, PriceMeasurement(measured, request.search));
  BITPLAN_ASSIGN_OR_RETURN(const BuiltProblem built, BuildProblem(measured, costs, request.search));
  context.Report({.stage = "solve"});
  BITPLAN_ASSIGN_OR_RETURN(const TopChoices found,
                           allocation::FindTopChoices(built.problem, request.top, request.search.solver, context));
  TopPlans top{.plans = {}, .exhausted = found.exhausted, .note = found.note};
  for (size_t i = 0; i < found.solutions.size(); ++i) {
    const Solution& best = found.solutions.front();
    const PredictedSolution solution =
        i == 0 ? PredictedSolution{.solution = best} : Placed(found.solutions[i], best, i + 1, request.top.distance);
    BITPLAN_ASSIGN_OR_RETURN(top.plans.emplace_back(), MakePlan(measured, costs, built, solution, request.search));
  }
  return top;
}

}  // namespace

absl::Status ValidateTopPlansSearch(const TopPlansSearch& request) {
  BITPLAN_RETURN_IF_ERROR(allocation::Validate(request.top));
  if (request.search.robustness_resamples != 0) {
    return InvalidArgument("robustness_resamples: got {}, want 0: it is told of the best plan only, by a search",
                           request.search.robustness_resamples);
  }
  return ValidateSearchRequest(request.search);
}

absl::StatusOr<TopPlans> FindTopPlans(const Measurement& measured, const TopPlansSearch& request,
                                      const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(ValidateTopPlansSearch(request));
  if (measured.sensitivity.responses) {
    return Unimplemented("method '{}' predicts whole plans; the best few are known only where scores are summed",
                         measured.sensitivity.method);
  }
  BITPLAN_ASSIGN_OR_RETURN(const std::optional<Measurement> repaired, Repair(measured, request.search));
  return FindIn(repaired ? *repaired : measured, request, context);
}

}  // namespace bitplan::pipeline
