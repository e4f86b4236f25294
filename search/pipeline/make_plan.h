#ifndef BITPLAN_SEARCH_PIPELINE_MAKE_PLAN_H_
#define BITPLAN_SEARCH_PIPELINE_MAKE_PLAN_H_

#include "absl/status/statusor.h"
#include "search/allocation/solution.h"
#include "search/hardware/price.h"
#include "search/pipeline/measurement.h"
#include "search/pipeline/run_search.h"
#include "search/plan/plan.h"

namespace bitplan::pipeline {

// Puts names, prices, references and provenance to a solution of `built`, and verifies the result.
// kInternal if it does not hold: our bug, the plan is withheld.
absl::StatusOr<Plan> MakePlan(const Measurement& measured, const CostTable& costs, const BuiltProblem& built,
                              const Solution& solution, const SearchRequest& request);

}  // namespace bitplan::pipeline

#endif  // BITPLAN_SEARCH_PIPELINE_MAKE_PLAN_H_
