#ifndef BITPLAN_SEARCH_PIPELINE_FIND_TOP_PLANS_H_
#define BITPLAN_SEARCH_PIPELINE_FIND_TOP_PLANS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/allocation/top_choices.h"
#include "search/base/run_context.h"
#include "search/pipeline/measurement.h"
#include "search/pipeline/run_search.h"
#include "search/plan/plan.h"

namespace bitplan {

// The best few plans that differ, less the measurement.
struct TopPlansSearch {
  SearchRequest search;  // limits of its solver: see allocation::FindTopChoices; robustness_resamples must be 0
  TopChoicesRequest top;
};

struct TopPlans {
  // The best plan first. It is as Search gives it; the others are kFeasible at best: their bound is that of the best
  // plan, and their diagnosis says which place they have. A single plan without a choice: see its diagnosis.
  std::vector<Plan> plans;
  bool exhausted = false;  // proven: no further plan is that far from all of these
  std::string note;        // why there are fewer than asked for; else empty
};

namespace pipeline {

// kInvalidArgument: a count or distance out of range, resamples, and what ValidateSearchRequest finds.
absl::Status ValidateTopPlansSearch(const TopPlansSearch& request);

// The best plan, then the best of those that differ from all before it in at least `distance` layers, tied ones counted
// once (allocation::FindTopChoices). Each is verified.
// Errors: those of ValidateTopPlansSearch and BuildProblem; kUnimplemented for measurements that predict whole plans.
// Progress: "price", "solve".
absl::StatusOr<TopPlans> FindTopPlans(const Measurement& measured, const TopPlansSearch& request,
                                      const RunContext& context);

}  // namespace pipeline
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PIPELINE_FIND_TOP_PLANS_H_
