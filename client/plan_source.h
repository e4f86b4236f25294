#ifndef BITPLAN_CLIENT_PLAN_SOURCE_H_
#define BITPLAN_CLIENT_PLAN_SOURCE_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/commands.h"
#include "search/plan/plan.h"

namespace bitplan::client {

// Help for an argument that ReadPlan reads.
inline constexpr const char* kPlanHelp = "Name or id on the server, or path of a plan file (*.json; needs no server)";

// The plan that a person names: a file if it ends in .json, read as strictly as one that came from elsewhere (every sum
// is added again), else the server's plan of this name or id.
absl::StatusOr<Plan> ReadPlan(const Session& session, const std::string& name_or_path);

// A plan of the server by its full name.
absl::StatusOr<Plan> FetchPlan(Channel& channel, const std::string& name);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_PLAN_SOURCE_H_
