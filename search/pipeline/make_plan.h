#ifndef BITPLAN_SEARCH_PIPELINE_MAKE_PLAN_H_
#define BITPLAN_SEARCH_PIPELINE_MAKE_PLAN_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "search/allocation/robustness.h"
#include "search/allocation/solution.h"
#include "search/hardware/price.h"
#include "search/pipeline/measurement.h"
#include "search/pipeline/run_search.h"
#include "search/plan/plan.h"
#include "search/sensitivity/paired_difference.h"

namespace bitplan::pipeline {

struct PredictedSolution {
  Solution solution;
  std::optional<SampleMean> prediction;  // of the whole plan; absent: solution.objective is the sum of the layers'
  std::optional<Robustness> robustness;  // absent: not asked for, or not possible
  std::string diagnosis = {};            // in place of what `solution` says by itself, unless empty
};

// Puts names, prices, references and provenance to a solution of `built`, and verifies the result.
// kInternal if it does not hold: our bug, the plan is withheld.
absl::StatusOr<Plan> MakePlan(const Measurement& measured, const CostTable& costs, const BuiltProblem& built,
                              const PredictedSolution& found, const SearchRequest& request);

}  // namespace bitplan::pipeline

#endif  // BITPLAN_SEARCH_PIPELINE_MAKE_PLAN_H_
