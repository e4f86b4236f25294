#ifndef BITPLAN_SEARCH_PLAN_PLAN_JSON_H_
#define BITPLAN_SEARCH_PLAN_PLAN_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/plan/plan.h"

namespace bitplan::plan {

inline constexpr std::string_view kPlanFormat = "bitplan.plan/1";
inline constexpr int64_t kMaxPlanBytes = int64_t{64} << 20;

// The plan file of docs/formats/plan.md: keys in a fixed order, doubles as the shortest text that reads back exactly.
// Fields must be finite; infinite gaps are left out.
std::string ToJson(const Plan& plan);

// Reads such a file; ParsePlan(ToJson(p)) == p. Strict: unknown fields, unknown format versions and broken types are
// kInvalidArgument with the path of the field. Does not check the sums: Verify does.
absl::StatusOr<Plan> ParsePlan(std::string_view json);

}  // namespace bitplan::plan

#endif  // BITPLAN_SEARCH_PLAN_PLAN_JSON_H_
