#ifndef BITPLAN_PROTO_CONVERT_TOP_PLANS_H_
#define BITPLAN_PROTO_CONVERT_TOP_PLANS_H_

#include "bitplan/v1/plan.pb.h"
#include "search/pipeline/find_top_plans.h"

// The best few plans.

namespace bitplan::convert {

// How many plans and how far apart, defaults filled in; not checked. Its config is a search's: ToSearchRequest.
TopChoicesRequest ToTopChoices(const v1::FindTopPlansRequest& message);

// As FromPlan, without the other options of the layers.
v1::Plan FromTopPlan(const Plan& plan);
v1::TopPlansSummary FromSummary(const TopPlans& top);

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_TOP_PLANS_H_
