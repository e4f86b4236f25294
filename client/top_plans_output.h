#ifndef BITPLAN_CLIENT_TOP_PLANS_OUTPUT_H_
#define BITPLAN_CLIENT_TOP_PLANS_OUTPUT_H_

#include <span>
#include <string>

#include "absl/status/status.h"
#include "bitplan/v1/plan.pb.h"
#include "client/commands.h"
#include "search/plan/plan.h"

namespace bitplan::client {

// One row a plan: place, loss, how far above the best, what it uses, in how many layers it differs from the best, and
// where: "conv1 4 (8)" has 4 bits there and the best 8.
std::string RenderTopPlans(const v1::TopPlans& top);

// Prints the plans as a table or as JSON (message TopPlans of plan.proto). The code is that of the best one: kOk with a
// choice, kInfeasible if proven that there is none, kCancelled or kFailed if none was found.
ExitCode PrintTopPlans(Session& session, const v1::TopPlans& top);

// Writes "plans.json" as plans-1.json, plans-2.json, ...; nothing if `save` is empty.
absl::Status SaveEach(Session& session, std::span<const Plan> plans, const std::string& save);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_TOP_PLANS_OUTPUT_H_
