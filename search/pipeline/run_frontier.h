#ifndef BITPLAN_SEARCH_PIPELINE_RUN_FRONTIER_H_
#define BITPLAN_SEARCH_PIPELINE_RUN_FRONTIER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/allocation/frontier.h"
#include "search/base/resource.h"
#include "search/base/run_context.h"
#include "search/layer/layer.h"
#include "search/pipeline/budget.h"
#include "search/pipeline/measurement.h"
#include "search/pipeline/run_search.h"

namespace bitplan {

// The least loss for many limits of one resource, less the measurement.
struct FrontierSearch {
  SearchRequest search;                 // budgets: of other resources, none needed; `created` is not read
  Resource resource = Resource::kSize;  // that is swept
  std::vector<BudgetSpec> limits;       // of `resource`; empty: num_points evenly spaced ones
  int num_points = 20;                  // 2..10,000
  bool complete = false;                // the whole exact front; see allocation::FrontierRequest. Without limits
};

// What the points of a frontier speak of.
struct FrontierTerms {
  Resource resource = Resource::kSize;
  std::vector<Resource> resources;           // of FrontierPoint::totals: those of the budgets, then the swept one
  std::vector<std::string> layers;           // names, in the order of FrontierPoint::choice
  std::vector<std::vector<Option>> options;  // [layer][entry of FrontierPoint::choice]
  std::string predictor;                     // of losses of whole plans; empty: the sum of the layers' sensitivities
};

struct LossFrontier {
  FrontierTerms terms;
  Frontier frontier;
};

// Who hears of a frontier while it is computed, on the computing thread; either may be empty.
struct FrontierListener {
  std::function<void(const FrontierTerms& terms)> on_terms;  // once, before the first point
  allocation::FrontierSink on_point;
};

namespace pipeline {

inline constexpr int kMostFrontierPoints = 10'000;

// kInvalidArgument: a budget on the swept resource, limits of another one, limits and `complete` together, a number of
// points out of range, and what ValidateSearchRequest finds.
absl::Status ValidateFrontierSearch(const FrontierSearch& request);

// The search with a budget on the swept resource that binds nothing: what ValidateProfileFor and ValidateMethodFor
// take.
SearchRequest SearchOfFrontier(const FrontierSearch& request);

// Solves for every limit; see allocation::ComputeFrontier, and ComputeConvexFrontier for measurements that predict
// whole plans. Infeasible limits, limits of time and stop requests are answers, not errors. Errors: those of
// ValidateFrontierSearch and BuildProblem; limits that cannot be resolved, with their index.
absl::StatusOr<LossFrontier> ComputeFrontier(const Measurement& measured, const FrontierSearch& request,
                                             const RunContext& context, const FrontierListener& listener);

}  // namespace pipeline
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PIPELINE_RUN_FRONTIER_H_
