#ifndef BITPLAN_SERVER_SERVICE_PLANS_H_
#define BITPLAN_SERVER_SERVICE_PLANS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bitplan/v1/plan.pb.h"
#include "search/base/run_context.h"
#include "search/pipeline/find_top_plans.h"
#include "search/pipeline/run_frontier.h"
#include "search/pipeline/run_search.h"
#include "server/service/backend.h"

// Plans as resources: the plan file is a blob, the payload is the message without choices. The id comes from the plan's
// fingerprint, so that the same search gives the same plan.

namespace bitplan::service {

// The unary Search answers while the client waits; a job has more time.
inline constexpr double kSearchTimeLimitSeconds = 10;
inline constexpr double kJobTimeLimitSeconds = 60;

// A search that is ready to run, and its config with the defaults filled in. An inline profile is not repeated there.
struct PreparedSearch {
  SearchRequest request;
  v1::SearchConfig config;
};

// Converts, looks the profile up, validates. Paths in errors are relative to the config. kInvalidArgument, kNotFound.
absl::StatusOr<PreparedSearch> PrepareSearch(Backend& backend, std::string_view project, const v1::SearchConfig& config,
                                             double default_time_limit_s);

// The same for a frontier; paths are relative to the request.
struct PreparedFrontier {
  FrontierSearch request;
  v1::SearchConfig config;
};
absl::StatusOr<PreparedFrontier> PrepareFrontier(Backend& backend, std::string_view project,
                                                 const v1::ComputeFrontierRequest& request,
                                                 double default_time_limit_s);

// The same for the best few plans.
struct PreparedTopPlans {
  TopPlansSearch request;
  v1::SearchConfig config;
};
absl::StatusOr<PreparedTopPlans> PrepareTopPlans(Backend& backend, std::string_view project,
                                                 const v1::FindTopPlansRequest& request, double default_time_limit_s);

// Solves on the measurement in `measurement`. The message has everything but name and create_time.
struct SolvedPlan {
  Plan plan;
  v1::Plan message;
};
absl::StatusOr<SolvedPlan> SolveOn(Backend& backend, const store::Resource& measurement, const PreparedSearch& search,
                                   const RunContext& context);

// Budgets resolved and everything checked, but not solved: config and budgets only.
absl::StatusOr<v1::Plan> CheckSearchOn(Backend& backend, const store::Resource& measurement,
                                       const PreparedSearch& search);

// Stores the plan, or finds the one with its fingerprint.
absl::StatusOr<store::Resource> StorePlan(Backend& backend, std::string_view project, const SolvedPlan& solved);

// The value behind a resource. kDataLoss if its file is unreadable.
absl::StatusOr<Plan> LoadPlan(Backend& backend, const store::Resource& resource);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_PLANS_H_
