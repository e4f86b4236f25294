#ifndef BITPLAN_CLIENT_PLAN_OUTPUT_H_
#define BITPLAN_CLIENT_PLAN_OUTPUT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/commands.h"
#include "search/plan/plan.h"

namespace bitplan::client {

// Prints a plan as a table or as its document, writes it to `save` too unless that is empty (format by the extension),
// and says with the code whether there is one: kOk with a choice, kInfeasible if proven that there is none, kCancelled
// if stopped before one was found, kFailed if time ran out before.
absl::StatusOr<ExitCode> PrintPlan(Session& session, const Plan& plan, const std::string& save);

// The two steps that follow the printing.
absl::Status SavePlan(Session& session, const Plan& plan, const std::string& save);
ExitCode CodeOf(const Plan& plan);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_PLAN_OUTPUT_H_
