#ifndef BITPLAN_PROTO_CONVERT_TOP_PLANS_H_
#define BITPLAN_PROTO_CONVERT_TOP_PLANS_H_

#include "absl/status/statusor.h"
#include "bitplan/v1/plan.pb.h"
#include "search/pipeline/find_top_plans.h"

// The best few plans. Paths in errors are relative to the message converted.

namespace bitplan::convert {

// Everything but the profile, which the caller looks up. kInvalidArgument as for ToSearchRequest ("config...").
absl::StatusOr<TopPlansSearch> ToTopPlansSearch(const v1::FindTopPlansRequest& message, double default_time_limit_s);

// As FromPlan, without the other options of the layers.
v1::Plan FromTopPlan(const Plan& plan);
v1::TopPlansSummary FromSummary(const TopPlans& top);

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_TOP_PLANS_H_
