#ifndef BITPLAN_CLIENT_FRONTIER_OUTPUT_H_
#define BITPLAN_CLIENT_FRONTIER_OUTPUT_H_

#include <string>

#include "absl/status/statusor.h"
#include "bitplan/v1/plan.pb.h"
#include "client/commands.h"

namespace bitplan::client {

// One row a point: limit, use, loss, gap, price, and the bits of all layers, runs of equal ones together ("8 4*3 2").
std::string RenderFrontier(const v1::Frontier& frontier);

// The same with exact numbers, one line a point and a column a layer ("w4a8/symmetric/per_channel").
std::string FrontierCsv(const v1::Frontier& frontier);

// Prints a frontier as a table or as JSON (message Frontier of plan.proto), writes it to `save` too unless that is
// empty
// (.csv or .json), and says with the code whether there is a plan: kOk with one, kInfeasible if no limit can be kept,
// kFailed if none was found in time.
absl::StatusOr<ExitCode> PrintFrontier(Session& session, const v1::Frontier& frontier, const std::string& save);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_FRONTIER_OUTPUT_H_
