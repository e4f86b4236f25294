#ifndef BITPLAN_PROTO_CONVERT_PLAN_H_
#define BITPLAN_PROTO_CONVERT_PLAN_H_

#include "absl/status/statusor.h"
#include "bitplan/v1/plan.pb.h"
#include "search/pipeline/run_search.h"
#include "search/plan/plan.h"

// Searches and plans. Paths in errors are relative to the message converted.

namespace bitplan::convert {

// Interpolation's bits default to 4 and 8. kInvalidArgument: no amount, out of range, unknown resource.
absl::StatusOr<BudgetSpec> ToBudget(const v1::Budget& message);
v1::Budget FromBudget(const BudgetSpec& spec);

// kInvalidArgument: no kind, layer or width, a width out of range.
absl::StatusOr<WidthRule> ToWidthRule(const v1::WidthRule& message);
v1::WidthRule FromWidthRule(const WidthRule& rule);

// `status` with "<field>: " in place of the core's "budget '<spec>': "; unchanged if it does not begin with that.
absl::Status AtBudget(std::string_view field, const BudgetSpec& spec, const absl::Status& status);

// `default_time_limit_s` stands for an absent time limit. kInvalidArgument, kNotFound (solver; lists the known ones).
absl::StatusOr<SolverOptions> ToSolverOptions(const v1::SolverConfig& message, double default_time_limit_s);

// Longest time limit a client may ask for.
inline constexpr double kMaxTimeLimitSeconds = 3600;

// Everything but the profile, which the caller looks up. Checked as far as it can be without it (ValidateSearchRequest
// is the caller's, once the profile is there).
absl::StatusOr<SearchRequest> ToSearchRequest(const v1::SearchConfig& message, double default_time_limit_s);

v1::Termination FromTermination(Termination termination);

// Everything but name, display_name, create_time, measurement and config, which the core does not know.
v1::Plan FromPlan(const Plan& plan);

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_PLAN_H_
